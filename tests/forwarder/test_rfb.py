"""What a viewer's words come to: a desktop reads what changes nothing, however they are cut."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.forwarder.rfb import ViewFilter, speaks_newer

VERSION = b"RFB 003.008\n"
HANDSHAKE = VERSION + b"\x01" + b"\x01"
LONG_POINTERS = -316

# A message as a client sends it, and whether it goes on.
Said = tuple[bytes, bool]


def encodings(*wanted: int) -> bytes:
    return struct.pack(f">BxH{len(wanted)}i", 2, len(wanted), *wanted)


def fence(payload: bytes) -> bytes:
    return struct.pack(">BxxxIB", 248, 0x80000001, len(payload)) + payload


def text(content: bytes, *, extended: bool = False) -> bytes:
    return struct.pack(">Bxxxi", 6, -len(content) if extended else len(content)) + content


PIXELS = struct.pack(">BxxxBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
UPDATE = struct.pack(">BBHHHH", 3, 1, 0, 0, 1024, 768)
CONTINUOUS = struct.pack(">BBHHHH", 150, 1, 0, 0, 1024, 768)
KEY = struct.pack(">BBxxI", 4, 1, 0xFF0D)
POINTER = struct.pack(">BBHH", 5, 1, 10, 10)
RESIZE = struct.pack(">BxHHBxIHHHHI", 251, 640, 480, 1, 1, 0, 0, 640, 480, 0)
XVP = bytes([250, 0, 1, 2])
QEMU_KEY = struct.pack(">BBHII", 255, 0, 1, 0xFF0D, 28)
QEMU_SOUND = struct.pack(">BBH", 255, 1, 0)
QEMU_FORMAT = struct.pack(">BBHBBI", 255, 1, 2, 3, 2, 44100)

PASSED = {
    "the format of pixels": PIXELS,
    "encodings": encodings(0, 7, -223, -308),
    "no encodings": encodings(),
    "an update": UPDATE,
    "updates unasked": CONTINUOUS,
    "a fence": fence(b"12345678"),
    "a fence of nothing": fence(b""),
}
DROPPED = {
    "a key": KEY,
    "a pointer": POINTER,
    "a text": text(b"copied"),
    "no text": text(b""),
    "a long text": text(b"x" * 100_000),
    "an extended text": text(b"\x18\x00\x00\x01" + b"y" * 20, extended=True),
    "a size": RESIZE,
    "a size without screens": struct.pack(">BxHHBx", 251, 640, 480, 0),
    "xvp": XVP,
    "a key with its code": QEMU_KEY,
    "sound": QEMU_SOUND,
    "the format of sound": QEMU_FORMAT,
}
REFUSED = {
    "an unknown kind": b"\x07",
    "gii": struct.pack(">BBHH", 253, 0x81, 4, 1),
    "a file transfer": b"\x07\x00\x00\x00",
    "an unknown kind of QEMU's": bytes([255, 2, 0, 0]),
    "too many encodings": struct.pack(">BxH", 2, 1025),
    "too long a fence": struct.pack(">BxxxIB", 248, 0, 65),
    "too long a text": struct.pack(">Bxxxi", 6, 16 * 1024**2 + 1),
    "the longest text there is": struct.pack(">BxxxI", 6, 1 << 31),
}


def desktop_reads(stream: bytes) -> Sequence[int]:
    """Read as a desktop of any age does, by the protocol alone; return the kinds of messages."""
    if not stream:
        return []
    assert stream[:12] in (b"RFB 003.007\n", b"RFB 003.008\n")
    if len(stream) == 12:
        return []
    at, kinds = {1: 13, 2: 13 + 16}[stream[12]], []
    if len(stream) > 13:
        assert stream[at : at + 1] in (b"", b"\x01"), "the shared-flag"
        at += 1
    while at < len(stream):
        kind = stream[at]
        lengths = {0: 20, 3: 10, 150: 10}
        if kind == 2:
            length = 4 + 4 * int.from_bytes(stream[at + 2 : at + 4], "big")
        elif kind == 248:
            length = 9 + stream[at + 8]
        else:
            length = lengths[kind]
        assert at + length <= len(stream), "half a message"
        kinds.append(kind)
        at += length
    return kinds


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({min(one, len(stream)) for one in places} | {len(stream)})
    return [stream[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def told(*pieces: bytes) -> tuple[bytes, str]:
    """What comes out, and why it ended."""
    one = ViewFilter()
    return b"".join([one.passed(piece) for piece in pieces]), one.refused


@pytest.mark.parametrize("message", PASSED.values(), ids=PASSED)
def test_what_only_looks_goes_on_as_it_was_said(message: bytes) -> None:
    assert told(HANDSHAKE + message + UPDATE) == (HANDSHAKE + message + UPDATE, "")


@pytest.mark.parametrize("message", DROPPED.values(), ids=DROPPED)
def test_what_would_act_is_left_out_in_silence(message: bytes) -> None:
    assert told(HANDSHAKE + message + UPDATE) == (HANDSHAKE + UPDATE, "")


@pytest.mark.parametrize("message", REFUSED.values(), ids=REFUSED)
def test_what_nobody_may_say_ends_the_connection(message: bytes) -> None:
    passed, refused = told(HANDSHAKE + UPDATE + message + UPDATE)
    assert (passed, bool(refused)) == (HANDSHAKE + UPDATE, True)


@pytest.mark.parametrize("flag", [b"\x00", b"\x01", b"\xff"])
def test_a_viewer_always_shares_the_desktop(flag: bytes) -> None:
    assert told(VERSION + b"\x01" + flag) == (HANDSHAKE, "")


def test_each_step_of_the_handshake_goes_on_at_once_for_the_desktop_waits_for_it() -> None:
    one = ViewFilter()
    steps = (VERSION, b"\x01", b"\x00", UPDATE, fence(b"now"))
    assert [one.passed(step) for step in steps] == [VERSION, b"\x01", b"\x01", *steps[3:]]


def test_a_password_is_answered_and_nothing_else() -> None:
    response = bytes(range(16))
    assert told(VERSION + b"\x02" + response + b"\x00" + KEY + UPDATE) == (
        VERSION + b"\x02" + response + b"\x01" + UPDATE,
        "",
    )


@pytest.mark.parametrize(
    "version", [b"RFB 003.003\n", b"RFB 003.009\n", b"RFB 004.001\n", b"GET / HTTP/1"]
)
def test_another_version_is_refused(version: bytes) -> None:
    passed, refused = told(version + b"\x01\x01")
    assert (passed, bool(refused)) == (b"", True)


@pytest.mark.parametrize("security", [0, 5, 16, 18, 19, 30, 255])
def test_another_way_to_sign_in_is_refused(security: int) -> None:
    passed, refused = told(VERSION + bytes([security]) + b"\x01")
    assert (passed, bool(refused)) == (VERSION, True)


def test_a_pointer_with_more_buttons_is_longer_for_whoever_has_asked_for_it() -> None:
    asked, marked = encodings(0, LONG_POINTERS), struct.pack(">BBHH", 5, 0x81, 10, 10)
    longer = told(HANDSHAKE + asked + marked + b"\x01" + UPDATE)
    assert longer == (HANDSHAKE + asked + UPDATE, "")
    assert told(HANDSHAKE + asked + POINTER + UPDATE) == (HANDSHAKE + asked + UPDATE, "")
    assert told(HANDSHAKE + marked + UPDATE) == (HANDSHAKE + UPDATE, "")


@pytest.mark.parametrize(
    ("greeting", "holds"),
    [
        (b"RFB 003.008\n", True),
        (b"RFB 003.007\n", True),
        (b"RFB 003.889\n", True),
        (b"RFB 004.001\n", True),
        (b"RFB 003.006\n", False),
        (b"RFB 003.003\n", False),
        (b"RFB 002.999\n", False),
        (b"RFB 003.0x8\n", False),
        (b"RFB 003 008\n", False),
        (b"RFB 003.008\r", False),
        (b"HTTP/1.1 200", False),
    ],
)
def test_a_desktop_that_reads_the_handshake_otherwise_is_told_by_its_greeting(
    *, greeting: bytes, holds: bool
) -> None:
    assert speaks_newer(greeting) is holds


@given(
    noise=st.binary(max_size=400),
    places=st.lists(st.integers(0, 400), max_size=12),
    is_in=st.booleans(),
)
def test_no_bytes_get_a_desktop_to_read_what_acts(
    *, noise: bytes, places: list[int], is_in: bool
) -> None:
    stream = HANDSHAKE + noise if is_in else noise
    whole = told(stream)
    desktop_reads(whole[0])
    assert told(*cut(stream, places)) == whole


known = st.sampled_from(
    [(one, True) for one in PASSED.values()] + [(one, False) for one in DROPPED.values()]
)
messages = st.lists(
    st.one_of(
        known,
        st.binary(max_size=64).map(lambda payload: (fence(payload), True)),
        st.binary(max_size=300).map(lambda content: (text(content), False)),
        st.binary(min_size=1, max_size=300).map(lambda some: (text(some, extended=True), False)),
        st.lists(st.integers(-1000, 1000), max_size=20).map(lambda all_: (encodings(*all_), True)),
    ),
    max_size=20,
)


@given(messages, st.sampled_from([*REFUSED.values(), b""]), st.lists(st.integers(0, 3000)))
def test_of_any_conversation_exactly_what_looks_goes_on_however_it_is_cut(
    said: list[Said], last: bytes, places: list[int]
) -> None:
    stream = HANDSHAKE + b"".join(message for message, _ in said) + last
    passed, refused = told(*cut(stream, places))
    assert passed == HANDSHAKE + b"".join(message for message, goes_on in said if goes_on)
    assert bool(refused) == bool(last)
    assert set(desktop_reads(passed)) <= {0, 2, 3, 150, 248}


def test_a_text_that_is_dropped_is_not_kept() -> None:
    one = ViewFilter()
    one.passed(HANDSHAKE + struct.pack(">Bxxxi", 6, 16 * 1024**2))
    for _ in range(64):
        one.passed(bytes(256 * 1024))
    assert one.passed(UPDATE) == UPDATE
    assert len(one._unread) == 0  # noqa: SLF001  nothing but this tells
