"""A site's colour as it can be read in either theme, by the arithmetic of WCAG 2.2.

Invariant: a shade has a contrast of 4.5 at least (success criterion 1.4.3) against every ground
that it stands on, and so has the text that stands on it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]
# --ground, --surface and --sunken of style.css: a test holds the two together.
GROUNDS: Mapping[Theme, tuple[str, ...]] = {
    "light": ("#f5f4f0", "#ffffff", "#eceae4"),
    "dark": ("#14191b", "#1d2427", "#12171a"),
}
LEAST_CONTRAST = 4.5
# Where a shade is looked for: towards black on light grounds, towards white on dark ones.
_ENDS: Mapping[Theme, str] = {"light": "#000000", "dark": "#ffffff"}
_TEXTS: Mapping[Theme, str] = {"light": "#ffffff", "dark": "#000000"}
_STEPS = 256
_STRONGER = 0.3
_HEX = re.compile(r"#(?:[0-9a-f]{3}){1,2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shades:
    """A colour in one theme: as links and buttons have it, stronger, and the text upon it."""

    plain: str
    strong: str
    text: str


def parsed(value: str) -> str:
    """Return `#rgb` or `#rrggbb` as `#rrggbb`; ValueError."""
    if not _HEX.fullmatch(value):
        raise ValueError("a colour as six hexadecimal digits, such as #0b6b62")
    digits = value[1:].lower()
    short = len(digits) == len("rgb")
    return "#" + "".join(one * 2 if short else one for one in digits)


def shades(colour: str, theme: Theme) -> Shades:
    """Return the nearest shades of a colour that can be read in a theme."""
    tries = (_mixed(colour, _ENDS[theme], step / _STEPS) for step in range(_STEPS + 1))
    plain = next(one for one in tries if _is_legible(one, GROUNDS[theme]))
    return Shades(plain, _mixed(plain, _ENDS[theme], _STRONGER), _TEXTS[theme])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21.

    https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return how bright a colour is, from 0 to 1.

    https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    """
    red, green, blue = (_linear(one / 255) for one in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    if channel <= 0.04045:  # noqa: PLR2004 - the standard's own number
        return channel / 12.92
    return float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(colour: str, end: str, part: float) -> str:
    pairs = zip(_channels(colour), _channels(end), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * part):02x}" for one, other in pairs)


def _is_legible(colour: str, grounds: Iterable[str]) -> bool:
    return all(contrast(colour, ground) >= LEAST_CONTRAST for ground in grounds)
