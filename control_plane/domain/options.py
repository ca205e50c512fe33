"""What people may choose at a start, checked, and what the container is told of it."""

import re
from collections.abc import Mapping

from control_plane.domain.entities import Image, Policy
from control_plane.domain.labels import declared_options
from control_plane.errors import FieldError, InvalidError

WIDTH = (320, 7680)
HEIGHT = (200, 4320)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
LONGEST_FILE = 1024
_NAMES = ("resolution", "startup_file")


def checked(options: Mapping[str, object], image: Image, policy: Policy) -> dict[str, str]:
    """Return the options if image and policy know them all; else InvalidError names each."""
    offered = offered_options(image, policy)
    errors = [
        FieldError(f"options.{name}", problem)
        for name, value in options.items()
        if (problem := _problem(name, value, offered))
    ]
    if errors:
        raise InvalidError("The options do not fit this application.", errors)
    return {name: str(value) for name, value in options.items()}


def environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that carry checked options into the container."""
    variables: dict[str, str] = {}
    if "resolution" in options:
        width, height = options["resolution"].split("x")
        variables |= {"X11_WIDTH": width, "X11_HEIGHT": height, "X11_DEPTH": "24"}
    if "startup_file" in options:
        variables["STARTUPDATA"] = options["startup_file"]
    return variables


def offered_options(image: Image, policy: Policy) -> tuple[str, ...]:
    """Return the options that the image declares and the policy allows."""
    declared = declared_options(image)
    return tuple(name for name in declared if name != "startup_file" or policy.allow_startup_data)


def _problem(name: str, value: object, offered: tuple[str, ...]) -> str:
    if name not in _NAMES:
        return f"unknown option; allowed: {', '.join(_NAMES)}"
    if name not in offered:
        return "this application does not offer this option to you"
    return _resolution_problem(value) if name == "resolution" else _file_problem(value)


def _file_problem(value: object) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_FILE and value.isprintable()
    return "" if fits else f"must be a path of 1 to {LONGEST_FILE} printable characters"


def _resolution_problem(value: object) -> str:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    bounds = f"{WIDTH[0]}-{WIDTH[1]} x {HEIGHT[0]}-{HEIGHT[1]}"
    if not match:
        return f"must be WIDTHxHEIGHT within {bounds}, such as 1280x800"
    width, height = int(match[1]), int(match[2])
    if not (WIDTH[0] <= width <= WIDTH[1] and HEIGHT[0] <= height <= HEIGHT[1]):
        return f"must lie within {bounds}"
    return ""
