"""How passages and watchers are written between the control plane and the forwarder.

Invariant: what is read back equals what was written, and nothing that is not one is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from control_plane.domain.forwarding import Passage, Watcher

_ACCESSES, _TYPES = ("view", "control"), ("vncapp", "webapp")
_MOST_PORT = 65535


def written(one: Passage | Watcher) -> dict[str, Any]:
    """Return what JSON can hold of it."""
    found = asdict(one)
    return {name: _plain(value) for name, value in found.items()}


def passage(found: object) -> Passage:
    """Return the passage that was written so; ValueError names what is wrong."""
    given = _exactly(found, Passage)
    texts = ("share_id", "session_id", "owner", "access", "type", "address", "expires_at")
    for name in texts:
        _check(isinstance(given[name], str) and given[name], name)
    _check(given["access"] in _ACCESSES, "access")
    _check(given["type"] in _TYPES, "type")
    _check(given["access"] == "control" or given["type"] == "vncapp", "access")
    _check(type(given["port"]) is int and 1 <= given["port"] <= _MOST_PORT, "port")
    IPv4Address(given["address"])
    people = given["people"]
    _check(people is None or _are_names(people), "people")
    return Passage(
        **{
            **given,
            "expires_at": moment(given["expires_at"]),
            "people": None if people is None else tuple(people),
        }
    )


def watcher(found: object) -> Watcher:
    """Return the watcher that was written so; ValueError names what is wrong."""
    given = _exactly(found, Watcher)
    _check(_are_names(list(given.values())), "watcher")
    return Watcher(**{**given, "since": moment(given["since"])})


def moment(text: object) -> datetime:
    """Return a time with its zone; ValueError."""
    found = datetime.fromisoformat(text) if isinstance(text, str) else None
    if found is None or found.tzinfo is None:
        raise ValueError(f"no time with its zone: {text!r:.80}")
    return found


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _exactly(found: object, kind: type[Passage | Watcher]) -> Mapping[str, Any]:
    names = {one.name for one in fields(kind)}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"no {kind.__name__.lower()}: its fields are {', '.join(sorted(names))}")
    return found


def _are_names(found: object) -> bool:
    if isinstance(found, str) or not isinstance(found, Sequence):
        return False
    return all(isinstance(one, str) for one in found)


def _check(holds: object, name: str) -> None:
    if not holds:
        raise ValueError(f"{name} is wrong")
