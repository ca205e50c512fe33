"""What simphony-remote kept: its fields as ours, and its SQLite databases of versions 0.8 to 2.2.

Invariant: a database is never written; what cannot be taken is told by one sentence and leaves
the rest whole. Nothing is taken with less than it said: a grant comes with its volume or not.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from control_plane.adapters.accounting_snapshot import ID, stable_id
from control_plane.domain import applications, policy
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Holdings,
    Policy,
    User,
)
from control_plane.domain.names import check_virtual_name, shown
from control_plane.domain.ports import Host
from control_plane.errors import ControlPlaneError, FieldError, InvalidError

# table -> how it is read, what every version has in it
_TABLES = {
    "user": ('SELECT * FROM "user" ORDER BY id', {"id", "name"}),
    "application": ("SELECT * FROM application ORDER BY id", {"id", "image"}),
    "application_policy": (
        "SELECT * FROM application_policy",
        {"id", "allow_home", "allow_view", "volume_source", "volume_target", "volume_mode"},
    ),
    "accounting": (
        "SELECT * FROM accounting ORDER BY user_id, application_id, application_policy_id",
        {"user_id", "application_id", "application_policy_id"},
    ),
}
_HINT = "Name the file of a simphony-remote from 0.8 to 2.2, such as remoteappmanager.db."
Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """This user may start that image under this policy."""

    user: str
    image: str
    policy: Policy


def policy_of(fields: Mapping[str, bool], volume: Sequence[str], app_license: str = "") -> Policy:
    """Return the policy of simphony-remote's words; InvalidError.

    `fields` are allow_home, allow_view and allow_startup_data; `volume` is source, target and
    mode, each empty when there is none. What it called allow_view is to share for viewing.
    """
    if any(volume) and not all(volume):
        problem = "source, target and mode must all be given, or none"
        raise InvalidError("The policy is refused.", [FieldError("volume", problem)])
    return policy.parse(
        {
            "allow_home": fields["allow_home"],
            "share": "view" if fields["allow_view"] else "none",
            "allow_startup_data": fields["allow_startup_data"],
            "app_license": app_license,
            "volumes": [":".join(volume)] if any(volume) else [],
        }
    )


def application_of(image: str) -> Application:
    """Return the application of an image, its id made of the name; InvalidError."""
    return applications.parse({"image": image}, stable_id("application", image))


def grant_id(entry: Entry, nth: int = 0) -> str:
    """Return an id made of what is granted, but for the licence.

    A licence that is renewed leaves the grant what it is, and nothing that is shown to people
    is made of a secret. `nth` tells those apart that differ in the licence alone.
    """
    allowed = entry.policy
    flags = (allowed.allow_home, allowed.allow_startup_data)
    words = [entry.user, entry.image, *map(str, flags), allowed.share, *map(str, allowed.volumes)]
    return stable_id("grant", *words, str(nth))


def why(error: ControlPlaneError) -> str:
    """Return what is wrong and, field by field, what is allowed."""
    faults = error.errors if isinstance(error, InvalidError) else ()
    return " ".join([error.message, *(f"{one.field}: {one.message}." for one in faults)])


def read(path: Path, host: Host) -> tuple[Holdings, Sequence[str]]:
    """Return what a database holds, and sentences of what could not be taken.

    A virtual user has no uid yet. ControlPlaneError when it is no such database.
    """
    tables = _tables(path)
    told: list[str] = []
    users = _users(tables["user"], host, told)
    known = _applications(tables["application"], told)
    grants = _grants(tables, users, known, told)
    found = Holdings(
        users=tuple(sorted(users.values(), key=lambda one: one.name)),
        applications=tuple(sorted(known.values(), key=lambda one: one.image)),
        grants=tuple(
            sorted(grants, key=lambda one: (one.application.image, one.grantee.name, one.id))
        ),
    )
    return found, told


def _tables(path: Path) -> Mapping[str, Sequence[Row]]:
    """Read all four at one moment."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as db:
            db.text_factory = _decoded
            db.execute("BEGIN")
            return {table: _rows(db, path, table) for table in _TABLES}
    except sqlite3.Error as error:
        raise ControlPlaneError(f"{path} cannot be read: {error}.", _HINT) from error


