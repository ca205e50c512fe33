"""Who someone is here when it is proved elsewhere: the account's row, its links, its groups.

Invariant: an account elsewhere signs in the user that it was linked to at its first sign-in and
nobody else, whatever it is called now; a user has one such link at most.
"""

import logging
from dataclasses import dataclass

from control_plane import administration
from control_plane.domain.entities import Link, Source, User
from control_plane.domain.names import check_virtual_name, shown
from control_plane.domain.ports import Plane
from control_plane.domain.providers import Account
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError, ForbiddenError, InvalidError, NotSupportedError

log = logging.getLogger(__name__)

# The issuer of the row that says that a name is linked, to whatever it may be.
_LINKED = ""
_BY = "auto_create_users"


@dataclass(frozen=True, slots=True)
class Proven:
    """Who someone proved to be, by which source."""

    user: User
    source: Source


def is_stranger(user: User) -> bool:
    """Whether that is someone from elsewhere whom nothing here belongs to."""
    return user.kind == "virtual" and user.uid is None


def is_linked(plane: Plane, name: str) -> bool:
    """Whether an account elsewhere signs in the user of that name."""
    return plane.records.link(_LINKED, name) is not None


def of_account(plane: Plane, source: Source, account: Account, address: str) -> Proven:
    """Return whom an account elsewhere signs in, made first where that is wanted.

    ForbiddenError says why it is nobody; ConflictError: the name belongs to somebody else.
    """
    with plane.access.lock:  # two first sign-ins at once: the second one finds what the first made
        link = plane.records.link(account.issuer, account.subject)
        name = link.user if link else _own_name(account)
        if not plane.admits(name):
            raise ForbiddenError(f"{name} may not sign in here.", "Ask an administrator.")
        found = plane.accounting.user(name)
        if found is None:
            found = _new(plane, source, name, address)
        elif link is None and not _waits_for_its_first(plane, found):
            raise _taken(name)
        if not is_stranger(found):
            _check(found)
            _link(plane, account, name)
            found = _joined(plane, found, account, address)
    return Proven(found, source)


def of_host(plane: Plane, name: str, address: str) -> User:
    """Return the user of a name that PAM has let in, made first where that is wanted."""
    with plane.access.lock:
        stranger = User(name, "system")
        return plane.accounting.user(name) or _made(plane, stranger, address) or stranger


def _own_name(account: Account) -> str:
    # Some letters of others are lower-case ones of ours: the name would be another account's.
    name = account.name.strip().lower() if account.name.isascii() else account.name
    try:
        check_virtual_name(name)
    except (InvalidError, ConflictError) as error:
        raise ForbiddenError(
            f"The name {shown(name)} that you have there cannot be used here.",
            "Ask an administrator. Names here are 1 to 64 of a-z, 0-9 and _ . @ -.",
        ) from error
    return name


def _new(plane: Plane, source: Source, name: str, address: str) -> User:
    left = [one for one in plane.access.sessions_of(name) if one.living]
    if left or plane.host.knows_name(name):
        raise _taken(name)
    if name in plane.site.admins and source != "world":
        # Else whoever gets that name there first would administer this portal.
        raise ForbiddenError(
            f"The name {name} is an administrator's here.", "Create the user here first."
        )
    stranger = User(name, "virtual")
    return _made(plane, stranger, address) or stranger


def _made(plane: Plane, user: User, address: str) -> User | None:
    """Return the user that is made of someone, None where that is not wanted or not possible."""
    if not plane.site.auto_create_users:
        return None
    try:
        return administration.create_user(plane.books, Actor(_BY, address), user, None)
    except NotSupportedError:
        log.info("no user was made: accounting is read only")
        return None


def _waits_for_its_first(plane: Plane, user: User) -> bool:
    """Whether an administrator made the user for whoever comes first by that name."""
    has_password = plane.records.password(user.name) is not None
    return user.kind == "virtual" and not has_password and not is_linked(plane, user.name)


def _check(user: User) -> None:
    if user.kind != "virtual":
        raise _taken(user.name)
    if not user.enabled:
        raise ForbiddenError(f"The account {user.name} is disabled.", "Ask an administrator.")


def _link(plane: Plane, account: Account, name: str) -> None:
    for issuer, subject in ((account.issuer, account.subject), (_LINKED, name)):
        if plane.records.link(issuer, subject) is None:
            plane.records.add_link(Link(issuer, subject, name))


def _joined(plane: Plane, user: User, account: Account, address: str) -> User:
    """Put the user into the groups that the account has, as far as they exist here."""
    if account.groups is None:
        return user
    known = {group.name for group in plane.accounting.groups()}
    wanted = tuple(sorted(known.intersection(account.groups)))
    if wanted == tuple(sorted(user.groups)):
        return user
    actor = Actor("groups_claim", address)
    try:
        return administration.change_user(
            plane.books, actor, user.name, {"groups": wanted}, lambda _: None
        )
    except NotSupportedError:
        log.info("groups stay as they are: accounting is read only user=%s", user.name)
        return user


def _taken(name: str) -> ConflictError:
    return ConflictError(f"The name {name} belongs to another account.", "Ask an administrator.")
