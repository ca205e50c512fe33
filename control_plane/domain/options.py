"""What people may choose at a start, checked, and what the container is told of it."""

import re
from collections.abc import Mapping

from control_plane.domain.entities import Image
from control_plane.domain.labels import declared_options
from control_plane.errors import FieldError, InvalidError

WIDTH = (320, 7680)
HEIGHT = (200, 4320)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_NAMES = ("resolution",)


def checked(options: Mapping[str, object], image: Image) -> dict[str, str]:
    """Return the options if the image understands them all; else InvalidError names each."""
    errors = [
        FieldError(f"options.{name}", problem)
        for name, value in options.items()
        if (problem := _problem(name, value, declared_options(image)))
    ]
    if errors:
        raise InvalidError("The options do not fit this application.", errors)
    return {name: str(value) for name, value in options.items()}


def environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that carry checked options into the container."""
    if "resolution" not in options:
        return {}
    width, height = options["resolution"].split("x")
    return {"X11_WIDTH": width, "X11_HEIGHT": height, "X11_DEPTH": "24"}


def _problem(name: str, value: object, declared: tuple[str, ...]) -> str:
    if name not in _NAMES:
        return f"unknown option; allowed: {', '.join(_NAMES)}"
    if name not in declared:
        return "this application does not offer this option"
    return _resolution_problem(value)


def _resolution_problem(value: object) -> str:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    bounds = f"{WIDTH[0]}-{WIDTH[1]} x {HEIGHT[0]}-{HEIGHT[1]}"
    if not match:
        return f"must be WIDTHxHEIGHT within {bounds}, such as 1280x800"
    width, height = int(match[1]), int(match[2])
    if not (WIDTH[0] <= width <= WIDTH[1] and HEIGHT[0] <= height <= HEIGHT[1]):
        return f"must lie within {bounds}"
    return ""
