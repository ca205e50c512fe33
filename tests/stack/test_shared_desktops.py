"""A desktop that is shared, through nginx and the forwarder: ours, and one of the old kind."""

import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from forwarder.test_rfb import DROPPED, REFUSED, VERSION
from portal import TERMINAL, RunningPortal
from stack.conftest import cookie_of, until
from stack.desktops import Inside, Viewer, bridge, vncdo
from stack.older import OLDER, application, built, granted
from websockets.exceptions import ConnectionClosed, InvalidStatus

from control_plane.adapters import rfb

OURS = "remoteapp-test/shared:latest"
SCREENS = {OURS: ":0", OLDER: ":1"}
ACCESSES = {"bob": "view", "charlie": "control"}
UPDATE = struct.pack(">BBHHHH", 3, 0, 0, 0, 1, 1)
# What is the same for every image, is shown with one.
only_ours = pytest.mark.parametrize("desktop", [OURS], indirect=True, ids=["ours"])


@dataclass(frozen=True)
class Shared:
    """Alice's desktop: bob may look at it, charlie may act in it."""

    live: RunningPortal
    session: dict[str, Any]
    inside: Inside
    cookies: dict[str, str] = field(default_factory=dict)

    def cookie(self, name: str) -> str:
        if name not in self.cookies:
            self.cookies[name] = cookie_of(self.live.client(name))
        return self.cookies[name]

    def open(self, name: str) -> Viewer:
        return Viewer(self.session["url"], self.live.trust, self.cookie(name))

    def acts(self, name: str, *words: str) -> int:
        """Let another VNC client act as somebody; return how it ends."""
        with bridge(self.session["url"], self.live.trust, self.cookie(name)) as port:
            return vncdo(port, *words).returncode

    @property
    def shares(self) -> dict[str, dict[str, Any]]:
        """The shares as their owner sees them, by whom they let in."""
        items = self.live.api("alice").get(self._path).json()["items"]
        return {one["user"]: one for one in items}

    def share(self, name: str, access: str, seconds: int = 3600) -> None:
        """Share it; nginx keeps a refusal for a second, and the way by another share for two."""
        body = {"user": name, "access": access, "expires_in": seconds}
        answer = self.live.api("alice").post(self._path, json=body)
        assert answer.status_code == 201, answer.text
        until(lambda: self.status(name) == 200)

    def revoke(self, name: str) -> None:
        answer = self.live.api("alice").delete(f"{self._path}/{self.shares[name]['id']}")
        assert answer.status_code == 204

    def status(self, name: str) -> int:
        """Return what somebody gets for the desktop's page."""
        guest = self.live.guest(Cookie=self.cookie(name), Accept="text/html")
        return guest.get(self.session["url"]).status_code

    @property
    def _path(self) -> str:
        return f"/api/v1/sessions/{self.session['id']}/shares"


@pytest.fixture(scope="module", params=[OURS, OLDER], ids=["ours", "older"])
def desktop(request: pytest.FixtureRequest, whole_portal: RunningPortal) -> Iterator[Shared]:
    live, image = whole_portal, request.param
    with closing(docker.from_env()) as api, tried(live, api, image):
        session = live.start("alice", image)
        try:
            container = api.containers.get(f"remoteapp-{live.realm}-{session['id']}")
            inside = Inside(container, SCREENS[image])
            until(lambda: awaits_input(inside))
            yield Shared(live, session, inside)
        finally:
            live.stop("alice", session["id"])


@contextmanager
def tried(live: RunningPortal, api: docker.DockerClient, image: str) -> Iterator[None]:
    """Let alice start it and share it."""
    with ExitStack() as undo:
        if image == OURS:
            api.images.get(TERMINAL).tag(*OURS.split(":"))
            undo.callback(api.images.remove, OURS)
        else:
            built(image)
        undo.enter_context(application(live, image, "--env", "OLDER_DELAY=0"))
        undo.enter_context(granted(live, image, "alice", "--share", "control"))
        yield


def awaits_input(inside: Inside) -> bool:
    """Whether the desktop's terminal has the focus."""
    words = "pgrep -x bash && xprop -root _NET_ACTIVE_WINDOW || true"
    return "0x" in inside.run("sh", "-c", words).replace("0x0", "")


@pytest.fixture
def shared(desktop: Shared) -> Shared:
    """The desktop with both shares, whatever became of them before."""
    desktop.live.mend()
    there = desktop.shares
    for name, access in ACCESSES.items():
        if name not in there:
            desktop.share(name, access)
    return desktop


@contextmanager
def watched_over(shared: Shared) -> Iterator[None]:
    """Have the owner connected all the time; see that nothing changes, for her or inside."""
    with shared.open("alice") as socket:
        alices = rfb.opened(socket)
        alices.update()
        before, size = shared.inside.looks(), alices.size
        yield
        alices.update()
        assert (shared.inside.looks(), alices.size) == (before, size)


