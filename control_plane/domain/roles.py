"""Who may give what to whom.

Invariant: nobody gives more than they hold; what a user may do is a set of scopes, and an
administrator's set holds everyone's.
"""

from collections.abc import Collection
from dataclasses import dataclass

from control_plane.domain.entities import SCOPES, User
from control_plane.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever administers: how the audit log calls them, from where, with which scopes."""

    name: str
    address: str = ""
    scopes: frozenset[str] = frozenset(SCOPES)


def scopes_of(user: User) -> frozenset[str]:
    """Return all that a user may do: administration is the administrators' alone."""
    return frozenset(one for one in SCOPES if user.admin or not one.startswith("admin:"))


def must_hold(actor: Actor, given: Collection[str]) -> None:
    """Raise ForbiddenError unless whoever gives these scopes holds each of them."""
    if lacking := sorted(set(given) - actor.scopes):
        raise ForbiddenError(f"You do not hold {', '.join(lacking)} yourself.")
