"""What the control plane and the engine's door say to each other: calls of a closed set of verbs.

Invariant: what was understood is what was sent, word for word: an unknown field, a number in place
of a text or a list of another length is an error, and no default stands in for what lacks.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, get_origin, get_type_hints

from pydantic import TypeAdapter

from control_plane.domain.engine_facts import EngineCondition
from control_plane.domain.ports import Engine, HomeFiles, Homes, Library
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    EngineUnavailableError,
    FieldError,
    ForbiddenError,
    ImageMissingError,
    InvalidError,
    NotFoundError,
    StartError,
    TooLargeError,
    UnavailableError,
)

# The verbs that answer at once; what is a stream has a path of its own.
VERBS: Mapping[str, tuple[type, tuple[str, ...]]] = {
    "engine": (
        Engine,
        (
            "check",
            "session_range",
            "range_of",
            "image",
            "images",
            "images_named",
            "run",
            "containers",
            "signal",
            "remove",
            "limit",
            "detach",
            "attach",
            "sample",
            "log",
            "exit_status",
        ),
    ),
    "condition": (EngineCondition, ("facts",)),
    "image_library": (Library, ("images", "remove")),
    "homes": (Homes, ("exists", "remove")),
    "files": (HomeFiles, ("listed",)),
}
_PLAIN = (
    ConflictError,
    EngineUnavailableError,
    ForbiddenError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
_KINDS = {*_PLAIN, ImageMissingError, StartError, InvalidError, ControlPlaneError}


def sent(port: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
    """Return the body of a call."""
    kinds = _parameters(port, verb)
    said = {name: kinds[name].dump_python(arguments[name], mode="json") for name in kinds}
    return json.dumps(said).encode()


def received(port: str, verb: str, body: bytes) -> dict[str, Any]:
    """Return the arguments of a call; InvalidError unless they are exactly its parameters."""
    kinds = _parameters(port, verb)
    try:
        said = json.loads(body)
        found = {name: kind.validate_python(said[name]) for name, kind in kinds.items()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        words = str(error).partition("\n")[0]  # pydantic's further lines hold the values
        raise InvalidError(f"The call is not understood: {words}.") from None
    if set(said) != set(kinds):
        raise InvalidError(f"The call is not understood: it takes {', '.join(kinds) or 'nothing'}.")
    for name, kind in kinds.items():
        if kind.dump_python(found[name], mode="json") != said[name]:
            raise InvalidError(
                f"The call is not understood: {name} holds what it has no place for."
            )
    return found


def answered(port: str, verb: str, value: object) -> bytes:
    """Return the body of an answer."""
    return _answer(port, verb).dump_json(value)


def understood(port: str, verb: str, body: bytes) -> Any:
    """Return what an answer says."""
    return _answer(port, verb).validate_json(body)


def told(error: ControlPlaneError) -> dict[str, Any]:
    """Return an error as it is sent."""
    return {
        "kind": next(one.__name__ for one in type(error).__mro__ if one in _KINDS),
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "image": getattr(error, "image", ""),
        "errors": [asdict(one) for one in getattr(error, "errors", ())],
    }


def error_of(said: Mapping[str, Any]) -> ControlPlaneError:
    """Return the error that was sent; what is none of ours is the engine's being away."""
    kind, message, hint = said["kind"], said["message"], said["hint"]
    if kind == ImageMissingError.__name__:
        return ImageMissingError(said["image"])
    if kind == StartError.__name__:
        return StartError(said["code"], message, hint)
    if kind == InvalidError.__name__:
        return InvalidError(message, [FieldError(**one) for one in said["errors"]], hint)
    known = {one.__name__: one for one in _PLAIN}
    return known.get(kind, EngineUnavailableError)(message, hint)


@cache
def _parameters(port: str, verb: str) -> Mapping[str, TypeAdapter[Any]]:
    hints = _hints(port, verb)
    return {name: TypeAdapter(_kind(hint)) for name, hint in hints.items() if name != "return"}


@cache
def _answer(port: str, verb: str) -> TypeAdapter[Any]:
    return TypeAdapter(_hints(port, verb)["return"])


def _hints(port: str, verb: str) -> dict[str, Any]:
    protocol, _ = VERBS[port]
    return get_type_hints(getattr(protocol, verb))


def _kind(hint: Any) -> Any:
    """Return what stands for a parameter's type: of names in any collection a list is sent."""
    return Sequence[str] if get_origin(hint) is Collection else hint
