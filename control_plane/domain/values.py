"""What a value of a file of rules or settings may be, where its type alone does not say it.

Invariant: a bad value raises a ValueError that says what is allowed.
"""

from ipaddress import IPv4Network
from pathlib import Path

_RANGE_LENGTH = 20
_LEAST_UID, _LARGEST_UID = 1000, 2**31 - 1


def absolute(path: Path) -> Path:
    """Return a path that names one place; ValueError."""
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("an absolute path without ..")
    return path


def uids(value: tuple[int, int]) -> tuple[int, int]:
    """Return the first and the last uid; ValueError."""
    if not _LEAST_UID <= value[0] <= value[1] <= _LARGEST_UID:
        raise ValueError(f"the first and the last uid, {_LEAST_UID} to {_LARGEST_UID}")
    return value


def private_range(value: IPv4Network) -> IPv4Network:
    """Return the range of the session networks; ValueError."""
    if value.prefixlen != _RANGE_LENGTH or not value.is_private:
        raise ValueError("a /20 of private addresses such as 10.213.0.0/20")
    return value
