"""What a value of a setting may be, where its type alone does not say it.

Invariant: a bad value raises a ValueError that says what is allowed.
"""

import os
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_RANGE_LENGTH = 20
_LEAST_UID, _LARGEST_UID = 1000, 2**31 - 1


class Section(BaseModel):
    """A table of the settings: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def absolute(path: Path) -> Path:
    """Return a path that names one place; ValueError."""
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("an absolute path without ..")
    return path


def directory(path: Path) -> Path:
    """Return the path of a directory that is there; ValueError."""
    if not os.path.isdir(absolute(path)):  # noqa: PTH112 - False, too, where we may not look
        raise ValueError("an absolute path of a directory that exists")
    return path


def provider_address(value: str) -> str:
    """Return the address of a provider; ValueError."""
    parts = urlsplit(value)
    odd = parts.query or parts.fragment or parts.username
    if parts.scheme != "https" or not parts.hostname or odd:
        raise ValueError("an https address such as https://login.example.org")
    return value


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


def database_address(value: str) -> str:
    """Return an address without a password; ValueError."""
    if "://" in value and urlsplit(value).password is not None:
        raise ValueError("an address without a password, which stands in password_file")
    return value


AbsolutePath = Annotated[Path, AfterValidator(absolute)]
Directory = Annotated[Path, AfterValidator(directory)]
Word = Annotated[str, Field(min_length=1)]
DottedPath = Annotated[str, Field(pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*[.:][A-Za-z_]\w*)?$")]
