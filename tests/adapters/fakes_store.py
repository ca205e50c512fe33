"""Stores in memory: they pass the contract tests that the databases pass."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from control_plane.domain.entities import (
    Application,
    AuditRow,
    Grant,
    Policy,
    Session,
    SignIn,
    State,
    Token,
    UsageRow,
    User,
)
from control_plane.errors import ConflictError, NotFoundError, StoreUnavailableError


class FakeAccounting:
    """Accounting in dicts."""

    def __init__(self) -> None:
        """Start empty."""
        self.writes = 0
        self._users: dict[str, User] = {}
        self._applications: dict[str, Application] = {}
        self._grants: dict[str, Grant] = {}
        self._given: set[int] = set()

    def user(self, name: str) -> User | None:
        return self._users.get(name)

    def users(self) -> Sequence[User]:
        return sorted(self._users.values(), key=lambda user: user.name)

    def add_user(self, user: User) -> None:
        uids = {one.uid for one in self._users.values()} - {None}
        if user.name in self._users or user.uid in uids:
            raise ConflictError(f"There is a user {user.name} already.")
        self._users[user.name] = user
        self._given |= {user.uid} if user.uid is not None else set()
        self.writes += 1

    def change_user(self, user: User) -> None:
        self._known_user(user.name)
        self._users[user.name] = user
        self.writes += 1

    def remove_user(self, name: str) -> None:
        self._known_user(name)
        del self._users[name]
        self._drop([one for one in self._grants.values() if one.user == name])

    def next_uid(self, first: int, last: int, taken: Callable[[int], bool]) -> int:
        for uid in range(first, last + 1):
            if uid not in self._given and not taken(uid):
                self._given.add(uid)
                self.writes += 1
                return uid
        raise ConflictError("None is left.")

    def applications(self) -> Sequence[Application]:
        return sorted(self._applications.values(), key=lambda one: one.image)

    def add_application(self, application: Application) -> None:
        if application.image in self._applications:
            raise ConflictError(f"There is an application of {application.image} already.")
        self._applications[application.image] = application
        self.writes += 1

    def remove_application(self, image: str) -> None:
        self._known_application(image)
        del self._applications[image]
        self._drop([one for one in self._grants.values() if one.application.image == image])

    def grant(self, grant_id: str) -> Grant | None:
        return self._grants.get(grant_id)

    def granted(self, grant_ids: Collection[str]) -> set[str]:
        return {one for one in grant_ids if self.grant(one)}

    def grants_of(self, user: str) -> Sequence[Grant]:
        mine = [one for one in self._grants.values() if one.user == user]
        return sorted(mine, key=lambda one: (one.application.image, one.id))

    def add_grant(self, image: str, user: str, policy: Policy) -> Grant:
        self._known_user(user)
        application = self._known_application(image)
        for one in self._grants.values():
            if (one.user, one.application, one.policy) == (user, application, policy):
                return one
        made = Grant(secrets.token_hex(16), user, application, policy)
        self._grants[made.id] = made
        self.writes += 1
        return made

    def revoke(self, image: str, user: str, policy: Policy | None) -> int:
        gone = [
            one
            for one in self._grants.values()
            if (one.application.image, one.user) == (image, user) and policy in (None, one.policy)
        ]
        self._drop(gone)
        return len(gone)

    def _known_user(self, name: str) -> None:
        if name not in self._users:
            raise NotFoundError(f"There is no user {name}.")

    def _known_application(self, image: str) -> Application:
        if image not in self._applications:
            raise NotFoundError(f"There is no application of the image {image}.")
        return self._applications[image]

    def _drop(self, grants: Sequence[Grant]) -> None:
        for one in grants:
            del self._grants[one.id]
        self.writes += 1


class FakeRecords:
    """Records in dicts and lists."""

    def __init__(self) -> None:
        """Start empty."""
        self.writes = 0
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._cursors: Counter[str] = Counter()
        self._signins: dict[str, SignIn] = {}
        self._passwords: dict[str, str] = {}
        self._tokens: dict[str, Token] = {}
        self._attempts: list[tuple[str, str, datetime]] = []
        self._usage: dict[str, UsageRow] = {}
        self._audit: list[AuditRow] = []

    def add_session(self, session: Session) -> None:
        if session.id in self._sessions:
            raise ConflictError("That session is there already.")
        self.save_session(session)

    def save_session(self, session: Session) -> None:
        self._sessions[session.id] = replace(session)
        self._wrote()

    def session(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def open_sessions(self) -> Sequence[Session]:
        found = [
            one
            for one in list(self._sessions.values())
            if one.living or (one.state is State.FAILED and not one.dismissed)
        ]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    def ended_sessions(self, owner: str, since: datetime) -> Sequence[Session]:
        found = [one for one in self._ended(since) if one.owner == owner and not one.living]
        return sorted(found, key=lambda one: one.ended_at or since, reverse=True)

    def addresses_ended_since(self, since: datetime) -> Sequence[str]:
        return sorted({one.address for one in self._ended(since)})

    def cursor(self, name: str) -> int:
        return self._cursors[name]

    def set_cursor(self, name: str, value: int) -> None:
        self._cursors[name] = value
        self._wrote()

    def add_signin(self, signin: SignIn) -> None:
        self._signins[signin.id] = signin
        self._wrote()

    def end_signin(self, signin_id: str) -> None:
        self._signins.pop(signin_id, None)
        self._wrote()

    def end_signins(self, user: str, but: str = "") -> int:
        gone = [one for one in self._signins.values() if one.user == user and one.id != but]
        for one in gone:
            self.end_signin(one.id)
        return len(gone)

    def signins(self, now: datetime) -> Sequence[SignIn]:
        for one in [one for one in self._signins.values() if one.expires_at <= now]:
            self.end_signin(one.id)
        return list(self._signins.values())

    def password(self, user: str) -> str | None:
        return self._passwords.get(user)

    def set_password(self, user: str, digest: str) -> None:
        self._passwords[user] = digest
        self._wrote()

    def forget_user(self, user: str) -> None:
        self._passwords.pop(user, None)
        self.end_signins(user)
        self.remove_tokens(user)

    def add_token(self, token: Token) -> None:
        self._tokens[token.id] = token
        self._wrote()

    def tokens(self, now: datetime) -> Sequence[Token]:
        living = [one for one in self._tokens.values() if one.expires_at > now]
        return sorted(living, key=lambda one: (one.created_at, one.id))

    def remove_token(self, user: str, token_id: str) -> bool:
        found = self._tokens.get(token_id)
        if found is None or found.user != user:
            return False
        del self._tokens[token_id]
        self._wrote()
        return True

    def remove_tokens(self, user: str) -> int:
        mine = [one.id for one in self._tokens.values() if one.user == user]
        return sum(self.remove_token(user, token_id) for token_id in mine)

    def add_attempt(self, name: str, address: str, at: datetime) -> None:
        self._attempts.append((name, address, at))
        self._wrote()

    def attempts(self, name: str, address: str, since: datetime) -> tuple[int, int]:
        names = [one for one, where, at in self._attempts if where == address and at >= since]
        return names.count(name), len(names)

    def forget_attempts(self, name: str, address: str, before: datetime) -> None:
        self._attempts = [
            one for one in self._attempts if one[:2] != (name, address) and one[2] >= before
        ]
        self._wrote()

    def add_usage(self, row: UsageRow) -> None:
        self._usage.setdefault(row.session_id, row)
        self._wrote()

    def usage(self) -> Sequence[UsageRow]:
        return sorted(self._usage.values(), key=lambda row: (row.started_at, row.session_id))

    def add_audit(self, row: AuditRow) -> None:
        self._audit.append(row)
        self._wrote()

    def audit(self) -> Sequence[AuditRow]:
        return list(self._audit)

    def _ended(self, since: datetime) -> list[Session]:
        return [one for one in self._sessions.values() if one.ended_at and one.ended_at > since]

    def _wrote(self) -> None:
        with self._lock:
            self.writes += 1


class FakeStores:
    """Watches the fakes; `away` makes it as good as a database that does not answer."""

    def __init__(self, accounting: FakeAccounting, records: FakeRecords) -> None:
        """Watch these two."""
        self.away = False
        self._accounting = accounting
        self._records = records

    def version(self) -> object:
        self.check()
        return self._accounting.writes, self._records.writes

    def check(self) -> None:
        if self.away:
            raise StoreUnavailableError("The database does not answer.")
