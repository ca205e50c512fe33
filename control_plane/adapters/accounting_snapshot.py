"""Accounting that is kept elsewhere and only read here.

Invariant: what answers is one whole state, the last that could be read; every write is refused.
"""

import hashlib
import json
import logging
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol

from control_plane.domain.entities import Application, Grant, Grantee, Group, Holdings, User
from control_plane.domain.names import shown
from control_plane.errors import (
    ControlPlaneError,
    FieldError,
    InvalidError,
    NotSupportedError,
    StoreUnavailableError,
    UnavailableError,
)

log = logging.getLogger(__name__)
EVERYONE = Grantee("everyone")
ID = re.compile(r"[0-9a-f]{32}")
_NEVER = object()


class Source(Protocol):
    """A place that accounting is read from."""

    def version(self) -> object:
        """Return a value that differs after every change; asked often, so it answers at once."""

    def holdings(self) -> Holdings:
        """Return everything, as it is now."""


class SnapshotAccounting:
    """The ports `Accounting`, read only, and `Stores` over a source.

    It is read at the start, where its error passes on, and again when its version has changed. A
    change that cannot be read leaves the last good state in force: it is logged once and told by
    `check`.
    """

    def __init__(self, source: Source, kept: str = "a place of its own") -> None:
        """Read the source; `kept` says where it is, as messages do: `the file /srv/lab.csv`."""
        self._source = source
        self._kept = kept
        self._lock = threading.Lock()
        self._problem: ControlPlaneError | None = None
        self._taken = 0
        self._seen = source.version()
        self._state = _state(source.holdings())

    @property
    def writable(self) -> bool:
        """It never is: the source is changed elsewhere."""
        return False

    def version(self) -> object:
        """Return a number that grows with every change that could be read."""
        self._now()
        return self._taken

    def check(self) -> None:
        """Raise StoreUnavailableError while the source cannot be read as it is."""
        self._now()
        if problem := self._problem:
            where = ", ".join(one.field for one in _faults_of(problem))
            raise StoreUnavailableError(
                f"{problem.message} {f'See {where}.' if where else ''}".strip(),
                "What it said before stays in force; the log says more.",
            ) from problem

    def user(self, name: str) -> User | None:
        """Return the user of that name."""
        return self._now().users.get(name)

    def users(self) -> Sequence[User]:
        """Return every user, by name."""
        return self._now().holdings.users

    def group(self, name: str) -> Group | None:
        """Return the group of that name, with its members."""
        return self._now().groups.get(name)

    def groups(self) -> Sequence[Group]:
        """Return every group, by name."""
        return tuple(self._now().groups.values())

    def applications(self) -> Sequence[Application]:
        """Return every application, by image."""
        return self._now().holdings.applications

    def application(self, application_id: str) -> Application | None:
        """Return one application."""
        return self._now().applications.get(application_id)

    def grant(self, grant_id: str) -> Grant | None:
        """Return one grant."""
        return self._now().grants.get(grant_id)

    def grants(self) -> Sequence[Grant]:
        """Return every grant, by image and grantee."""
        return self._now().holdings.grants

    def grants_of(self, user: str) -> Sequence[Grant]:
        """Return what a user holds by name, by a group or as everyone, by image and grantee."""
        state = self._now()
        found = state.users.get(user)
        held = [one for by in _hats(found) for one in state.held.get(by, ())] if found else []
        return sorted(held, key=_place)

    def holds(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Grant]:
        """Return those (user, grant id) that hold, with the grant."""
        state = self._now()
        found = {pair: state.grants[pair[1]] for pair in pairs if pair[1] in state.grants}
        return {
            (user, key): grant
            for (user, key), grant in found.items()
            if user in state.users and grant.grantee in _hats(state.users[user])
        }

    def holdings(self) -> Holdings:
        """Return everything, as it is at one moment."""
        return self._now().holdings

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Raise NotSupportedError: nothing is written here."""
        raise NotSupportedError(
            f"Accounting is kept in {self._kept} and is only read here.",
            "Change it there: what is changed counts from the next request on.",
        )

    reserve_uids = rewrite = _refuse
    add_user = change_user = remove_user = _refuse
    add_group = change_group = remove_group = _refuse
    add_application = change_application = remove_application = _refuse
    add_grant = change_grant = remove_grants = _refuse

    def _now(self) -> "_State":
        with self._lock:
            try:
                self._follow()
            except ControlPlaneError as error:
                self._note(error)
            return self._state

    def _follow(self) -> None:
        """Read the source again if it changed, or if it could not be asked the last time."""
        before, self._seen = self._seen, _NEVER
        version = self._source.version()
        if version != before:
            try:
                self._state = _state(self._source.holdings())
            except UnavailableError:
                raise
            except ControlPlaneError:
                self._seen = version  # the same again would be as wrong
                raise
            self._problem = None
            self._taken += 1
        self._seen = version

    def _note(self, error: ControlPlaneError) -> None:
        faults = _faults_of(error)
        told = self._problem
        if told is None or (told.message, _faults_of(told)) != (error.message, faults):
            log.error("accounting stays as it was kept=%s problem=%s", self._kept, error.message)
            for one in faults:
                log.error("accounting cannot be read at=%s problem=%s", one.field, one.message)
        self._problem = error


def stable_id(*words: str) -> str:
    """Return 32 hex digits that are the same for the same words at any time."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _State:
    """One state of the source, with what is asked of it at hand."""

    holdings: Holdings
    users: Mapping[str, User]
    groups: Mapping[str, Group]
    applications: Mapping[str, Application]
    grants: Mapping[str, Grant]
    held: Mapping[Grantee, Sequence[Grant]]


