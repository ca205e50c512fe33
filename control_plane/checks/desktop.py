"""What a desktop does on its WebSocket: greet, follow a size, take a text."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from control_plane.adapters import rfb
from control_plane.adapters.application_client import ApplicationClient
from control_plane.checks.booting import Booted, Realm, Subject, booted, wait
from control_plane.checks.report import beside_the_point, broken, passed, unreached
from control_plane.domain import labels
from control_plane.domain.image_checks import Point
from control_plane.errors import ControlPlaneError

_T = TypeVar("_T")
NAMES = ("websocket", "resize", "clipboard")
ENDPOINT = "websockify"
_OTHER_SIZE = (1000, 700)
_CHOSEN = "1016x648"
_ELSEWHERE = f"/{ENDPOINT}"


def points(where: Realm, subject: Subject, one: Booted) -> Iterator[Point]:
    """Judge a desktop; what is none need not do any of it."""
    if not subject.is_desktop:
        yield from (beside_the_point(name, "Only a vncapp has to.") for name in NAMES)
        return
    socket = _websocket(one.client)
    yield socket
    if socket.result == "fail":
        yield from (unreached(name, "There is no sound desktop.") for name in NAMES[1:])
        return
    yield _resize(where, subject, one)
    yield _clipboard(one.client)


def _websocket(client: ApplicationClient) -> Point:
    path = f"{client.base}/{ENDPOINT}"
    todo = f"Serve RFB as WebSocket (subprotocol binary) at {ENDPOINT} below the session path."
    try:
        with client.websocket(path) as socket:
            desktop = rfb.opened(socket)
    except ControlPlaneError as error:
        return broken("websocket", f"{ENDPOINT} is no desktop: {error.message}", todo)
    if not client.strips and _greets(client, _ELSEWHERE):
        seen = f"{_ELSEWHERE}, outside of the session path, is the desktop too."
        return broken("websocket", seen, f"Serve {ENDPOINT} below the session path alone.")
    return passed("websocket", f"{desktop.greeting} at {ENDPOINT}, {desktop.size}, no password.")


def _greets(client: ApplicationClient, path: str) -> bool:
    try:
        with client.websocket(path) as socket:
            return bool(rfb.greeted(socket))
    except ControlPlaneError:
        return False


def _resize(where: Realm, subject: Subject, one: Booted) -> Point:
    try:
        followed = _on(one.client, lambda desktop: desktop.resize(*_OTHER_SIZE))
        live = {
            True: "It follows the browser's window",
            False: "It refuses the size of the browser's window",
            None: "It knows no other size while it runs",
        }[followed]
        if "resolution" not in labels.declared_options(subject.image):
            return _undeclared(live, followed=bool(followed))
        chosen = _size_of_a_start(where, subject)
    except ControlPlaneError as error:
        todo = "Let a client ask for another size, or ignore that it does."
        return broken("resize", error.message, todo)
    if chosen != _CHOSEN:
        seen = f"{live}; asked to start with {_CHOSEN} it has {chosen}."
        return broken("resize", seen, "Begin with the size in X11_WIDTH and X11_HEIGHT.")
    return passed("resize", f"{live}; asked to start with {_CHOSEN} it does.")


def _undeclared(live: str, *, followed: bool) -> Point:
    seen = f"{live}, and declares no option resolution."
    return passed("resize", seen) if followed else beside_the_point("resize", seen)


def _size_of_a_start(where: Realm, subject: Subject) -> str:
    """Return the size of a desktop that was started with the option `resolution`."""
    with booted(where, subject, {"resolution": _CHOSEN}) as one:
        if wait(where, one, subject.terms.start_timeout).ready is None:
            return "not become ready"
        return _on(one.client, lambda desktop: desktop.size)


def _clipboard(client: ApplicationClient) -> Point:
    def copied(desktop: rfb.Desktop) -> str:
        desktop.copy("A text of the browser's")
        desktop.update()
        return "every character" if desktop.extended_clipboard else "Latin-1 alone"

    try:
        characters = _on(client, copied)
    except ControlPlaneError as error:
        seen = f"A text copied in the browser breaks it: {error.message}"
        return broken("clipboard", seen, "Take the RFB message ClientCutText.")
    seen = f"It takes a text copied in the browser ({characters})"
    return passed("clipboard", f"{seen}; what is copied in the desktop was not tried.")


def _on(client: ApplicationClient, act: Callable[[rfb.Desktop], _T]) -> _T:
    with client.websocket(f"{client.base}/{ENDPOINT}") as socket:
        return act(rfb.opened(socket))
