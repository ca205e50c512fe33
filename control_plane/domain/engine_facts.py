"""What a container engine says of itself, for those who look after the host.

Invariant: nothing here is asked for while people work: a start needs none of it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Facts:
    """An engine that answers.

    `lacking` are the limits of a policy that its kernel does not keep; `ahead` is how many seconds
    its clock is before ours; `networks` are sentences on session networks of another shape, and
    `subnets` what those that are there have. `filters_calls`: a container makes no system call that
    seccomp's profile bars; `bounds_disk`: how much it writes outside its volumes can be bounded.
    """

    version: str
    live_restore: bool
    lacking: tuple[str, ...]
    root: Path
    ahead: float
    networks: tuple[str, ...]
    subnets: tuple[IPv4Network, ...]
    filters_calls: bool
    bounds_disk: bool


class EngineCondition(Protocol):
    """How an engine is."""

    def facts(self) -> Facts:
        """Return what it says of itself; EngineUnavailableError says why it does not."""
        ...