def test_somebody_elses_vnc_client_sees_the_desktop_and_changes_nothing(
    shared: Shared, tmp_path: Path
) -> None:
    (tmp_path / "copied").write_text("not hers")
    picture = tmp_path / "seen.png"
    with watched_over(shared):
        acting = ("move", "50", "60", "click", "1", "type", "touch /tmp/typed", "key", "enter")
        copying = ("pastefile", str(tmp_path / "copied"), "pause", "1", "capture", str(picture))
        assert shared.acts("bob", *acting, *copying) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not shared.inside.has("/tmp/typed")


def test_a_client_of_exact_words_changes_nothing_and_does_not_put_the_owner_out(
    shared: Shared,
) -> None:
    with watched_over(shared), shared.open("bob") as socket:
        bobs = hands_shaken(socket, shared=b"\x00")
        for message in DROPPED.values():
            bobs.write(message)
            bobs.write(UPDATE)
        assert bobs.read(1) == b"\x00"  # it is answered still
        time.sleep(0.5)


def test_what_no_viewer_says_ends_the_viewer_alone(shared: Shared) -> None:
    with watched_over(shared):
        for message in REFUSED.values():
            with shared.open("bob") as socket:
                hands_shaken(socket).write(message)
                with pytest.raises(ConnectionClosed):
                    drained(socket)


def drained(socket: Viewer) -> None:
    while True:
        socket.recv(10)


def hands_shaken(socket: Viewer, shared: bytes = b"\x01") -> rfb.Stream:
    """Shake hands without a password, with this shared-flag."""
    stream = rfb.Stream(socket)
    assert stream.read(12).startswith(b"RFB 003.")
    stream.write(VERSION)
    offered = stream.read(stream.read(1)[0])
    assert b"\x01" in offered
    stream.write(b"\x01")
    assert stream.read(4) == bytes(4)
    stream.write(shared)
    stream.read(20)
    stream.read(int.from_bytes(stream.read(4), "big"))
    return stream


def test_who_controls_types(shared: Shared) -> None:
    shared.inside.run("rm", "-f", "/tmp/typed")
    acting = ("--force-caps", "--delay", "50", "type", "touch /tmp/typed", "key", "enter")
    assert shared.acts("charlie", *acting, "pause", "0.5") == 0
    until(lambda: shared.inside.has("/tmp/typed"))
    shared.inside.run("rm", "-f", "/tmp/typed")


@only_ours
def test_a_revocation_cuts_at_once_and_nobody_comes_back(shared: Shared) -> None:
    with shared.open("alice") as alice, shared.open("bob") as bob:
        alices = rfb.opened(alice)
        rfb.opened(bob).update()
        begun = time.monotonic()
        shared.revoke("bob")
        with pytest.raises(ConnectionClosed):
            drained(bob)
        assert time.monotonic() - begun < 1
        with pytest.raises(InvalidStatus) as refused:
            shared.open("bob")
        assert refused.value.response.status_code == 404
        assert shared.status("bob") == 404
        alices.update()


@only_ours
def test_the_end_of_a_share_holds_although_the_control_plane_is_away(shared: Shared) -> None:
    shared.revoke("bob")
    ends = time.monotonic() + 5
    shared.share("bob", "view", seconds=5)
    with shared.open("bob") as bob:
        rfb.opened(bob).update()
        shared.live.portal.kill_control_plane()
        with pytest.raises(ConnectionClosed):
            drained(bob)
        assert ends <= time.monotonic() < ends + 1
    assert shared.status("bob") == 503


@only_ours
def test_a_restart_of_the_control_plane_drops_no_viewer(shared: Shared) -> None:
    with shared.open("bob") as bob:
        bobs = rfb.opened(bob)
        bobs.update()
        shared.live.portal.kill_control_plane()
        bobs.update()
        shared.live.mend()
        until(lambda: watching(shared) == ["bob"])
        bobs.update()


@only_ours
def test_a_restart_of_the_forwarder_lets_viewers_back(shared: Shared) -> None:
    with shared.open("alice") as alice:
        alices = rfb.opened(alice)
        with shared.open("bob") as bob:
            rfb.opened(bob).update()
            shared.live.portal.kill_forwarder()
            with pytest.raises(ConnectionClosed):
                drained(bob)
        shared.live.portal.start_forwarder()
        with shared.open("bob") as again:
            rfb.opened(again).update()
        alices.update()


def watching(shared: Shared) -> list[str]:
    """Return who watches, as the owner is told."""
    items = shared.shares.values()
    return [one["name"] for item in items for one in item["watching"] or ()]
