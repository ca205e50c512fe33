"""What every door asks before accounting is changed.

Invariant: a name belongs to one kind, whoever had it before leaves nothing to the next, and nobody
makes, changes or removes an administrator without holding all that an administrator may.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from control_plane.domain.containers import home_volume
from control_plane.domain.entities import SCOPES, Policy, Session, User
from control_plane.domain.names import check_virtual_name, shown
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor, must_hold
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    FieldError,
    InvalidError,
    NotFoundError,
)

PASSWORD_LENGTH = (8, 1024)
USER_FIELDS = ("enabled", "admin", "groups")
_FIELDS = (*USER_FIELDS, "password", "keep_running")


def check_newcomer(books: Books, user: User) -> None:
    """Raise unless someone of that name and kind may come to be known here."""
    check_name(books, user)
    check_left(user.name, living_sessions(books, {user.name})[user.name])


def check_name(books: Books, user: User) -> None:
    """Raise unless that is a name for that kind of user on this host."""
    if user.kind == "virtual":
        _check_virtual(books, user.name)
    else:
        _check_system(books, user.name)


def check_left(name: str, left: Sequence[Session]) -> None:
    """Raise ConflictError when a former user of that name left sessions that run."""
    if left:
        raise ConflictError(
            f"Sessions of a former user {shown(name)} still run.",
            "End them first, or choose another name.",
            [session.id for session in left],
        )


def with_uids(books: Books, users: Sequence[User]) -> list[User]:
    """Return them with a uid and gid of its own for each virtual one.

    NotSupportedError when accounting is read only, ConflictError when too few are left.
    """
    count = sum(user.kind == "virtual" for user in users)
    first, last = books.site.virtual_uids
    uids = iter(books.accounting.reserve_uids(count, first, last, books.host.knows_uid))
    return [_with_uid(user, next(uids) if user.kind == "virtual" else None) for user in users]


def check_user_changes(changes: Mapping[str, object]) -> None:
    """Raise InvalidError that names every bad field of a change of a user."""
    errors = [
        FieldError(name, problem) for name in changes if (problem := _problem(name, changes[name]))
    ]
    if changes.get("keep_running") is True and changes.get("enabled") is not False:
        errors.append(FieldError("keep_running", "goes with enabled = false alone"))
    if errors:
        raise InvalidError("The user was not changed.", errors)


def living_sessions(books: Books, names: Collection[str]) -> Mapping[str, Sequence[Session]]:
    """Return what each of these has running, oldest first."""
    found: dict[str, list[Session]] = {name: [] for name in names}
    for session in books.records.open_sessions():
        if session.living and session.owner in found:
            found[session.owner].append(session)
    return found


def check_group_name(name: str) -> None:
    """Raise InvalidError unless a group may have this name; the rule is that of virtual users."""
    try:
        check_virtual_name(name)
    except InvalidError as error:
        raise InvalidError(f"A group cannot be called {shown(name)}.", error.errors) from None


def check_password(words: object) -> str:
    """Return a password that is long enough to be one; InvalidError."""
    least, most = PASSWORD_LENGTH
    if not isinstance(words, str) or not least <= len(words) <= most or not is_text(words):
        problem = FieldError("password", f"must have {least} to {most} characters")
        raise InvalidError("The password was not changed.", [problem])
    return words


def check_volumes(books: Books, allowed: Policy) -> None:
    """Raise InvalidError that names each volume of a policy whose source may not be mounted."""
    errors: list[FieldError] = []
    for volume in allowed.volumes:
        try:
            books.folders.resolved(volume)
        except InvalidError as error:
            errors += error.errors or [FieldError("volumes", error.message)]
    if errors:
        raise InvalidError("The policy is refused.", errors)


def is_admin(books: Books, user: User) -> bool:
    """Whether that is an administrator, by accounting or by the settings."""
    return user.admin or user.name in books.site.admins


def check_role(books: Books, actor: Actor, *users: User) -> None:
    """Raise ForbiddenError when one of these is an administrator and the actor holds less."""
    if any(is_admin(books, user) for user in users):
        must_hold(actor, SCOPES)


def home_of(books: Books, user: User) -> str:
    """Return the engine's volume that is a virtual user's home; empty for a system user."""
    if user.kind != "virtual" or user.uid is None:
        return ""
    return home_volume(books.site.realm, user.uid)


def sentence(error: ControlPlaneError) -> str:
    """Return an error as one sentence among others."""
    fields = error.errors if isinstance(error, InvalidError) else ()
    words = [f"{one.field}: {one.message}." for one in fields] or [error.message, error.hint]
    return " ".join(filter(None, words)).removesuffix(".")


def is_text(words: str) -> bool:
    """Whether every database can hold it."""
    return not any(one == "\0" or "\ud800" <= one <= "\udfff" for one in words)


def _with_uid(user: User, uid: int | None) -> User:
    return replace(user, uid=uid, gid=uid)


def _problem(name: str, value: object) -> str:
    if name in ("enabled", "admin", "keep_running"):
        return "" if isinstance(value, bool) else "must be true or false"
    if name == "groups":
        fits = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return "" if fits else "must be a list of names"
    return "" if name == "password" else f"unknown; allowed: {', '.join(_FIELDS)}"


def _check_virtual(books: Books, name: str) -> None:
    check_virtual_name(name)
    if books.host.knows_name(name):
        raise ConflictError(
            f"This host has an account {shown(name)}.",
            "Choose another name, or create a system user.",
        )


def _check_system(books: Books, name: str) -> None:
    if books.host.person(name):
        return
    if books.host.knows_name(name):
        raise ConflictError(
            f"The account {shown(name)} is one of the system's own and never signs in.",
            "Choose an account whose uid is UID_MIN of /etc/login.defs or more.",
        )
    raise NotFoundError(
        f"This host has no account {shown(name)}.",
        "Make it with useradd, or create a virtual user.",
    )
