"""What a check has to say: one finding where all is well, else one for each thing that is not.

Invariant: whatever is not well has something to do beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from control_plane.doctor.installation import Installation

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on what was found; `todo` is a command, or a sentence where none helps."""

    status: Status
    found: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One part of an installation: `todo` is for what keeps anybody from looking at it."""

    name: str
    look: Callable[["Installation"], Iterator[Finding]]
    todo: str


def ok(found: str) -> Finding:
    """Return what is well."""
    return Finding("ok", found)


def warning(found: str, todo: str) -> Finding:
    """Return what works and will not for ever, or what could not be looked at."""
    return Finding("warning", found, todo)


def failed(found: str, todo: str) -> Finding:
    """Return what keeps somebody from working, or is open to those whom it should not be."""
    return Finding("failed", found, todo)
