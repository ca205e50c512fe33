"""What reaches a container: all that the client sent, except what would let others in as him."""

import subprocess
import time

import pytest
from nginx.clients import ALICE, DESKTOP, TOKEN, Browser, Headers, path_of
from nginx.conftest import Stack
from nginx.stubs import Application, websocket_echo

OURS = f"__Host-remoteapp={ALICE}"


def cookies(stack: Stack, desktop: Application, sent: Headers) -> list[str]:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    answer = stack.client.ask(path_of(DESKTOP), sent)
    assert answer.status == 200
    assert "__host-remoteapp" not in str(answer.told).lower()
    assert ALICE not in str(answer.told)
    return answer.sent("cookie")


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ([OURS], []),
        ([f"a=1; {OURS}"], ["a=1"]),
        ([f"{OURS}; a=1"], ["a=1"]),
        ([f"a=1; {OURS}; b=2"], ["a=1; b=2"]),
        ([f"a=1;{OURS};b=2"], ["a=1;b=2"]),
        ([f"a=1; {OURS}; b=2; __Host-remoteapp=y"], ["a=1; b=2"]),
        ([f"{OURS}; {OURS}; {OURS}; c=3"], ["c=3"]),
        ([f"a=1 ;  {OURS} ; b=2"], ["a=1; b=2"]),
        (["a=1", OURS, "b=2"], ["a=1; b=2"]),
        ([f"a=1; {OURS}", f"{OURS}; b=2"], ["a=1; b=2"]),
        ([f"; ;{OURS};; b=2"], ["; b=2"]),
        ([f"{OURS}; __Host-remoteapp="], []),
        ([f"{OURS}; __host-other=1; remoteapp=2"], ["__host-other=1; remoteapp=2"]),
        ([f"{OURS}; a=1; __Host-remoteapp-told=2026-11-23T22:00:00+00:00"], ["a=1"]),
        ([f"__Host-remoteapp-told=x; {OURS}; __Host-remoteapp-asking=y; a=1"], ["a=1"]),
    ],
)
def test_no_occurrence_of_our_cookie_reaches_it_and_every_other_cookie_does(
    stack: Stack, desktop: Application, sent: list[str], passed: list[str]
) -> None:
    assert cookies(stack, desktop, [("Cookie", line) for line in sent]) == passed


@pytest.mark.parametrize(
    "sent",
    [
        [f"a=1; {'; '.join([OURS] * 6)}"],
        [f"{OURS}; a=1 {OURS}"],
        [f"{OURS}; a=1, {OURS}"],
        [f'{OURS}; a="1 {OURS}"'],
        [f"{OURS}; a=1; __Host-remoteapp = {ALICE}"],
        [f"{OURS}; __HOST-remoteapp={ALICE}"],
        [f"{OURS}; a=1", *[OURS] * 5],
    ],
)
def test_where_one_of_ours_may_be_left_no_cookie_is_passed(
    stack: Stack, desktop: Application, sent: list[str]
) -> None:
    assert cookies(stack, desktop, [("Cookie", line) for line in sent]) == []


