"""The fields of a policy, each with what it takes.

Invariant: a check returns a sentence that says what is allowed, or nothing.
"""

import re
from collections.abc import Callable, Mapping
from typing import cast

from control_plane.domain import volumes

SHARES = ("none", "view", "control")
NETWORKS = ("internet", "none")
MEMORY = (16 * 1024**2, 16 * 1024**4)  # bytes; the engine itself refuses less than 6 MB
CPUS = (0.05, 1024.0)
PIDS = (1, 4194304)  # the kernel's PID_MAX_LIMIT
SESSIONS = (1, 1000)
YEAR = 366 * 24 * 3600
LONGEST_LICENSE = 4096
MOST_VOLUMES = 20
LATER = ("gpus", "idle_timeout", "idle_action")
_SIZE = re.compile(r"(\d{1,15})([kmgt]?)b?", re.ASCII | re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_SPANS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def size_of(value: object) -> int | None:
    """Return a number of bytes, given as one or as text such as `512m`; None for neither."""
    if type(value) is int:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def seconds_of(text: str) -> int | None:
    """Return seconds, given as `3600`, `90m`, `8h` or `2d`; None for anything else."""
    match = _SPAN.fullmatch(text)
    return int(match[1]) * _SPANS[match[2]] if match else None


def size_text(count: int) -> str:
    """Return a number of bytes as people type it, such as `2g`."""
    return _typed(count, {name: scale for name, scale in _UNITS.items() if name})


def seconds_text(count: int) -> str:
    """Return a number of seconds as people type it, such as `8h`."""
    return _typed(count, {name: scale for name, scale in _SPANS.items() if name not in ("", "s")})


def _typed(count: int, units: Mapping[str, int]) -> str:
    whole = [name for name, scale in units.items() if count and count % scale == 0]
    return f"{count // units[whole[-1]]}{whole[-1]}" if whole else str(count)


def _truth(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        return "" if value in words else f"must be one of {', '.join(words)}"

    return check


def _memory(value: object) -> str:
    size = size_of(value)
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


def _license(value: object) -> str:
    fits = isinstance(value, str) and len(value) <= LONGEST_LICENSE and value.isprintable()
    return "" if fits else f"must be text of at most {LONGEST_LICENSE} printable characters"


def _volumes(value: object) -> str:
    if not isinstance(value, list | tuple) or len(value) > MOST_VOLUMES:
        return f"must be a list of at most {MOST_VOLUMES} times SOURCE:TARGET:MODE"
    return next((problem for one in value if (problem := volumes.problem(one))), "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


CHECKS: Mapping[str, Callable[[object], str]] = {
    "allow_home": _truth,
    "volumes": _volumes,
    "allow_startup_data": _truth,
    "app_license": _license,
    "share": _one_of(SHARES),
    "memory": _memory,
    "cpus": _cpus,
    "pids": _whole(*PIDS),
    "network": _one_of(NETWORKS),
    "max_sessions": _whole(*SESSIONS),
    "max_lifetime": _whole(0, YEAR),
    "legacy_home": _truth,
}
