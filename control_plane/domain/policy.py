"""What a grant allows: read from fields that people wrote, and completed by the site's defaults.

Invariant: a policy holds only what is enforced; every field that is not is refused by name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from control_plane.domain.entities import Policy
from control_plane.domain.ports import Limits
from control_plane.errors import FieldError, InvalidError

SHARES = ("none", "view", "control")
MEMORY = (16 * 1024**2, 16 * 1024**4)  # bytes; the engine itself refuses less than 6 MB
CPUS = (0.05, 1024.0)
PIDS = (1, 4194304)  # the kernel's PID_MAX_LIMIT
SESSIONS = (1, 1000)
LATER = (
    "volumes",
    "app_license",
    "allow_startup_data",
    "network",
    "max_lifetime",
    "legacy_home",
    "gpus",
    "idle_timeout",
    "idle_action",
)
_SIZE = re.compile(r"(\d{1,15})([kmgt]?)b?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def parse(fields: Mapping[str, object]) -> Policy:
    """Return the policy of these fields; InvalidError names every bad one.

    `memory` is a number of bytes or text such as `512m`; None is as good as absent.
    """
    errors = [
        FieldError(name, problem) for name in fields if (problem := _problem(name, fields[name]))
    ]
    if errors:
        raise InvalidError("The policy is refused.", errors)
    given = {name: value for name, value in fields.items() if value is not None}
    if "memory" in given:
        given["memory"] = _bytes(given["memory"])
    return Policy(**cast("dict[str, Any]", given))


def effective(policy: Policy, limits: Limits) -> Policy:
    """Return the policy with the site's default wherever it says nothing: no None is left."""
    return replace(
        policy,
        memory=limits.memory if policy.memory is None else policy.memory,
        cpus=limits.cpus if policy.cpus is None else policy.cpus,
        pids=limits.pids if policy.pids is None else policy.pids,
        max_sessions=limits.max_sessions if policy.max_sessions is None else policy.max_sessions,
    )


def _problem(name: str, value: object) -> str:
    if name in LATER:
        return "not supported by this version yet"
    if name not in _CHECKS:
        return f"unknown; allowed: {', '.join(_CHECKS)}"
    return "" if value is None else _CHECKS[name](value)


def _truth(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _share(value: object) -> str:
    return "" if value in SHARES else f"must be one of {', '.join(SHARES)}"


def _memory(value: object) -> str:
    size = _bytes(value)
    if size is None:
        return "must be a number of bytes, or text such as 512m or 2g"
    return "" if MEMORY[0] <= size <= MEMORY[1] else "must lie between 16m and 16t"


def _cpus(value: object) -> str:
    fits = _is_number(value) and CPUS[0] <= cast("float", value) <= CPUS[1]
    return "" if fits else f"must be a number from {CPUS[0]:g} to {CPUS[1]:g}"


def _whole(least: int, most: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        fits = type(value) is int and least <= value <= most
        return "" if fits else f"must be a whole number from {least} to {most}"

    return check


def _bytes(value: object) -> int | None:
    if type(value) is int:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Mapping[str, Callable[[object], str]] = {
    "allow_home": _truth,
    "share": _share,
    "memory": _memory,
    "cpus": _cpus,
    "pids": _whole(*PIDS),
    "max_sessions": _whole(*SESSIONS),
}
