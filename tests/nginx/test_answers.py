"""What nginx answers itself, and what it asks the portal for."""

import base64
import hashlib
import os
import re

import pytest
from nginx.clients import ALICE, BOB, DESKTOP, Answer, Client, Headers, path_of, signed_in
from nginx.conftest import Stack
from nginx.stubs import Application

BROWSER: Headers = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
FRAME: Headers = [*BROWSER, ("Sec-Fetch-Dest", "iframe")]
UPGRADE: Headers = [("Upgrade", "websocket"), ("Connection", "Upgrade")]


@pytest.mark.parametrize(
    ("path", "following"),
    [
        (path_of(DESKTOP, "lab/tree?a=b"), path_of(DESKTOP)),
        (path_of(DESKTOP, owner="al@b.c"), path_of(DESKTOP, owner="al@b.c")),
        (path_of(DESKTOP, owner="al%40b.c"), f"/sessions/{DESKTOP}"),
        (path_of(DESKTOP, owner="%22%3E%3Cscript"), f"/sessions/{DESKTOP}"),
        (path_of(DESKTOP, owner='"><script'), f"/sessions/{DESKTOP}"),
        (path_of(DESKTOP, owner="a&b"), f"/sessions/{DESKTOP}"),
    ],
)
def test_a_browser_that_is_not_signed_in_is_led_to_the_sign_in(
    stack: Stack, path: str, following: str
) -> None:
    answer = stack.client.ask(path, BROWSER)
    assert (answer.status, answer.headers["Location"]) == (302, f"/login?next={following}")
    framed = stack.client.ask(path, FRAME)
    assert framed.status == 401
    assert f'<a href="/login?next={following}" target="_top">' in framed.body.decode()
    assert framed.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_sign_in_that_has_ended_is_led_there_too(stack: Stack) -> None:
    answer = stack.client.ask(path_of(DESKTOP), [*BROWSER, *signed_in("ended")])
    assert (answer.status, answer.headers["Location"]) == (302, f"/login?next={path_of(DESKTOP)}")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", []),
        ("GET", [("Accept", "application/json")]),
        ("POST", BROWSER),
        ("GET", [*BROWSER, *UPGRADE]),
        ("GET", [*FRAME, *UPGRADE]),
    ],
)
def test_anything_else_that_is_not_signed_in_gets_401(
    stack: Stack, method: str, headers: Headers
) -> None:
    answer = stack.client.ask(path_of(DESKTOP, "style.css"), headers, method=method)
    assert (answer.status, answer.told["type"]) == (401, "urn:remoteapp:not-signed-in")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("sent", "told"),
    [(BROWSER, "1"), (FRAME, "1"), ([], "0"), ([*BROWSER, *UPGRADE], "0")],
)
def test_the_control_plane_says_why_nothing_answers(stack: Stack, sent: Headers, told: str) -> None:
    stack.plane.allow(ALICE, DESKTOP, "")
    answer = stack.client.ask(path_of(DESKTOP, "?a=b"), [*signed_in(ALICE), *sent])
    assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "2", b"away\n")
    assert stack.plane.questions("/internal/away") == [
        {
            "host": "localhost",
            "x-remoteapp-host": f"localhost:{stack.client.port}",
            "x-remoteapp-owner": "alice",
            "x-remoteapp-session": DESKTOP,
            "x-remoteapp-signin": ALICE,
            "x-remoteapp-browser": told,
        }
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_whatever_the_method_the_control_plane_is_asked_why_with_get(
    stack: Stack, method: str
) -> None:
    stack.plane.allow(ALICE, DESKTOP, "")
    answer = stack.client.ask(path_of(DESKTOP), signed_in(ALICE), method=method)
    assert answer.status == 503
    assert len(stack.plane.questions("/internal/away")) == 1


def test_while_the_control_plane_is_away_there_is_a_static_page(stack: Stack) -> None:
    stack.plane.die()
    for path in ("/", "/login", "/api/v1/sessions", path_of(DESKTOP)):
        page = stack.client.ask(path, [*signed_in(BOB), *BROWSER])
        assert (page.status, page.headers["Retry-After"]) == (503, "5")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        problem = stack.client.ask(path, signed_in(BOB))
        assert (problem.status, problem.told["type"]) == (503, "urn:remoteapp:unavailable")


def test_its_own_pages_are_whole_in_themselves_and_run_nothing(stack: Stack) -> None:
    seen = {
        401: stack.client.ask(path_of(DESKTOP), FRAME),
        404: stack.client.ask(path_of(DESKTOP), [*signed_in(BOB), *BROWSER]),
        431: stack.client.ask("/", [("Cookie", f"c{one}={'x' * 3900}") for one in range(40)]),
    }
    stack.plane.die()
    seen[503] = stack.client.ask("/", BROWSER)
    for status, answer in seen.items():
        assert answer.status == status
        must_be_a_page(answer)


def test_its_own_answers_carry_what_the_portals_do(stack: Stack) -> None:
    seen = {
        302: stack.client.ask(path_of(DESKTOP), BROWSER),
        401: stack.client.ask(path_of(DESKTOP)),
        404: stack.client.ask(path_of(DESKTOP), [*signed_in(BOB), *BROWSER]),
        413: stack.client.ask("/", [("Content-Length", str(2**21))], method="POST"),
        431: stack.client.ask("/", [("Cookie", f"c{one}={'x' * 3900}") for one in range(40)]),
    }
    stack.plane.die()
    seen[503] = stack.client.ask("/api/v1/me")
    for status, answer in seen.items():
        assert answer.status == status
        assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.get_all("Referrer-Policy") == ["same-origin"]
        assert answer.headers.get_all("Cross-Origin-Resource-Policy") == ["same-origin"]
        assert answer.headers["Cache-Control"] == "no-store"
        if status != 302:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "/internal/authorise",
        "/internal/away",
        "/internal/",
        "//internal/authorise",
        "/%69nternal/authorise",
        "/x/../internal/authorise",
        "/./internal//away",
        "/x/%2e%2e/internal/away",
        "/login/../internal/authorise?a=b",
    ],
)
def test_the_internal_addresses_are_not_reachable(stack: Stack, path: str) -> None:
    assert stack.client.ask(path, signed_in(ALICE)).status == 404
    assert stack.plane.asked == []


