"""What a value of a setting may be, where its type alone does not say it.

Invariant: a bad value raises a ValueError that says what is allowed.
"""

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from control_plane.domain.values import absolute

_LONGEST_DOMAIN = 200  # with a session's id before it, a name is at most 253 long
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


class Section(BaseModel):
    """A table of the settings: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


def domain(value: str) -> str:
    """Return the name of a host, in lower case, or nothing; ValueError."""
    if value and (len(value) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(value)):
        raise ValueError("a host name in lower case such as apps.example.org, without a port")
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
