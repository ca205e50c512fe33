"""What a viewer may say to a desktop: the client's side of RFB 3.7 and 3.8 (RFC 6143, rfbproto).

Invariant: whatever the client sends, in whatever pieces, what comes out is the handshake of a
client that shares the desktop, then whole messages that change nothing. Both sides agree where each
of those ends, so nothing inside one is ever read as another.
"""

from collections.abc import Generator

VERSIONS = (b"RFB 003.007\n", b"RFB 003.008\n")
GREETING_BYTES = 12
_NO_PASSWORD, _PASSWORD = 1, 2  # security types
_RESPONSE_BYTES = 16
_SHARED = b"\x01"

_SET_ENCODINGS, _POINTER, _CUT_TEXT = 2, 5, 6
_FENCE, _DESKTOP_SIZE, _QEMU = 248, 251, 255
# Of messages that change nothing, and of one length: the format of pixels, what is to be updated,
# and that it is to be updated without being asked for.
_PASSED = {0: 20, 3: 10, 150: 10}
# Keys, and shutting a machine down (xvp).
_DROPPED = {4: 8, 250: 4}
_POINTER_BYTES, _LONG_POINTER_BYTES = 6, 7
_LONG_POINTER, _MARK = -316, 0x80  # an encoding that a client asks for; a bit of its buttons
# A key with its code, and how sound is to come.
_QEMU_KEY, _QEMU_SOUND, _SOUND_FORMAT = 0, 1, 2

_MOST_ENCODINGS = 1024
_MOST_FENCE = 64
_LONGEST_TEXT = 16 * 1024**2
_PIECE = 4096

# Yields how many bytes it wants next, and is sent exactly those.
_Steps = Generator[int, bytes, None]


class RefusedError(Exception):
    """The client says what no viewer may, or nobody understands: the connection ends."""


class ViewFilter:
    """The filter of one connection."""

    def __init__(self) -> None:
        """Expect the handshake."""
        self.refused = ""
        self._unread = bytearray()
        self._passed = bytearray()
        self._takes_long_pointers = False
        self._steps = self._conversation()
        self._wanted = next(self._steps)

    def passed(self, data: bytes) -> bytes:
        """Return what goes on to the desktop; once `refused` says why, nothing more does."""
        if self.refused:
            return b""
        self._unread += data
        try:
            while len(self._unread) >= self._wanted:
                self._step()
        except RefusedError as error:
            self.refused = str(error)
            self._unread.clear()
        found = bytes(self._passed)
        self._passed.clear()
        return found

    def _step(self) -> None:
        taken = bytes(self._unread[: self._wanted])
        del self._unread[: self._wanted]
        self._wanted = self._steps.send(taken)

    def _conversation(self) -> _Steps:
        yield from self._handshake()
        while True:
            yield from self._message()

    def _handshake(self) -> _Steps:
        version = yield GREETING_BYTES
        if version not in VERSIONS:
            raise RefusedError(f"the client wants {version!r}, not RFB 3.7 or 3.8")
        self._passed += version
        security = yield 1
        if security[0] not in (_NO_PASSWORD, _PASSWORD):
            raise RefusedError(f"security type {security[0]}")
        self._passed += security
        if security[0] == _PASSWORD:
            self._passed += yield _RESPONSE_BYTES
        yield 1  # without the shared-flag a desktop would disconnect its owner
        self._passed += _SHARED

    def _message(self) -> _Steps:
        (kind,) = head = yield 1
        if length := _PASSED.get(kind):
            rest = yield length - 1
            self._passed += head + rest
        elif length := _DROPPED.get(kind):
            yield length - 1
        elif longer := _LONGER.get(kind):
            yield from longer(self)
        else:
            raise RefusedError(f"a message of kind {kind}")

    def _set_encodings(self) -> _Steps:
        head = yield 3
        count = int.from_bytes(head[1:], "big")
        if count > _MOST_ENCODINGS:
            raise RefusedError(f"{count} encodings")
        wanted = b""
        if count:
            wanted = yield 4 * count
        long_pointer = _LONG_POINTER.to_bytes(4, "big", signed=True)
        self._takes_long_pointers = long_pointer in (
            wanted[at : at + 4] for at in range(0, len(wanted), 4)
        )
        self._passed += bytes([_SET_ENCODINGS]) + head + wanted

    def _pointer(self) -> _Steps:
        (buttons,) = yield 1
        is_long = self._takes_long_pointers and buttons & _MARK
        yield (_LONG_POINTER_BYTES if is_long else _POINTER_BYTES) - 2

    def _cut_text(self) -> _Steps:
        head = yield 7
        # Below zero it is the extended clipboard, and as long all the same.
        length = abs(int.from_bytes(head[3:], "big", signed=True))
        if length > _LONGEST_TEXT:
            raise RefusedError(f"a text of {length} bytes")
        yield from _skipped(length)

    def _fence(self) -> _Steps:
        head = yield 8
        length = head[7]
        if length > _MOST_FENCE:
            raise RefusedError(f"a fence of {length} bytes")
        payload = b""
        if length:
            payload = yield length
        self._passed += bytes([_FENCE]) + head + payload

    def _desktop_size(self) -> _Steps:
        head = yield 7
        yield from _skipped(16 * head[5])

    def _qemu(self) -> _Steps:
        (kind,) = yield 1
        if kind == _QEMU_KEY:
            yield 10
        elif kind == _QEMU_SOUND:
            operation = yield 2
            if int.from_bytes(operation, "big") == _SOUND_FORMAT:
                yield 6
        else:
            raise RefusedError(f"a message of QEMU's kind {kind}")


# By kind, those whose length stands in them.
_LONGER = {
    _SET_ENCODINGS: ViewFilter._set_encodings,  # noqa: SLF001  its own
    _POINTER: ViewFilter._pointer,  # noqa: SLF001  its own
    _CUT_TEXT: ViewFilter._cut_text,  # noqa: SLF001  its own
    _FENCE: ViewFilter._fence,  # noqa: SLF001  its own
    _DESKTOP_SIZE: ViewFilter._desktop_size,  # noqa: SLF001  its own
    _QEMU: ViewFilter._qemu,  # noqa: SLF001  its own
}


def speaks_newer(greeting: bytes) -> bool:
    """Whether a desktop's greeting is that of RFB 3.7 or newer.

    An older one chooses the security type itself, reads the answer as the shared-flag, and each
    message after it one byte off.
    """
    numbers = greeting[4:7], greeting[8:11]
    is_greeting = greeting[:4] == b"RFB " and greeting[7:8] == b"." and greeting[11:] == b"\n"
    if not is_greeting or not all(one.isdigit() for one in numbers):
        return False
    major, minor = map(int, numbers)
    return (major, minor) >= (3, 7)


def _skipped(length: int) -> _Steps:
    while length:
        length -= len((yield min(length, _PIECE)))
