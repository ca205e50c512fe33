"""A site's logo: which picture it is, and of what shape.

Invariant: the kind comes from the content, never from a name.
"""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property

LARGEST = 256 * 1024
_ALLOWED = "a PNG, SVG or WebP of 256 KiB at most"
_PNG = b"\x89PNG\r\n\x1a\n"
# What may stand before the root of an SVG: a byte order mark, a declaration, comments, a doctype.
_SVG = re.compile(
    r"\ufeff?\s*(?:<\?xml.*?\?>)?(?:\s|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*"
    r"(<(?:\w+:)?svg\b[^>]*>)",
    re.DOTALL,
)
_BOX = re.compile(r"""\sviewBox=["']\s*\S+[\s,]+\S+[\s,]+([0-9.]+)[\s,]+([0-9.]+)\s*["']""")
_SIDE = r"""\s{}=["']\s*([0-9.]+)"""


@dataclass(frozen=True)
class Picture:
    """A picture that browsers show; `width` and `height` are its proportions."""

    content: bytes = field(repr=False)
    media: str
    suffix: str
    width: float
    height: float

    @cached_property
    def digest(self) -> str:
        """What tells it from any other."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    def width_at(self, height: int) -> int:
        """Return how wide it is at that height, in whole pixels."""
        return max(1, round(self.width / self.height * height))


def picture(content: bytes) -> Picture:
    """Return what a file holds as a picture; ValueError says what is allowed."""
    if len(content) > LARGEST:
        raise ValueError(f"{_ALLOWED}, not {len(content)} bytes")
    for media, suffix, shape in (
        ("image/png", "png", _of_png(content)),
        ("image/webp", "webp", _of_webp(content)),
        ("image/svg+xml", "svg", _of_svg(content)),
    ):
        if shape and min(shape) > 0:
            return Picture(content, media, suffix, *shape)
    raise ValueError(_ALLOWED)


def _of_png(content: bytes) -> tuple[float, float] | None:
    if not content.startswith(_PNG) or content[12:16] != b"IHDR":
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def _of_webp(content: bytes) -> tuple[float, float] | None:
    """Return the size that one of the three kinds of WebP states (RFC 9649, section 2)."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return None
    kind, body = content[12:16], content[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    sizes = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
    return (sizes[0] & 0x3FFF, sizes[1] & 0x3FFF) if kind == b"VP8 " else None


def _of_svg(content: bytes) -> tuple[float, float] | None:
    try:
        found = _SVG.match(content.decode())
    except UnicodeDecodeError:
        return None
    if not found:
        return None
    if box := _BOX.search(found[1]):
        return _number(box[1]), _number(box[2])
    sides = [re.search(_SIDE.format(side), found[1]) for side in ("width", "height")]
    # What says nothing of its shape is shown as a square.
    return (_number(sides[0][1]), _number(sides[1][1])) if sides[0] and sides[1] else (1.0, 1.0)


def _number(text: str) -> float:
    return float(text) if text.count(".") <= 1 and text != "." else 0.0
