"""What an engine cannot give because of its place, or of how its containers are reached.

Invariant: each refusal names a field of the policy and says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from control_plane.domain.entities import Policy, UserKind
from control_plane.errors import FieldError

_HOME = (
    "The engine is on another machine, where the homes of system users are not: allow_home is for"
    " virtual users there."
)
_VOLUMES = "The engine is on another machine, where the volumes of the policy are not."
_CLOSED = (
    "The engine publishes the ports of its containers, and can publish none of a container that"
    " has no way out: the network must be internet."
)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the engine is (`elsewhere`: no path of this machine is there), and how it is reached.

    `published`: nginx finds containers at ports of the engine's machine.
    """

    elsewhere: bool = False
    published: bool = False


def refusals(
    reach: Reach, policy: Policy, kind: UserKind | None, *, apart: bool
) -> Iterator[FieldError]:
    """Yield what of a policy bars the start for a user of that kind; None: whoever it is.

    `apart`: the image gets a volume in place of the real home.
    """
    if reach.elsewhere and policy.allow_home and kind == "system" and not apart:
        yield FieldError("allow_home", _HOME)
    if reach.elsewhere and policy.volumes:
        yield FieldError("volumes", _VOLUMES)
    if reach.published and policy.network == "none":
        yield FieldError("network", _CLOSED)


def cautions(reach: Reach, policy: Policy) -> list[str]:
    """Return sentences on what a grant of this policy will be refused."""
    found = [one.message for one in refusals(reach, policy, None, apart=False)]
    return [_HOME, *found] if reach.elsewhere and policy.allow_home else found
