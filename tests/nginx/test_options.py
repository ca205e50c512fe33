"""What an operator may choose for the site, and what comes of it."""

import http.client
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from nginx.clients import ALICE, DESKTOP, Headers, path_of, signed_in
from nginx.conftest import Stack, free_port
from nginx.stubs import Application

from control_plane.domain import routes

ROLE = Path(__file__).parents[2] / "ansible" / "roles" / "nginx"


def choose(stack: Stack, **changes: object) -> None:
    stack.site = replace(stack.site, **changes)  # type: ignore[arg-type]  # by name
    stack.start()


def test_an_upload_over_the_operators_limit_is_refused_with_the_limit(
    resting: Stack, desktop: Application
) -> None:
    choose(resting, upload_limit="1m")
    resting.plane.allow(ALICE, DESKTOP, desktop.target)
    path = path_of(DESKTOP, "up")
    fits = resting.client.ask(path, signed_in(ALICE), method="POST", body=b"x" * 1_000_000)
    assert fits.status == 200
    answer = resting.client.ask(path, signed_in(ALICE), method="POST", body=b"x" * 1_100_000)
    assert (answer.status, answer.told["type"]) == (413, "urn:remoteapp:too-large")
    assert answer.told["detail"] == "An upload to an application is at most 1m."


@pytest.mark.parametrize(
    ("trusted", "visitor"), [(("127.0.0.1",), "192.0.2.7"), (("192.0.2.1",), "127.0.0.1")]
)
def test_a_proxy_is_believed_who_the_visitor_is_if_the_operator_names_it(
    resting: Stack, desktop: Application, trusted: tuple[str, ...], visitor: str
) -> None:
    choose(resting, trusted_proxies=trusted)
    resting.plane.allow(ALICE, DESKTOP, desktop.target)
    forwarded: Headers = [("X-Forwarded-For", "198.51.100.9, 192.0.2.7, 127.0.0.1")]
    answer = resting.client.ask(path_of(DESKTOP), [*signed_in(ALICE), *forwarded])
    assert answer.sent("X-Forwarded-For") == [visitor]


def test_plain_http_answers_an_authority_and_leads_everybody_else_away(
    resting: Stack, place: Path
) -> None:
    port = free_port()
    choose(
        resting,
        redirect_listen=(f"127.0.0.1:{port}",),
        acme_webroot=str(place / "acme"),
    )
    proofs = place / "acme" / ".well-known" / "acme-challenge"
    proofs.mkdir(parents=True)
    (proofs / "token").write_text("proof")
    answers = {}
    for path in ("/.well-known/acme-challenge/token", "/.well-known/acme-challenge/none", "/a?b"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        connection.request("GET", path, headers={"Host": "localhost"})
        answer = connection.getresponse()
        answers[path] = (answer.status, answer.headers["Location"])
        if path.endswith("token"):
            assert answer.read() == b"proof"
        connection.close()
    assert answers == {
        "/.well-known/acme-challenge/token": (200, None),
        "/.well-known/acme-challenge/none": (404, None),
        "/a?b": (308, f"{resting.site.public_url}/a?b"),
    }


@pytest.mark.parametrize(
    ("offered", "spoken"), [("TLSv1.2 TLSv1.3", ["TLSv1.2", "TLSv1.3"]), ("TLSv1.3", ["TLSv1.3"])]
)
def test_no_version_of_tls_is_spoken_but_those_that_are_offered(
    resting: Stack, offered: str, spoken: list[str]
) -> None:
    choose(resting, tls_protocols=offered)
    assert [
        name for name in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3") if speaks(resting, name)
    ] == spoken


def speaks(stack: Stack, name: str) -> bool:
    """Whether a client that knows nothing else is let in."""
    flag = f"-{name.lower().replace('v', '').replace('.', '_')}"
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{stack.client.port}", flag]
    # Without this the client itself would refuse the old ones.
    old = ["-cipher", "ALL:@SECLEVEL=0"]
    return (
        subprocess.run([*words, *old], input=b"", capture_output=True, check=False).returncode == 0
    )


def test_a_host_begins_with_the_routes_of_no_session() -> None:
    assert (ROLE / "files" / "routes.conf").read_text() == routes.nginx_text(())
