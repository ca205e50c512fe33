"""The policy of a grant, as a task gives it and as the portal tells it.

Invariant: what is told of a licence is whether there is one. It runs on Python 3.9.
"""

from __future__ import annotations

import re
from typing import Any

OPTIONS: dict[str, Any] = {
    "allow_home": {"type": "bool"},
    "volumes": {"type": "list", "elements": "str"},
    "allow_startup_data": {"type": "bool"},
    "app_license": {"type": "str", "no_log": True},
    "share": {"type": "str", "choices": ["none", "view", "control"]},
    "memory": {"type": "str"},
    "cpus": {"type": "float"},
    "pids": {"type": "int"},
    "network": {"type": "str", "choices": ["internet", "none"]},
    "max_sessions": {"type": "int"},
    "max_lifetime": {"type": "int"},
    "legacy_home": {"type": "bool"},
}
LICENCE = "has_app_license"  # what the portal tells of it
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("allow_home", "allow_startup_data", "legacy_home", LICENCE), False),
    **dict.fromkeys(("memory", "cpus", "pids", "network", "max_sessions", "max_lifetime")),
    "volumes": [],
    "share": "none",
}
_SIZE = re.compile(r"(\d+)([kmgt]?)b?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def whole(given: dict[str, Any] | None) -> dict[str, Any]:
    """Return the whole policy as the portal tells it; nothing where none was given."""
    if given is None:
        return {}
    said = {name: value for name, value in given.items() if name in DEFAULTS and value is not None}
    if "memory" in said:
        said["memory"] = _bytes(said["memory"])
    return {**DEFAULTS, **said, LICENCE: bool(given["app_license"])}


def sent(
    fields: dict[str, Any], given: dict[str, Any] | None, *, licence: bool = False
) -> dict[str, Any]:
    """Return these fields as the portal takes them, with the licence where it differs or may."""
    found = {name: value for name, value in fields.items() if name != LICENCE}
    if given and (LICENCE in fields or licence):
        found["app_license"] = given["app_license"]
    return found


def is_as(policy: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a policy is the wanted one, whatever its licence."""
    return all(policy[name] == value for name, value in wanted.items() if name != LICENCE)


def _bytes(text: str) -> int | str:
    """Return a size in bytes; what is none stays as it is, for the portal to refuse."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * 1024 ** _POWERS[match[2].lower()] if match else text