def _state(given: Holdings) -> _State:
    if faults := list(_faults(given)):
        raise InvalidError("What accounting says does not fit together.", faults)
    tidy = (replace(one, groups=tuple(sorted(one.groups))) for one in given.users)
    users = tuple(sorted(tidy, key=lambda one: one.name))
    groups = tuple(sorted(given.groups))
    applications = tuple(sorted(given.applications, key=lambda one: one.image))
    grants = tuple(sorted(given.grants, key=_place))
    members = {name: [one.name for one in users if name in one.groups] for name in groups}
    held: dict[Grantee, list[Grant]] = {}
    for grant in grants:
        held.setdefault(grant.grantee, []).append(grant)
    return _State(
        holdings=Holdings(users, groups, applications, grants),
        users={one.name: one for one in users},
        groups={name: Group(name, tuple(members[name])) for name in groups},
        applications={one.id: one for one in applications},
        grants={one.id: one for one in grants},
        held=held,
    )


def _place(grant: Grant) -> tuple[str, str, str, str]:
    return grant.application.image, grant.grantee.kind, grant.grantee.name, grant.id


def _hats(user: User) -> list[Grantee]:
    """Return each grantee that a user counts as."""
    return [Grantee("user", user.name), *(Grantee("group", one) for one in user.groups), EVERYONE]


def _faults(given: Holdings) -> Iterator[FieldError]:
    """Yield what would make an answer wrong or two answers differ."""
    yield from _twice("user", [one.name for one in given.users])
    yield from _twice("uid", [str(one.uid) for one in given.users if one.uid is not None])
    yield from _twice("group", given.groups)
    yield from _twice("image", [one.image for one in given.applications])
    yield from _twice("application", [one.id for one in given.applications])
    yield from _twice("grant", [one.id for one in given.grants])
    yield from _strays(given)


def _twice(what: str, names: Sequence[str]) -> Iterator[FieldError]:
    for name, count in Counter(names).items():
        if count > 1:
            yield FieldError(f"{what} {shown(name)}", "stands there twice; once is allowed")


def _strays(given: Holdings) -> Iterator[FieldError]:
    grantees = {EVERYONE, *(Grantee("group", one) for one in given.groups)}
    grantees |= {Grantee("user", one.name) for one in given.users}
    applications = {one.id: one for one in given.applications}
    for user in given.users:
        if user.kind == "virtual" and (user.uid is None or user.gid is None):
            yield FieldError(f"user {shown(user.name)}", "is virtual: must have a uid and a gid")
        for name in set(user.groups) - set(given.groups):
            yield FieldError(f"user {shown(user.name)}", f"is in no known group: {shown(name)}")
    for grant in given.grants:
        if not ID.fullmatch(grant.id):
            yield FieldError(f"grant {shown(grant.id)}", "must have an id of 32 hex digits, 0-9a-f")
        known = applications.get(grant.application.id) == grant.application
        if grant.grantee not in grantees or not known:
            yield FieldError(f"grant {shown(grant.id)}", "is for somebody or something unknown")


def _faults_of(error: ControlPlaneError) -> tuple[FieldError, ...]:
    return error.errors if isinstance(error, InvalidError) else ()
