"""What an application is: read from fields that people wrote.

Invariant: an application holds only what is done with it; a field that is not is refused by name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, cast

from control_plane.domain.entities import Application
from control_plane.domain.names import shown
from control_plane.errors import FieldError, InvalidError

LONGEST = 255  # characters, as wide as the columns are
LONGEST_DESCRIPTION = 4000
PORTS = (1, 65535)
MOST_WORDS = 100
MOST_VARIABLES = 100
RUN_AS = ("user", "root")
ROOTS_COMMAND = (
    "cannot be given to what starts as root: run it as the user, or put the command into the image"
)
LONGEST_BLOCK = 32 * 1024  # bytes of all words, or of all variables
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)


def parse(fields: Mapping[str, object], application_id: str = "") -> Application:
    """Return the application of these fields; InvalidError names every bad one.

    None is as good as absent.
    """
    errors = [
        FieldError(name, problem) for name in fields if (problem := _problem(name, fields[name]))
    ]
    if fields.get("image") is None:
        errors.append(FieldError("image", "is missing"))
    if fields.get("run_as") == "root" and fields.get("command"):
        errors.append(FieldError("command", ROOTS_COMMAND))
    if errors:
        image = shown(str(fields.get("image", "")))
        raise InvalidError(f"The application {image} is refused.", errors)
    given = {name: value for name, value in fields.items() if value is not None}
    if "command" in given:
        given["command"] = tuple(cast("list[str]", given["command"]))
    if "environment" in given:
        given["environment"] = dict(cast("dict[str, str]", given["environment"]))
    return Application(id=application_id, **cast("dict[str, Any]", given))


def as_fields(application: Application) -> dict[str, Any]:
    """Return the fields as `parse` takes them; the id is none of them."""
    fields = asdict(application) | {"command": list(application.command)}
    del fields["id"]
    return fields


def merged(application: Application, fields: Mapping[str, object]) -> Application:
    """Return it with these fields put over it; None puts the default back."""
    changed = parse(as_fields(application) | dict(fields))
    return replace(changed, id=application.id)


def _problem(name: str, value: object) -> str:
    if name not in _CHECKS:
        return f"unknown; allowed: {', '.join(_CHECKS)}"
    return "" if value is None else _CHECKS[name](value)


def _image(value: object) -> str:
    fits = isinstance(value, str) and _IMAGE.fullmatch(value)
    return "" if fits else f"is not a name of an image of at most {LONGEST} characters"


def _text(longest: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        fits = _is_text(value) and len(cast("str", value)) <= longest
        return "" if fits else f"must be text of at most {longest} characters"

    return check


def _port(value: object) -> str:
    fits = type(value) is int and PORTS[0] <= value <= PORTS[1]
    return "" if fits else f"must be a whole number from {PORTS[0]} to {PORTS[1]}"


def _command(value: object) -> str:
    if not isinstance(value, list | tuple) or len(value) > MOST_WORDS:
        return f"must be a list of at most {MOST_WORDS} words"
    if not all(_is_text(word) for word in value):
        return "must be a list of words, each a text"
    return _too_long(value)


def _environment(value: object) -> str:
    if not isinstance(value, Mapping) or len(value) > MOST_VARIABLES:
        return f"must be at most {MOST_VARIABLES} variables, each with a text"
    for name, text in value.items():
        if not (isinstance(name, str) and _VARIABLE.fullmatch(name)):
            return f"{shown(str(name))} is not a name of a variable"
        if not _is_text(text):
            return f"{name} must be a text"
    return _too_long([*value, *value.values()])


def _ready_path(value: object) -> str:
    fits = isinstance(value, str) and len(value) <= LONGEST and value.isprintable()
    if not fits or any(one.isspace() for one in cast("str", value)):
        return f"must be a path of at most {LONGEST} printable characters without a space"
    return ""


def _truth(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _run_as(value: object) -> str:
    return "" if value in RUN_AS else f"must be one of {', '.join(RUN_AS)}"


def _is_text(value: object) -> bool:
    """Whether it is text that a database and a container's environment can hold."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= one <= "\udfff" for one in value)


def _too_long(texts: Any) -> str:
    size = sum(len(text.encode()) for text in texts)
    return "" if size <= LONGEST_BLOCK else f"must have at most {LONGEST_BLOCK} bytes in all"


_CHECKS: Mapping[str, Callable[[object], str]] = {
    "image": _image,
    "display_name": _text(LONGEST),
    "description": _text(LONGEST_DESCRIPTION),
    "category": _text(LONGEST),
    "port": _port,
    "command": _command,
    "environment": _environment,
    "ready_path": _ready_path,
    "strip_path": _truth,
    "run_as": _run_as,
}
