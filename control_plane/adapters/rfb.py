"""A client of a desktop: RFB 3.3 to 3.8 (RFC 6143) on a WebSocket, as much as a check needs.

Invariant: whatever the desktop sends, a call ends within its time and with an error of ours.
"""

import struct
import time
from dataclasses import dataclass
from typing import Protocol

from websockets.exceptions import ConnectionClosed

from control_plane.errors import ControlPlaneError

_SECONDS = 10.0
_NO_PASSWORD = 1  # the security type
_MINORS = (8, 7, 3)
_RAW, _DESKTOP_SIZE, _EXTENDED_SIZE = 0, -223, -308
# A negative length of a cut text means the extended clipboard, whose first word is this one's bits.
_EXTENDED_CLIPBOARD = -1063131698
_CAPABILITIES, _NOTIFY, _TEXT = 1 << 24, 1 << 27, 1
_BY_THIS_CLIENT, _DONE = 1, 0
_LONGEST_TEXT = 1024**2
_LARGEST_PICTURE = 64 * 1024**2  # bytes


class Socket(Protocol):
    """A WebSocket, as far as it is needed here."""

    def send(self, message: bytes, /) -> None:
        """Send one message; ConnectionClosed."""

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> str | bytes:  # noqa: FBT001  websockets' own
        """Return the next message; TimeoutError, ConnectionClosed."""


