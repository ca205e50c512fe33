"""What the door lets through, as the file of the host's root says it.

Invariant: nothing here comes from the control plane; an absent key is as narrow as it can be where
width could make somebody root.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

from control_plane.adapters import pam_host
from control_plane.domain.entities import Network
from control_plane.domain.policy_fields import CPUS, MEMORY, PIDS

OPEN_FILES = 1024**2  # of one process: what the kernel itself allows (fs.nr_open)
POWERFUL = tuple(sorted(pam_host.POWERFUL))


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most that one container may have; `memory` is in bytes."""

    memory: int = MEMORY[1]
    cpus: float = CPUS[1]
    pids: int = PIDS[1]
    open_files: int = OPEN_FILES


@dataclass(frozen=True, slots=True)
class EngineAt:
    """Which engine it is, and how its containers are reached; empty and None as in the settings."""

    host: str = ""
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    session_range: IPv4Network | None = None
    reach: Literal["bridge", "loopback"] = "bridge"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one host for one realm.

    `images` are patterns of names (`*` stands for anything, slashes too).
    """

    realm: str
    images: tuple[str, ...] = ("*",)
    volume_roots: tuple[Path, ...] = ()
    virtual_uids: tuple[int, int] = (70000, 99999)
    networks: tuple[Network, ...] = ("internet", "none")
    allow_legacy_home: bool = False
    allow_powerful_homes: bool = False
    powerful_groups: tuple[str, ...] = POWERFUL
    powerful_users: tuple[str, ...] = ()
    limits: Ceilings = field(default_factory=Ceilings)
    engine: EngineAt = field(default_factory=EngineAt)

    def admits_image(self, *names: str) -> bool:
        """Whether one of an image's names fits; without a name only where every image does."""
        if "*" in self.images:
            return True
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.images)

    def is_virtual(self, uid: int) -> bool:
        """Whether that number is one of those that virtual users get."""
        first, last = self.virtual_uids
        return first <= uid <= last