def _rows(db: sqlite3.Connection, path: Path, table: str) -> list[Row]:
    query, needed = _TABLES[table]
    cursor = db.execute(query)
    columns = [one[0] for one in cursor.description]
    if lacking := sorted(needed - set(columns)):
        raise ControlPlaneError(
            f"{path} is no database of simphony-remote: its table {table} has no"
            f" {', '.join(lacking)}.",
            _HINT,
        )
    return [dict(zip(columns, row, strict=True)) for row in cursor]


def _decoded(text: bytes) -> str:
    return text.decode(errors="backslashreplace")


def _users(rows: Sequence[Row], host: Host, told: list[str]) -> dict[int, User]:
    found = {}
    for row in rows:
        try:
            found[row["id"]] = _user(_text(row["name"]), host)
        except ControlPlaneError as error:
            told.append(f"User number {row['id']} was not taken. {why(error)}")
    return found


def _user(name: str, host: Host) -> User:
    if not name:
        raise ControlPlaneError("It has no name.")
    if host.person(name):
        return User(name, "system")
    if host.knows_name(name):
        raise ControlPlaneError(
            f"The account {shown(name)} is one of the system's own and never signs in."
        )
    check_virtual_name(name)
    return User(name, "virtual")


def _applications(rows: Sequence[Row], told: list[str]) -> dict[int, Application]:
    found = {}
    for row in rows:
        try:
            found[row["id"]] = _application(_text(row["image"]))
        except ControlPlaneError as error:
            told.append(f"Application number {row['id']} was not taken. {why(error)}")
    return found


def _application(image: str) -> Application:
    if not image:
        raise ControlPlaneError("It has no image.")
    return application_of(image)


def _grants(
    tables: Mapping[str, Sequence[Row]],
    users: Mapping[int, User],
    known: Mapping[int, Application],
    told: list[str],
) -> list[Grant]:
    policies = {row["id"]: row for row in tables["application_policy"]}
    found: dict[Entry, Grant] = {}
    taken: set[str] = set()
    for row in tables["accounting"]:
        try:
            user = _taken("user", row["user_id"], users)
            application = _taken("application", row["application_id"], known)
            allowed = _policy(_taken("policy", row["application_policy_id"], policies))
        except ControlPlaneError as error:
            told.append(f"{_label(row)} was not taken. {why(error)}")
            continue
        entry = Entry(user.name, application.image, allowed)
        if entry in found:
            same = found[entry].id
            told.append(f"{_label(row)} was not taken: it says the same as the grant {same}.")
            continue
        key = _id(row, entry, taken)
        taken.add(key)
        if _text(row.get("id")) not in ("", key):
            told.append(f"{_label(row)} has the id {key} here: an id is 32 hex digits.")
        found[entry] = Grant(key, Grantee("user", user.name), application, allowed)
    return list(found.values())


def _taken(what: str, number: int, known: Mapping[int, T]) -> T:
    if number not in known:
        raise ControlPlaneError(f"Its {what}, number {number}, is not there or was not taken.")
    return known[number]


def _policy(row: Row) -> Policy:
    fields = ("allow_home", "allow_view", "allow_startup_data")
    volume = (
        _text(row["volume_source"]),
        _text(row["volume_target"]),
        _text(row["volume_mode"]),
    )
    return policy_of(
        {name: row.get(name) == 1 for name in fields}, volume, _text(row.get("app_license"))
    )


def _id(row: Row, entry: Entry, taken: set[str]) -> str:
    """Return the row's own id; up to 0.8 there was none."""
    own = _text(row.get("id"))
    if ID.fullmatch(own):
        return own
    return next(made for nth in count() if (made := grant_id(entry, nth)) not in taken)


def _label(row: Row) -> str:
    if own := _text(row.get("id")):
        return f"Grant {shown(own)}"
    numbers = (row["user_id"], row["application_id"], row["application_policy_id"])
    return "Grant of user number {}, application number {}, policy number {}".format(*numbers)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