def test_no_disguise_of_an_internal_address_passes_the_portal(stack: Stack) -> None:
    for path in ("/internal/authorise/../../x", "/a/..%2finternal/authorise", "/%252e%252e/x"):
        stack.client.ask(path, signed_in(ALICE))
    assert not [path for path, _ in stack.plane.asked if path.startswith("/internal")]


def test_the_portal_knows_its_client_by_what_nginx_saw(stack: Stack) -> None:
    forged = [
        (f"X-{name}", "forged")
        for name in ("Forwarded-For", "Real-IP", "Forwarded-Proto", "Forwarded-Host")
    ]
    answer = stack.client.ask("/api/v1/me?a=b", [*signed_in(ALICE), *forged, ("X-Own", "1")])
    host = f"localhost:{stack.client.port}"
    assert answer.told["path"] == "/api/v1/me?a=b"
    assert answer.sent("x-forwarded-for") == answer.sent("x-real-ip") == ["127.0.0.1"]
    assert (answer.sent("x-forwarded-proto"), answer.sent("x-forwarded-host")) == (
        ["https"],
        [host],
    )
    assert (answer.sent("host"), answer.sent("x-own")) == ([host], ["1"])
    assert answer.sent("cookie") == [f"__Host-remoteapp={ALICE}"]


def test_another_name_is_not_ours(stack: Stack) -> None:
    stranger = Client(stack.client.port, stack.client.ca, name="elsewhere.example")
    assert stranger.ask("/login").status == 421
    assert stack.plane.asked == []


def test_a_body_for_the_portal_is_bounded(stack: Stack) -> None:
    assert stack.client.ask("/api/v1/sessions", method="POST", body=b"x" * 1000).status == 200
    declared = [("Content-Length", str(2 << 20))]
    assert stack.client.ask("/api/v1/sessions", declared, method="POST").status == 413


def test_sign_ins_from_one_address_are_slowed_down_where_that_is_set(limited: Stack) -> None:
    answers = [limited.client.ask("/login", method="POST").status for _ in range(65)]
    assert answers == [200] * 61 + [429] * 4
    must_be_a_page(limited.client.ask("/login", BROWSER, method="POST"))
    slowed = limited.client.ask("/api/v1/tokens", method="POST")
    assert (slowed.status, slowed.headers["Retry-After"]) == (429, "5")
    assert limited.client.ask("/login").status == 200


def test_strict_transport_security_is_sent_only_where_it_is_set(
    limited: Stack, desktop: Application
) -> None:
    limited.plane.allow(ALICE, DESKTOP, desktop.target)
    for path in ("/login", path_of(DESKTOP), path_of("c" * 32)):
        answer = limited.client.ask(path, signed_in(ALICE))
        assert answer.headers["Strict-Transport-Security"] == "max-age=600"


def test_the_trial_sends_no_strict_transport_security(stack: Stack) -> None:
    assert stack.client.ask("/login").headers["Strict-Transport-Security"] is None


def test_too_many_cookies_are_cleared_instead_of_shutting_the_visitor_out(stack: Stack) -> None:
    bombs = [("Cookie", f"c{number}={'x' * 3900}") for number in range(40)]
    answer = stack.client.ask("/", bombs)
    assert (answer.status, answer.headers["Clear-Site-Data"]) == (431, '"cookies"')


def test_nginx_does_not_tell_its_version(stack: Stack) -> None:
    assert stack.client.ask("/user/x").headers["Server"] == "nginx"


def test_decisions_are_nginxs_own_to_read(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    stack.client.ask(path_of(DESKTOP), signed_in(ALICE))
    (kept,) = [entry for entry in stack.site.cache.rglob("*") if entry.is_file()]
    assert kept.stat().st_mode & 0o077 == 0
    assert stack.site.cache.stat().st_mode & 0o077 == 0
    assert (kept.stat().st_uid != 0) == (os.geteuid() == 0)


def must_be_a_page(answer: Answer) -> None:
    """Assert that it needs nothing of others, and that its policy lets its own style alone by."""
    page = answer.body.decode()
    (style,) = re.findall(r"<style>(.*?)</style>", page)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
    assert answer.headers["Content-Security-Policy"].startswith(policy)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script|<link|<img|https?:|url\(", page)
    assert page.count("<h1>") == 1
