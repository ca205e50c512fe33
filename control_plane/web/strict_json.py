"""JSON as the API takes it: with one meaning only, and with text that every database can hold.

Invariant: no number without a finite value, no field given twice, no NUL character and no half of
a surrogate pair gets past here.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from control_plane.errors import FieldError, NotJsonError

_SURROGATES = range(0xD800, 0xE000)


def parse(content: bytes) -> Any:
    """Return the JSON value; NotJsonError says what else came."""
    try:
        return json.loads(
            content.decode(),
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_each_once,
        )
    except (ValueError, RecursionError) as error:
        raise NotJsonError(f"The body does not parse as JSON: {error}") from error


def unstorable(value: Any) -> list[FieldError]:
    """Return where text stands that a database or a terminal would not take."""
    return [
        FieldError(place or "body", "must not hold a NUL character or half of a surrogate pair")
        for place, text in _texts(value)
        if any(one == "\0" or ord(one) in _SURROGATES for one in text)
    ]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is not a finite number")
    return number


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Yield each text with its place; without recursion, which somebody else's body would end."""
    waiting = [("", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, str):
            yield place, one
        elif isinstance(one, dict):
            for key, inner in one.items():
                yield place, key
                waiting.append((_inside(place, key), inner))
        elif isinstance(one, list):
            waiting += [(_inside(place, str(index)), inner) for index, inner in enumerate(one)]


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