class Stream:
    """The bytes of a WebSocket's messages, read as one stream; ControlPlaneError when it ends."""

    def __init__(self, socket: Socket, seconds: float = _SECONDS) -> None:
        """Read and write on this WebSocket; what is read comes within `seconds` of `begin`."""
        self._socket, self._seconds = socket, seconds
        self._unread = bytearray()
        self.begin()

    def begin(self) -> None:
        """Allow the whole time anew."""
        self._deadline = time.monotonic() + self._seconds

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes."""
        self._check_time()
        while len(self._unread) < count:
            self._unread += self._message()
        found = bytes(self._unread[:count])
        del self._unread[:count]
        return found

    def numbers(self, form: str) -> tuple[int, ...]:
        """Return big-endian numbers in the form of `struct`."""
        return struct.unpack(f">{form}", self.read(struct.calcsize(f">{form}")))

    def write(self, data: bytes) -> None:
        """Send one message."""
        try:
            self._socket.send(data)
        except ConnectionClosed as error:
            raise ControlPlaneError("The desktop closed the connection.") from error

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise self._late()

    def _late(self) -> ControlPlaneError:
        return ControlPlaneError(f"The desktop did not answer within {self._seconds:.0f} s.")

    def _message(self) -> bytes:
        self._check_time()
        left = max(0.0, self._deadline - time.monotonic())
        try:
            message = self._socket.recv(timeout=left, decode=False)
        except TimeoutError as error:
            raise self._late() from error
        except ConnectionClosed as error:
            raise ControlPlaneError("The desktop closed the connection.") from error
        return message.encode() if isinstance(message, str) else message


@dataclass(slots=True)
class Desktop:
    """A desktop that let us in: its size now, and what it has told since."""

    stream: Stream
    greeting: str
    width: int
    height: int
    pixel_bytes: int
    screens: bytes = b""
    extended_clipboard: bool = False
    answer: int | None = None

    @property
    def size(self) -> str:
        """Return the size as people write it."""
        return f"{self.width}x{self.height}"

    def update(self) -> None:
        """Ask for a corner of the picture and take in all that comes until it is there."""
        self.stream.begin()
        self.stream.write(struct.pack(">BBHHHH", 3, 0, 0, 0, 1, 1))
        while self._message() != 0:
            pass

    def resize(self, width: int, height: int) -> bool | None:
        """Ask for another size; whether it was granted, None when the desktop knows no such."""
        self.update()
        if not self.screens:
            return None
        number, flags = self.screens[:4], self.screens[12:16]
        screen = number + struct.pack(">HHHH", 0, 0, width, height) + flags
        self.answer = None
        self.stream.write(struct.pack(">BBHHBB", 251, 0, width, height, 1, 0) + screen)
        deadline = time.monotonic() + _SECONDS
        while self.answer is None and time.monotonic() < deadline:
            self.update()
        return self.answer == _DONE and (self.width, self.height) == (width, height)

    def copy(self, text: str) -> None:
        """Hand a text over as what this client has copied, in each way that the desktop knows."""
        self.update()
        if self.extended_clipboard:
            self._cut_text(struct.pack(">II", _CAPABILITIES | _NOTIFY | _TEXT, _LONGEST_TEXT))
            self._cut_text(struct.pack(">I", _NOTIFY | _TEXT))
        plain = text.encode("latin-1", "replace")
        self.stream.write(struct.pack(">BxxxI", 6, len(plain)) + plain)
        self.update()

    def _cut_text(self, extended: bytes) -> None:
        self.stream.write(struct.pack(">Bxxxi", 6, -len(extended)) + extended)

    def _message(self) -> int:
        """Take one message in and return its kind."""
        (kind,) = self.stream.numbers("B")
        if kind == 0:
            for _ in range(self.stream.numbers("xH")[0]):
                self._rectangle()
        elif kind == 1:
            self.stream.read(6 * self.stream.numbers("xHH")[1])
        elif kind == 3:  # noqa: PLR2004 - RFC 6143
            self._cut_text_of_the_desktop()
        elif kind != 2:  # noqa: PLR2004 - a bell says nothing more
            raise ControlPlaneError(f"The desktop sent a message of the unknown kind {kind}.")
        return kind

    def _rectangle(self) -> None:
        cause, status, width, height, encoding = self.stream.numbers("HHHHi")
        if encoding == _RAW:
            self._picture(width, height)
        elif encoding in (_DESKTOP_SIZE, _EXTENDED_SIZE):
            if encoding == _EXTENDED_SIZE:
                self.screens = self.stream.read(16 * self.stream.numbers("Bxxx")[0])
            if cause == _BY_THIS_CLIENT:
                self.answer = status
            if status == _DONE:
                self.width, self.height = width, height
        else:
            raise ControlPlaneError(f"The desktop sent the encoding {encoding}, unasked.")

    def _picture(self, width: int, height: int) -> None:
        size = width * height * self.pixel_bytes
        if width > self.width or height > self.height or size > _LARGEST_PICTURE:
            raise ControlPlaneError(f"The desktop of {self.size} sent a {width}x{height} picture.")
        self.stream.read(size)

    def _cut_text_of_the_desktop(self) -> None:
        (length,) = self.stream.numbers("xxxi")
        content = self.stream.read(min(abs(length), _LONGEST_TEXT))
        if length < 0 and int.from_bytes(content[:4], "big") & _CAPABILITIES:
            self.extended_clipboard = True


def greeted(socket: Socket) -> str:
    """Return the version by which the server greets: `RFB 003.008`; ControlPlaneError."""
    return _greeting(Stream(socket))


def opened(socket: Socket, seconds: float = _SECONDS) -> Desktop:
    """Shake hands as a client that shares the desktop; ControlPlaneError says what went wrong.

    The handshake and each later update take no longer than `seconds`.
    """
    stream = Stream(socket, seconds)
    greeting = _greeting(stream)
    minor = next((one for one in _MINORS if one <= int(greeting[8:11])), _MINORS[-1])
    stream.write(b"RFB 003.%03d\n" % minor)
    _let_in(stream, minor)
    stream.write(b"\x01")
    width, height, bits = stream.numbers("HHB15x")
    stream.read(stream.numbers("I")[0] & 0xFFFF)
    desktop = Desktop(stream, greeting, width, height, bits // 8)
    wanted = (_RAW, _DESKTOP_SIZE, _EXTENDED_SIZE, _EXTENDED_CLIPBOARD)
    stream.write(struct.pack(f">BxH{len(wanted)}i", 2, len(wanted), *wanted))
    return desktop


def _greeting(stream: Stream) -> str:
    found = stream.read(12)
    if not (found.startswith(b"RFB 003.") and found[8:11].isdigit() and found.endswith(b"\n")):
        raise ControlPlaneError(f"It greets with {found!r}, not as RFB 3.")
    return found.decode().strip()


def _let_in(stream: Stream, minor: int) -> None:
    """Choose no password, the only security type that the portal's page knows."""
    offered = _offered(stream, minor)
    if _NO_PASSWORD not in offered:
        kinds = ", ".join(map(str, offered))
        raise ControlPlaneError(f"It asks for a password (security types {kinds}).")
    if minor > 3:  # noqa: PLR2004 - RFC 6143
        stream.write(bytes([_NO_PASSWORD]))
    if minor == 8 and stream.numbers("I")[0]:  # noqa: PLR2004 - RFC 6143
        raise _refused(stream)


def _offered(stream: Stream, minor: int) -> tuple[int, ...]:
    one = minor == 3  # noqa: PLR2004 - the server chooses
    offered = stream.numbers("I") if one else tuple(stream.read(stream.numbers("B")[0]))
    if offered in ((), (0,)):
        raise _refused(stream)
    return offered


def _refused(stream: Stream) -> ControlPlaneError:
    reason = stream.read(stream.numbers("I")[0] & 0xFFF).decode(errors="replace")
    return ControlPlaneError(f"The desktop refuses: {reason}")
