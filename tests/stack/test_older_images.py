"""An image made for simphony-remote runs unmodified, through the whole portal."""

import secrets
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect
from portal import RunningPortal
from stack.conftest import Realm, cookie_of, until, websocket
from stack.older import OLDER, application, built, granted
from websockets.sync.client import ClientConnection

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
# CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID and SETUID: the bits of these alone.
SIX = "00000000000000eb"
NONE = "0" * 16
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def older(whole_portal: RunningPortal) -> Iterator[str]:
    """The older desktop, which alice may start."""
    built(OLDER)
    allowed = ("--allow-home", "--allow-startup-data")
    with (
        application(whole_portal, OLDER),
        granted(whole_portal, OLDER, "alice", *allowed),
    ):
        yield OLDER


@pytest.fixture
def session(portal: RunningPortal, realm: Realm, older: str) -> dict[str, Any]:
    del realm  # it stops what runs
    return portal.start("alice", older)


def inside(realm: Realm, session_id: str, *words: str) -> str:
    """Run a program in a session's container as its root; return what it prints."""
    status, output = realm.containers()[session_id].exec_run(list(words))
    assert status == 0, output
    return str(output.decode())


def screen(socket: ClientConnection) -> tuple[int, int, int]:
    """Shake hands as a VNC client; return the width, height and depth that the server tells."""
    stream = _Stream(socket)
    assert stream.read(12) == b"RFB 003.008\n"
    socket.send(b"RFB 003.008\n")
    assert stream.read(2) == b"\x01\x01"  # one way in, and it asks for no password
    socket.send(b"\x01")
    assert stream.read(4) == bytes(4)
    socket.send(b"\x01")
    width, height, _, depth = struct.unpack(">HHBB", stream.read(24)[:6])
    return width, height, depth


