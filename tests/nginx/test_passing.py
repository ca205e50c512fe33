"""How bytes pass between a client and a container: as they were sent, and when they were sent."""

import re
import time

import pytest
from nginx.clients import ALICE, DESKTOP, path_of, signed_in
from nginx.conftest import Stack
from nginx.stubs import Application, unanswering


@pytest.mark.parametrize(
    "rest",
    [
        "a%2Fb",
        "a%2fb/%2e%2e/c",
        "a/../b",
        "a//b///c",
        "%E2%82%AC?q=%2F&r=a+b",
        "x?next=/user/bob/containers/",
        "a;b=c,d:e@f!$&'()*",
        "%00",
        "\\..\\x",
    ],
)
def test_the_path_reaches_the_application_as_it_was_sent(
    stack: Stack, desktop: Application, rest: str
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    answer = stack.client.ask(path_of(DESKTOP, rest), signed_in(ALICE))
    if rest == "%00":
        assert answer.status == 400
    else:
        assert (answer.status, answer.told["path"]) == (200, path_of(DESKTOP, rest))


def test_what_is_authorised_is_what_is_proxied_whatever_the_path_resolves_to(
    stack: Stack, desktop: Application, notebook: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    other = "b" * 32
    climbing = path_of(DESKTOP, f"../../../bob/containers/{other}/x")
    answer = stack.client.ask(climbing, signed_in(ALICE))
    assert (answer.told["app"], answer.told["path"]) == ("desktop", climbing)
    assert notebook.received == 0
    assert {asked["x-remoteapp-session"] for asked in stack.plane.questions()} == {DESKTOP}


def test_a_path_that_leads_to_a_session_in_disguise_is_unknown(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    for path in (
        f"/x/..{path_of(DESKTOP)}",
        f"/{path_of(DESKTOP)}",
        path_of(DESKTOP).replace("user", "us%65r"),
        path_of(DESKTOP).replace("aaaa", "%61aaa", 1),
        path_of(DESKTOP.upper()),
        path_of(DESKTOP[:-1]),
        path_of(DESKTOP, owner=""),
        "/user/",
        "/user/alice",
    ):
        assert stack.client.ask(path, signed_in(ALICE)).status == 404, path
    assert stack.plane.questions() == []


def test_the_session_path_without_its_slash_is_completed(stack: Stack) -> None:
    bare = path_of(DESKTOP).rstrip("/")
    answer = stack.client.ask(f"{bare}?a=b", signed_in(ALICE))
    assert (answer.status, answer.headers["Location"]) == (308, f"{bare}/?a=b")


@pytest.mark.parametrize("code", [204, 301, 400, 401, 403, 404, 500, 502, 503, 504])
def test_the_applications_own_answers_pass_unchanged(
    stack: Stack, desktop: Application, code: int
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    answer = stack.client.ask(path_of(DESKTOP, str(code)), signed_in(ALICE))
    body = b"" if code == 204 else f"the application's own {code}".encode()
    assert (answer.status, answer.body, answer.headers["X-Own"]) == (code, body, "yes")


def test_an_application_cannot_steer_nginx_to_the_portal(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    answer = stack.client.ask(path_of(DESKTOP, "steer"), signed_in(ALICE))
    assert (answer.status, answer.body) == (200, b"kept")


def test_an_event_stream_is_not_held_back(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    connection = stack.client.connect()
    connection.request("GET", path_of(DESKTOP, "stream"), headers=dict(signed_in(ALICE)))
    answer = connection.getresponse()
    assert answer.readline() == b"data: first\n"
    desktop.go_on.set()
    assert answer.read() == b"\ndata: last\n\n"
    connection.close()


def test_an_upload_passes_as_it_comes_and_has_no_bound(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    half = 25 << 20
    connection = stack.client.connect()
    connection.putrequest("POST", path_of(DESKTOP, "up"))
    connection.putheader("Cookie", signed_in(ALICE)[0][1])
    connection.putheader("Content-Length", str(2 * half))
    connection.endheaders()
    connection.send(b"x" * half)
    until = time.monotonic() + 30
    while desktop.received < half:
        assert time.monotonic() < until, "the first half is held back"
        time.sleep(0.01)
    assert [one for one in stack.site.temporary.rglob("*") if one.is_file()] == []
    connection.send(b"x" * half)
    assert connection.getresponse().status == 200
    assert desktop.received == 2 * half
    connection.close()


def test_an_upload_to_a_container_that_is_gone_is_answered(stack: Stack) -> None:
    with unanswering("127.213.0.9", 8888):
        stack.plane.allow(ALICE, DESKTOP, "127.213.0.9:8888")
        answer = stack.client.ask(
            path_of(DESKTOP), signed_in(ALICE), method="POST", body=b"x" * 100_000
        )
    assert (answer.status, answer.body) == (503, b"away\n")
    (asked,) = stack.plane.questions("/internal/away")
    assert "content-length" not in asked


def test_connections_to_an_application_are_kept_after_the_reload(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    (stack.places.spool / "candidate").write_text(f"{DESKTOP} {desktop.target}\n")
    stack.install()
    time.sleep(0.5)  # old and new workers both answer for a moment
    before = len(desktop.connections)
    for _ in range(20):
        assert stack.client.ask(path_of(DESKTOP), signed_in(ALICE)).status == 200
    assert len(desktop.connections) - before <= 4


def test_nothing_secret_stands_in_a_log(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    stack.client.ask(path_of(DESKTOP, "x?token=secret-1"), signed_in(ALICE))
    stack.client.ask("/login?next=secret-2", [*signed_in(ALICE), ("Referer", "/?secret-3")])
    stack.plane.allow(ALICE, DESKTOP, "127.213.0.99:9")
    time.sleep(3.1)
    stack.client.ask(path_of(DESKTOP, "x?token=secret-4"), signed_in(ALICE))
    stack.plane.die()
    stack.client.ask(path_of(DESKTOP, "x?token=secret-5"), signed_in("nobody"))
    stack.stop()
    logs = "".join(
        (stack.places.pid.parent / name).read_text() for name in ("access.log", "error.log")
    )
    assert re.search(rf'"GET {path_of(DESKTOP)}x HTTP/1.1" 200', logs)
    assert "secret" not in logs
    assert ALICE not in logs
