"""Who gets in: nginx asks, remembers for two seconds, and never lets a refused one in again."""

import time

import pytest
from nginx.clients import ALICE, BOB, CHARLIE, DESKTOP, NOTEBOOK, TOKEN, path_of, signed_in
from nginx.conftest import Stack
from nginx.stubs import Application, application, unanswering

# nginx counts whole seconds: two are up to three.
ALLOW_LIVES, REFUSAL_LIVES = 3.1, 2.1


def status(stack: Stack, who: str = ALICE, path: str = path_of(DESKTOP)) -> int:
    return stack.client.ask(path, signed_in(who)).status


def test_an_allowed_visitor_reaches_the_address_that_the_authoriser_named(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    answer = stack.client.ask(path_of(DESKTOP), signed_in(ALICE))
    assert (answer.status, answer.told["app"]) == (200, "desktop")


def test_the_authoriser_is_given_exactly_what_forms_the_key(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target, owner="al%69ce")
    cookie = f"a=1; __Host-remoteapp={ALICE}; b=2"
    sent = [
        ("Cookie", cookie),
        ("Authorization", "Bearer other"),
        ("X-Remoteapp-Owner", "bob"),
        ("X-Remoteapp-Token", "rapp_forged"),
        ("Origin", stack.site.public_url),
        ("X-Own", "1"),
    ]
    path = path_of(DESKTOP, "?secret=1", owner="al%69ce")
    assert stack.client.ask(path, sent, method="POST", body=b"body").status == 200
    assert stack.plane.questions() == [
        {
            "host": "localhost",
            "x-remoteapp-host": f"localhost:{stack.client.port}",
            "x-remoteapp-owner": "al%69ce",
            "x-remoteapp-session": DESKTOP,
            "x-remoteapp-signin": ALICE,
        }
    ]


def test_a_token_is_as_good_as_a_sign_in(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(TOKEN, DESKTOP, desktop.target)
    asked = stack.client.ask(path_of(DESKTOP), [("Authorization", f"Bearer {TOKEN}")])
    assert asked.status == 200
    assert stack.plane.questions()[0]["x-remoteapp-token"] == TOKEN
    assert "x-remoteapp-signin" not in stack.plane.questions()[0]


def test_an_allow_is_asked_for_once_in_two_seconds(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert [status(stack) for _ in range(20)] == [200] * 20
    assert len(stack.plane.questions()) == 1
    time.sleep(ALLOW_LIVES)
    assert status(stack) == 200
    assert len(stack.plane.questions()) == 2


def test_a_refusal_is_asked_for_once_in_a_second(stack: Stack) -> None:
    assert [status(stack, CHARLIE) for _ in range(5)] == [404] * 5
    assert len(stack.plane.questions()) == 1
    time.sleep(REFUSAL_LIVES)
    assert status(stack, CHARLIE) == 404
    assert len(stack.plane.questions()) == 2


@pytest.mark.parametrize("how", ["403", "401"])
def test_who_was_refused_stays_refused_when_the_control_plane_dies(
    stack: Stack, desktop: Application, how: str
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    if how == "403":
        stack.plane.allowed.clear()
    else:
        stack.plane.known.discard(ALICE)
    time.sleep(ALLOW_LIVES)
    refused = 404 if how == "403" else 401
    assert status(stack) == refused
    stack.plane.die()
    time.sleep(REFUSAL_LIVES)
    assert [status(stack) for _ in range(5)] == [refused] * 5


def test_a_revoked_visitor_is_never_let_in_once_more_after_the_allow_has_expired(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    stack.plane.allowed.clear()
    time.sleep(ALLOW_LIVES)
    assert [status(stack) for _ in range(5)] == [404] * 5


def test_who_was_in_stays_in_while_the_control_plane_is_away(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    stack.plane.die()
    time.sleep(ALLOW_LIVES)
    assert status(stack) == 200
    assert status(stack, BOB) == 503


def test_who_was_in_stays_in_while_the_control_plane_hangs(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    stack.plane.hangs.set()
    time.sleep(ALLOW_LIVES)
    before = time.monotonic()
    assert status(stack) == 200
    assert time.monotonic() - before < 2.6


def test_who_was_in_stays_in_when_nginx_is_killed_while_the_control_plane_is_away(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    stack.plane.die()
    stack.kill()
    stack.start()
    assert status(stack) == 200
    time.sleep(ALLOW_LIVES)
    assert status(stack) == 200


def test_without_sign_in_and_token_nginx_refuses_without_asking(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    asked = len(stack.plane.questions())
    assert stack.client.ask(path_of(DESKTOP)).status == 401
    assert stack.client.ask(path_of(DESKTOP), [("Cookie", "a=1; __Host-remoteapp=")]).status == 401
    assert stack.client.ask(path_of(DESKTOP), [("Authorization", "Bearer x")]).status == 401
    assert len(stack.plane.questions()) == asked


def test_two_users_of_one_session_are_judged_apart(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert [status(stack, ALICE), status(stack, BOB), status(stack, ALICE)] == [200, 404, 200]
    stack.plane.allow(BOB, DESKTOP, desktop.target)
    time.sleep(REFUSAL_LIVES)
    assert status(stack, BOB) == 200


def test_the_right_id_under_a_wrong_owner_is_unknown(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    assert status(stack, path=path_of(DESKTOP, owner="bob")) == 404
    unknown = stack.client.ask(path_of("c" * 32), signed_in(ALICE))
    foreign = stack.client.ask(path_of(DESKTOP), signed_in(CHARLIE))
    assert (unknown.status, unknown.body) == (foreign.status, foreign.body)


@pytest.mark.parametrize(
    "target",
    [
        "10.0.0.5:8888",
        "127.0.0.1:22",
        "127.213.16.1:8888",
        "127.212.255.255:8888",
        "127.213.0.1:8888",
        "127.213.0.5:0",
        "127.213.0.5",
        "127.213.0.5:8888/x",
        "127.213.0.5:99999",
        "localhost:8888",
        "s_" + DESKTOP,
        "remoteapp_control_plane",
        "unix:/tmp/x",
    ],
)
def test_a_target_outside_the_session_network_is_never_asked(stack: Stack, target: str) -> None:
    stack.plane.allow(ALICE, DESKTOP, target)
    answer = stack.client.ask(path_of(DESKTOP), signed_in(ALICE))
    assert (answer.status, answer.body) == (503, b"away\n")


def test_allowed_but_not_ready_is_not_remembered(stack: Stack, desktop: Application) -> None:
    stack.plane.allow(ALICE, DESKTOP, "")
    assert status(stack) == 503
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200


def test_a_stale_line_never_leads_where_the_authoriser_did_not_send(
    stack: Stack, desktop: Application, notebook: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    address, port = desktop.target.split(":")
    line = f"{DESKTOP} {address}:{port}\n"
    (stack.places.spool / "candidate").write_text(line)
    assert stack.install().waiting_since is None
    assert stack.client.ask(path_of(DESKTOP), signed_in(ALICE)).told["app"] == "desktop"
    stack.plane.allow(ALICE, DESKTOP, notebook.target)
    time.sleep(ALLOW_LIVES)
    assert stack.client.ask(path_of(DESKTOP), signed_in(ALICE)).told["app"] == "notebook"


def test_an_address_given_to_another_session_is_not_reached_by_the_old_one(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert status(stack) == 200
    stack.plane.allowed.clear()
    stack.plane.allow(BOB, NOTEBOOK, desktop.target, owner="bob")
    time.sleep(ALLOW_LIVES)
    assert status(stack) == 404
    assert status(stack, BOB, path_of(NOTEBOOK, owner="bob")) == 200
    stack.plane.die()
    time.sleep(ALLOW_LIVES)
    assert status(stack) == 404


def test_the_container_that_is_gone_is_told_within_a_second_and_a_half(stack: Stack) -> None:
    with application("127.213.0.7") as app:
        port = int(app.target.partition(":")[2])
        stack.plane.allow(ALICE, DESKTOP, app.target)
        kept = stack.client.connect()
        assert stack.client.ask_over(kept, path_of(DESKTOP), signed_in(ALICE)).status == 200
    with unanswering("127.213.0.7", port):
        for ask in (stack.client.ask, lambda *a: stack.client.ask_over(kept, *a)):
            before = time.monotonic()
            assert ask(path_of(DESKTOP), signed_in(ALICE)).body == b"away\n"
            assert time.monotonic() - before < 1.5
    kept.close()