class _Stream:
    """What comes over a WebSocket, whatever its frames are."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._kept = b""

    def read(self, size: int) -> bytes:
        """Return exactly that many bytes."""
        while len(self._kept) < size:
            frame = self._socket.recv(20)
            assert isinstance(frame, bytes)
            self._kept += frame
        found, self._kept = self._kept[:size], self._kept[size:]
        return found


def test_it_starts_as_root_with_six_capabilities_and_no_way_to_more(
    realm: Realm, session: dict[str, Any]
) -> None:
    facts = inside(realm, session["id"], "grep", "-E", "^(Uid|Cap|NoNew)", "/proc/1/status")
    assert dict(line.split(":\t", 1) for line in facts.splitlines()) == {
        "Uid": "0\t0\t0\t0",
        "CapInh": NONE,
        "CapPrm": SIX,
        "CapEff": SIX,
        "CapBnd": SIX,
        "CapAmb": NONE,
        "NoNewPrivs": "1",
    }


def test_its_home_is_a_volume_apart_from_the_users_own(
    portal: RunningPortal, realm: Realm, session: dict[str, Any]
) -> None:
    uid = inside(realm, session["id"], "printenv", "USER_UID").strip()
    mounts = realm.containers()[session["id"]].attrs["Mounts"]
    assert [(one["Type"], one["Name"], one["Destination"], one["RW"]) for one in mounts] == [
        ("volume", f"remoteapp-{portal.realm}-apart-{uid}", "/workspace", True)
    ]


def test_a_desktop_is_typed_in_through_the_portals_page(
    realm: Realm, older: str, open_page: Open
) -> None:
    del older
    page = open_page("alice")
    session_id, frame = opened(page, "Older desktop")
    await_shell(realm, session_id, frame)
    frame.locator("canvas").click()
    page.keyboard.type("echo proof > /workspace/proof.txt\n", delay=50)
    page.wait_for_timeout(500)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "older-desktop.png")
    until(lambda: proof(realm, session_id) == "alice proof")


def test_what_was_chosen_at_the_start_is_kept(
    portal: RunningPortal, realm: Realm, older: str
) -> None:
    options = {"resolution": "1280x800", "startup_file": "/etc/login.defs"}
    session = portal.start("alice", older, **options)
    cookie = cookie_of(portal.client("alice"))
    with websocket(portal, session["url"] + "websockify", Cookie=cookie) as socket:
        assert screen(socket) == (1280, 800, 24)
    words = ("sh", "-c", "pgrep -a more || true")
    until(lambda: "more /etc/login.defs" in inside(realm, session["id"], *words))


def test_the_address_without_its_slash_leads_to_the_desktop_and_not_to_the_splash_page(
    portal: RunningPortal, session: dict[str, Any]
) -> None:
    alice = portal.client("alice")
    answer = alice.get(session["url"].removesuffix("/"))
    assert (answer.status_code, str(answer.next_request and answer.next_request.url)) == (
        308,
        session["url"],
    )
    assert "<title>Older desktop</title>" in alice.get(session["url"]).text


def test_a_stop_is_clean_and_takes_less_than_ten_seconds(
    portal: RunningPortal, realm: Realm, session: dict[str, Any]
) -> None:
    container = realm.containers()[session["id"]].id
    since = datetime.now().astimezone()
    begun = time.monotonic()
    portal.stop("alice", session["id"])
    assert time.monotonic() - begun < 10
    assert session["id"] not in realm.containers()
    told = realm.api.events(
        since=since, filters={"container": container, "event": "die"}, decode=True
    )
    assert next(told)["Actor"]["Attributes"]["exitCode"] == "0"
    told.close()


def test_a_name_that_useradd_refuses_is_somebody_called_user_inside(
    portal: RunningPortal, realm: Realm, older: str
) -> None:
    with virtual_user(portal, "alice@lab") as name, granted(portal, older, name, "--allow-home"):
        is_user_inside(portal, realm, name)


def test_a_system_users_name_that_begins_with_a_digit_is_user_inside(
    portal: RunningPortal, realm: Realm, older: str
) -> None:
    with odd_account(portal) as name, granted(portal, older, name, "--allow-home"):
        is_user_inside(portal, realm, name)


def is_user_inside(portal: RunningPortal, realm: Realm, name: str) -> None:
    """Start the desktop for somebody, see who owns it and that its page is served; stop it."""
    session = portal.start(name, OLDER)
    try:
        page = portal.client(name).get(session["url"])
        assert "<title>Older desktop</title>" in page.text
        owner = ("sh", "-c", "ps -o user= -C xterm || true")
        until(lambda: inside(realm, session["id"], *owner).split() == ["user"])
    finally:
        portal.stop(name, session["id"])


@contextmanager
def virtual_user(portal: RunningPortal, name: str) -> Iterator[str]:
    """Have a user of the portal's own; their homes go with them."""
    portal.remoteappdb("user", "create", name)
    portal.remoteappdb("user", "password", name, "--stdin", line=portal.password(name))
    try:
        yield name
    finally:
        portal.remoteappdb("user", "remove", name)


@contextmanager
def odd_account(portal: RunningPortal) -> Iterator[str]:
    """Have an account of this machine that Debian would not have made by itself."""
    name = f"1st{secrets.token_hex(3)}"
    subprocess.run(["useradd", "--badname", "--create-home", name], check=True)
    try:
        line = f"{name}:{portal.password(name)}"
        subprocess.run(["chpasswd"], input=line, text=True, check=True)
        portal.remoteappdb("user", "create", name, "--kind", "system")
        yield name
        portal.remoteappdb("user", "remove", name)
    finally:
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def opened(page: Page, title: str) -> tuple[str, FrameLocator]:
    """Press Start on a card, wait until it is ready; return the session's id and its frame."""
    card = page.locator(f".application[data-name='{title}']")
    card.get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    expect(page.locator("body")).to_have_attribute("data-state", "ready", timeout=60_000)
    return page.url.rsplit("/", 1)[1], page.frame_locator("#application")


def await_shell(realm: Realm, session_id: str, frame: FrameLocator) -> None:
    """Wait until the page is connected and the terminal has the focus."""
    expect(frame.locator("body")).to_have_attribute("data-state", "connected", timeout=30_000)
    words = ("sh", "-c", "pgrep -x bash && xprop -display :1 -root _NET_ACTIVE_WINDOW || true")
    until(lambda: "0x" in inside(realm, session_id, *words).replace("0x0", ""))


def proof(realm: Realm, session_id: str) -> str:
    """Return whose the file is and what stands in it, once it is there."""
    words = ("sh", "-c", "cd /workspace && stat -c %U proof.txt && cat proof.txt || true")
    return " ".join(inside(realm, session_id, *words).split())
