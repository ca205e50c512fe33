"""How the machine of the portal is, and what is not well with the installation.

Invariant: whoever asks never waits for a check; what was found says when it was.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Fill:
    """How much of something is taken, in bytes: memory, or the disk of the portal or the engine."""

    what: Literal["memory", "data", "images"]
    used: int
    whole: int

    @property
    def share(self) -> float:
        """The part that is taken, from 0 to 1."""
        return min(1.0, self.used / self.whole) if self.whole > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """How busy this machine is: `busy` is the share of its CPUs that works, from 0 to 1."""

    cpus: int
    busy: float
    memory: Fill
    disks: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is not well, by the check that found it, and what to do about it."""

    check: str
    status: Literal["warning", "failed"]
    found: str
    todo: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What the last look found; `images` is how many the engine has and their bytes, if known."""

    at: datetime | None = None
    notices: tuple[Notice, ...] = ()
    images: tuple[int, int] | None = None


class Condition(Protocol):
    """What watches the machine and the installation."""

    def figures(self) -> Figures | None:
        """Return how busy the machine is; None where its kernel does not tell."""

    def examined(self) -> Examined:
        """Return what the last look found, and begin another when that is due."""


class Unwatched:
    """The port `Condition` where nobody watches."""

    def figures(self) -> Figures | None:
        """Return that nothing is known."""
        return None

    def examined(self) -> Examined:
        """Return that nothing was looked at."""
        return Examined()
