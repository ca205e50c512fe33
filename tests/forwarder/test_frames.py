"""A viewer's frames: what goes on was made anew, and what is no frame ends the connection."""

import struct

import pytest
from forwarder.test_rfb import HANDSHAKE, KEY, UPDATE, cut, desktop_reads
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from control_plane.forwarder.frames import LONGEST, Greeting, Viewer
from control_plane.forwarder.rfb import RefusedError

GREETING = b"RFB 003.008\n"


def from_client(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def from_desktop(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def binary(data: bytes) -> bytes:
    return from_client(Opcode.BINARY, data)


def read(stream: bytes) -> list[tuple[Opcode, bytes]]:
    """What a server reads of masked frames: each whole, none in pieces."""
    reader, found = StreamReader(), []
    reader.feed_data(stream)
    while reader.buffer:
        parsing = Frame.parse(reader.read_exact, mask=True)
        with pytest.raises(StopIteration) as ended:
            next(parsing)
        frame = ended.value.value
        assert frame.fin
        found.append((frame.opcode, bytes(frame.data)))
    return found


@pytest.fixture
def viewer() -> Viewer:
    return greeted()


def greeted() -> Viewer:
    greeting = Greeting()
    greeting.heard(from_desktop(Opcode.BINARY, GREETING))
    return Viewer(greeting)


def test_bytes_are_filtered_and_framed_anew(viewer: Viewer) -> None:
    passed = viewer.passed(binary(HANDSHAKE) + binary(KEY + UPDATE) + binary(KEY))
    assert read(passed) == [(Opcode.BINARY, HANDSHAKE), (Opcode.BINARY, UPDATE)]


def test_fragments_are_one_stream_with_a_ping_between_them(viewer: Viewer) -> None:
    pieces = [
        from_client(Opcode.BINARY, HANDSHAKE + UPDATE[:3], fin=False),
        from_client(Opcode.PING, b"still there?"),
        from_client(Opcode.CONT, UPDATE[3:] + KEY[:2], fin=False),
        from_client(Opcode.CONT, KEY[2:] + UPDATE),
    ]
    assert read(b"".join(map(viewer.passed, pieces))) == [
        (Opcode.BINARY, HANDSHAKE),
        (Opcode.PING, b"still there?"),
        (Opcode.BINARY, UPDATE),
        (Opcode.BINARY, UPDATE),
    ]


def test_a_pong_and_a_close_go_on_and_nothing_after_the_close(viewer: Viewer) -> None:
    said = struct.pack(">H", 1000) + b"bye"
    stream = from_client(Opcode.PONG, b"yes") + from_client(Opcode.CLOSE, said)
    passed = viewer.passed(stream + binary(HANDSHAKE))
    assert read(passed) == [(Opcode.PONG, b"yes"), (Opcode.CLOSE, said)]


@pytest.mark.parametrize(
    "frame",
    [
        from_client(Opcode.TEXT, b"UkZCIDAwMy4wMDgK"),
        from_client(Opcode.CONT, HANDSHAKE),
        from_client(Opcode.BINARY, HANDSHAKE[:4], fin=False) + binary(HANDSHAKE[4:]),
        from_desktop(Opcode.BINARY, HANDSHAKE),
        b"\xc2" + binary(HANDSHAKE)[1:],  # compressed, which was not agreed on
        b"\x83" + binary(HANDSHAKE)[1:],
        struct.pack(">BBQ", 0x82, 0x80 | 127, LONGEST + 1),
        struct.pack(">BBQ", 0x82, 0x80 | 127, 1 << 63),
        struct.pack(">BBH", 0x89, 0x80 | 126, 126) + bytes(130),
        b"\x09\x80" + bytes(4),
    ],
    ids=[
        "a text",
        "a fragment of nothing",
        "a message inside another",
        "not masked",
        "compressed",
        "an unknown opcode",
        "too long",
        "far too long",
        "a long ping",
        "a ping in pieces",
    ],
)
def test_what_is_no_frame_of_a_viewers_is_refused(viewer: Viewer, frame: bytes) -> None:
    with pytest.raises(RefusedError):
        viewer.passed(frame)


def test_what_no_viewer_may_say_is_refused(viewer: Viewer) -> None:
    with pytest.raises(RefusedError, match="a message of kind 7"):
        viewer.passed(binary(HANDSHAKE + b"\x07"))


def test_a_client_that_speaks_before_the_desktop_is_refused() -> None:
    with pytest.raises(RefusedError, match="before the desktop"):
        Viewer(Greeting()).passed(binary(HANDSHAKE))


def test_a_greeting_comes_in_any_pieces_and_what_follows_is_not_looked_at() -> None:
    greeting = Greeting()
    stream = from_desktop(Opcode.PING, b"") + from_desktop(Opcode.BINARY, GREETING[:5], fin=False)
    stream += from_desktop(Opcode.CONT, GREETING[5:] + b"\x01\x01") + b"whatever comes"
    for at in range(len(stream)):
        assert greeting.heard(stream[at : at + 1]) == stream[at : at + 1]
    assert greeting.is_known


@pytest.mark.parametrize(
    "stream",
    [
        from_desktop(Opcode.BINARY, b"RFB 003.003\n"),
        from_desktop(Opcode.BINARY, b"HTTP/1.1 400 Bad"),
        from_desktop(Opcode.TEXT, GREETING),
        b"RFB 003.008\n" * 9,
    ],
    ids=["too old", "no desktop", "base64", "no frame"],
)
def test_another_greeting_is_refused(stream: bytes) -> None:
    with pytest.raises(RefusedError):
        Greeting().heard(stream)


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=10))
def test_no_bytes_at_all_get_a_desktop_to_read_what_acts(noise: bytes, places: list[int]) -> None:
    stream = binary(HANDSHAKE) + noise
    whole, pieces = greeted(), greeted()
    assert gone_on(whole, [stream]) == gone_on(pieces, cut(stream, places))


def gone_on(viewer: Viewer, pieces: list[bytes]) -> bool:
    """Whether it is not refused; what goes on is read as a desktop does."""
    passed = b""
    try:
        for piece in pieces:
            passed += viewer.passed(piece)
    except RefusedError:
        return False
    finally:
        data = [data for opcode, data in read(passed) if opcode is Opcode.BINARY]
        desktop_reads(b"".join(data))
    return True
