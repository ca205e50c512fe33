"""Who comes by a share goes through the forwarder, whatever nginx keeps; the owner never does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from forwarder.running import SHARE, Forwarding, forwarding, passage, until
from nginx.clients import ALICE, BOB, DESKTOP, NOTEBOOK, Browser, path_of, signed_in
from nginx.conftest import Stack
from nginx.stubs import Application, Echo, websocket_echo
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

OURS = ("X-Remoteapp-Share", "X-Remoteapp-Viewer", "X-Remoteapp-Session")


@pytest.fixture
def through(resting: Stack) -> Iterator[Forwarding]:
    """A forwarder behind nginx; bob came by a share, alice is the owner."""
    with forwarding(resting.site.directory.parent) as running:
        running.public.chmod(0o666)
        resting.site = replace(resting.site, forwarder_socket=running.public)
        resting.plane.shared[BOB] = {
            "User": "bob",
            "Access": "control",
            "Share": SHARE,
            "Viewer": "bobs",
        }
        resting.start()
        yield running


def shared(stack: Stack, through: Forwarding, target: str, **changes: object) -> None:
    """Let alice in as the owner, and bob by the share."""
    for who in (ALICE, BOB):
        stack.plane.allow(who, DESKTOP, target)
    through.client.replace([passage(target, session_id=DESKTOP, type="webapp", **changes)])


def echo(server: Echo, stack: Stack, browser: Browser, who: str) -> ClientConnection:
    assert server.target
    return browser.open(stack.client, path_of(DESKTOP, "websockify"), signed_in(who))


def test_the_application_sees_who_came_how_far_and_nothing_of_ours(
    resting: Stack, through: Forwarding, desktop: Application
) -> None:
    shared(resting, through, desktop.target, access="control")
    forged = [(name, "forged") for name in OURS]
    for who, user, access in ((ALICE, "alice", "owner"), (BOB, "bob", "control")):
        answer = resting.client.ask(path_of(DESKTOP, "a%2Fb?c"), [*signed_in(who), *forged])
        assert answer.sent("X-Remote-User") == [user]
        assert answer.sent("X-Session-Access") == [access]
        assert [answer.sent(name) for name in OURS] == [[], [], []]
        assert answer.told["path"] == path_of(DESKTOP, "a%2Fb?c")


def test_only_the_owner_gets_past_a_forwarder_that_knows_of_no_share(
    resting: Stack, through: Forwarding, desktop: Application
) -> None:
    shared(resting, through, desktop.target, access="control")
    through.client.replace([])
    statuses = [resting.client.ask(path_of(DESKTOP), signed_in(who)).status for who in (ALICE, BOB)]
    assert statuses == [200, 503]  # what the control plane says of it
    assert len(resting.plane.questions("/internal/away")) == 1


@pytest.mark.parametrize("header", ["X-Remoteapp-Share", "X-Remoteapp-Session"])
def test_a_share_opens_its_own_session_alone(
    resting: Stack, through: Forwarding, desktop: Application, header: str
) -> None:
    shared(resting, through, desktop.target, access="control")
    resting.plane.allow(BOB, NOTEBOOK, desktop.target)
    forged = [(header, SHARE if header == "X-Remoteapp-Share" else DESKTOP)]
    answer = resting.client.ask(path_of(NOTEBOOK), [*signed_in(BOB), *forged])
    assert answer.status == 503


def test_a_revocation_holds_although_nginx_still_allows(
    resting: Stack, through: Forwarding, browser: Browser
) -> None:
    with websocket_echo("127.213.0.8") as server:
        shared(resting, through, server.target, access="control")
        alices = echo(server, resting, browser, ALICE)
        bobs = echo(server, resting, browser, BOB)
        assert browser.echo(bobs)
        asked = len(resting.plane.questions())
        through.client.drop(SHARE)
        with pytest.raises(ConnectionClosed):
            browser.echo(bobs)
        with pytest.raises(InvalidStatus) as refused:
            echo(server, resting, browser, BOB)
        assert refused.value.response.status_code == 503
        assert len(resting.plane.questions()) == asked  # by what nginx keeps, bob is in
        assert browser.echo(alices)


def test_viewers_stay_while_the_control_plane_is_away(
    resting: Stack, through: Forwarding, browser: Browser
) -> None:
    with websocket_echo("127.213.0.8") as server:
        shared(resting, through, server.target, access="control")
        bobs = echo(server, resting, browser, BOB)
        resting.plane.die()
        through.client.close()
        assert browser.echo(bobs)
        assert browser.echo(echo(server, resting, browser, BOB))
        resting.plane.start()


def test_a_forwarder_that_restarts_refuses_nobody_who_waits(
    resting: Stack, through: Forwarding, desktop: Application
) -> None:
    shared(resting, through, desktop.target, access="control")
    through.restart()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(resting.client.ask, path_of(DESKTOP), signed_in(BOB))
        until(lambda: bool(resting.plane.questions()))
        through.client.check()
        assert waiting.result().status == 200
