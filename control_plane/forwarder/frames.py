"""A viewer's WebSocket: frames are taken apart, filtered, and put together anew (RFC 6455).

Invariant: a frame that goes on to the desktop was made here, of bytes that the filter let by; none
is longer than `LONGEST`, and nothing is kept but one frame that is not whole yet.
"""

from collections.abc import Generator

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from control_plane.forwarder.rfb import GREETING_BYTES, RefusedError, ViewFilter, speaks_newer

LONGEST = 1024**2  # bytes of one frame
_CONTROL = (Opcode.PING, Opcode.PONG)


class _Frames:
    """Takes frames out of a stream of bytes, and minds the order of fragments."""

    def __init__(self, *, masked: bool) -> None:
        self._reader = StreamReader()
        self._masked = masked
        self._frames = self._parsed()
        self._is_inside = False

    def taken(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole now; RefusedError."""
        self._reader.feed_data(data)
        found = []
        try:
            while frame := next(self._frames):
                self._check(frame)
                found.append(frame)
        except (ProtocolError, PayloadTooBig) as error:
            raise RefusedError(f"a frame is wrong: {error}") from error
        return found

    def _parsed(self) -> Generator[Frame | None, None, None]:
        while True:
            yield (
                yield from Frame.parse(self._reader.read_exact, mask=self._masked, max_size=LONGEST)
            )

    def _check(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT:
            raise RefusedError("a text, where a desktop speaks in bytes")
        if frame.opcode in (Opcode.BINARY, Opcode.CONT):
            if (frame.opcode is Opcode.CONT) != self._is_inside:
                raise RefusedError("a fragment out of its order")
            self._is_inside = not frame.fin


class Greeting:
    """What the desktop says first; all that follows is not looked at."""

    def __init__(self) -> None:
        """Expect it."""
        self.is_known = False
        self._frames = _Frames(masked=False)
        self._said = b""

    def heard(self, data: bytes) -> bytes:
        """Return the desktop's bytes as they are; RefusedError for one that is too old."""
        if not self.is_known:
            for frame in self._frames.taken(data):
                if frame.opcode in (Opcode.BINARY, Opcode.CONT):
                    self._said += frame.data
                if len(self._said) >= GREETING_BYTES:
                    self._judge()
                    break
        return data

    def _judge(self) -> None:
        greeting = self._said[:GREETING_BYTES]
        if not speaks_newer(greeting):
            raise RefusedError(f"the desktop greets with {greeting!r}, not as RFB 3.7 or newer")
        self.is_known = True


class Viewer:
    """What a viewer sends, on its way to a desktop that has greeted."""

    def __init__(self, greeting: Greeting) -> None:
        """Let by what may follow this greeting."""
        self._greeting = greeting
        self._frames = _Frames(masked=True)
        self._filter = ViewFilter()
        self._is_closed = False

    def passed(self, data: bytes) -> bytes:
        """Return the frames that go on; RefusedError once something may not, or is not one."""
        return b"".join(self._onward(frame) for frame in self._frames.taken(data))

    def _onward(self, frame: Frame) -> bytes:
        if self._is_closed:
            return b""
        if frame.opcode in _CONTROL:
            return frame.serialize(mask=True)
        if frame.opcode is Opcode.CLOSE:
            self._is_closed = True
            return frame.serialize(mask=True)
        return self._filtered(bytes(frame.data))

    def _filtered(self, data: bytes) -> bytes:
        if not self._greeting.is_known:
            raise RefusedError("the client speaks before the desktop")
        found = self._filter.passed(data)
        if self._filter.refused:
            raise RefusedError(self._filter.refused)
        return Frame(Opcode.BINARY, found).serialize(mask=True) if found else b""