def test_cookies_of_spaces_hold_no_worker_up(stack: Stack, desktop: Application) -> None:
    sent = [("Cookie", line) for line in (OURS, *[f"a={' ' * 15_000}x"] * 3)]
    took = []
    for _ in range(3):  # a busy machine is slow once, a worker that searches each time
        begun = time.monotonic()
        assert len(cookies(stack, desktop, sent)) == 1
        took.append(time.monotonic() - begun)
    assert min(took) < 0.25


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (f"Bearer {TOKEN}", []),
        (f"bearer   {TOKEN}", []),
        ("Bearer the-application's-own", ["Bearer the-application's-own"]),
        ("Basic YTpi", ["Basic YTpi"]),
        ("token rapp_notOurs", ["token rapp_notOurs"]),
    ],
)
def test_our_token_stays_with_us_and_other_authorization_passes(
    stack: Stack, desktop: Application, sent: str, passed: list[str]
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    stack.plane.allow(TOKEN, DESKTOP, desktop.target)
    answer = stack.client.ask(path_of(DESKTOP), [("Cookie", OURS), ("Authorization", sent)])
    assert (answer.status, answer.sent("authorization")) == (200, passed)


def test_a_second_authorization_line_does_not_carry_the_token_in(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    twice = [("Authorization", "Basic YTpi"), ("Authorization", f"Bearer {TOKEN}")]
    answer = stack.client.ask(path_of(DESKTOP), [("Cookie", OURS), *twice])
    assert TOKEN not in answer.body.decode()


def test_it_can_trust_the_headers_that_nginx_overwrites(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    names = ["Remote-User", "Forwarded-For", "Forwarded-Proto", "Forwarded-Host", "Script-Name"]
    forged = [(f"X-{name}", "forged") for name in names]
    forged += [("X-Session-Access", "forged"), ("X_Remote_User", "forged")]
    answer = stack.client.ask(path_of(DESKTOP, "x"), [("Cookie", OURS), *forged])
    assert "forged" not in answer.body.decode()
    host = f"localhost:{stack.client.port}"
    assert {
        name.lower(): answer.sent(name)
        for name in ["Host", "X-Session-Access", *(f"X-{name}" for name in names)]
    } == {
        "host": [host],
        "x-remote-user": ["alice"],
        "x-session-access": ["owner"],
        "x-forwarded-for": ["127.0.0.1"],
        "x-forwarded-proto": ["https"],
        "x-forwarded-host": [host],
        "x-script-name": [path_of(DESKTOP).rstrip("/")],
    }


def test_it_gets_everything_else_and_none_of_our_internal_headers(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    own = [("X-Own", "1"), ("Accept", "text/x"), ("Referer", "https://a/b?c"), ("Origin", "null")]
    answer = stack.client.ask(path_of(DESKTOP), [("Cookie", OURS), *own])
    assert [(name, answer.sent(name)) for name, _ in own] == [(name, [v]) for name, v in own]
    assert "x-remoteapp" not in answer.body.decode().lower()


def test_an_upgrade_to_anything_but_a_websocket_is_not_passed(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    asked = [("Cookie", OURS), ("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings")]
    answer = stack.client.ask(path_of(DESKTOP), asked)
    assert (answer.status, answer.sent("upgrade"), answer.sent("connection")) == (200, [], [])


def test_neither_cookie_nor_token_reach_it_in_a_websockets_handshake(
    stack: Stack, browser: Browser
) -> None:
    sent = [("Cookie", f"a=1; {OURS}; b=2"), ("Authorization", f"Bearer {TOKEN}"), ("X-Own", "1")]
    with websocket_echo("127.213.0.8") as echo:
        stack.plane.allow(TOKEN, DESKTOP, echo.target)
        assert browser.echo(browser.open(stack.client, path_of(DESKTOP, "ws"), sent))
        browser.close()
        (seen,) = echo.handshakes
    assert ALICE not in str(seen)
    assert TOKEN not in str(seen)
    assert dict(seen)["Cookie"] == "a=1; b=2"
    assert dict(seen)["X-Own"] == "1"


def test_neither_cookie_nor_token_reach_it_over_http2(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(TOKEN, DESKTOP, desktop.target)
    words = ["curl", "-sS", "--http2", "--cacert", str(stack.client.ca)]
    words += ["-w", "%{http_version}", "-H", f"Authorization: Bearer {TOKEN}"]
    for crumb in ("a=1", OURS, "b=2"):
        words += ["-H", f"Cookie: {crumb}"]
    url = f"https://localhost:{stack.client.port}{path_of(DESKTOP)}"
    done = subprocess.run([*words, url], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("}2")
    assert '["Cookie", "a=1; b=2"]' in done.stdout
    assert ALICE not in done.stdout
    assert TOKEN not in done.stdout
