"""Stores in memory: they pass the contract tests that the databases pass."""

import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from control_plane.adapters.accounting_rewrite import tidy
from control_plane.domain.entities import (
    Announcement,
    Application,
    AuditRow,
    Grant,
    Grantee,
    Group,
    Holdings,
    HomeTask,
    LastStart,
    Link,
    Policy,
    Session,
    Share,
    SignIn,
    State,
    Token,
    UsageRow,
    User,
)
from control_plane.domain.stores import (
    ApplicationChange,
    GroupChange,
    PolicyChange,
    Rewriting,
    UserChange,
)
from control_plane.errors import ConflictError, NotFoundError, StoreUnavailableError

T = TypeVar("T")


class FakeAccounting:
    """Accounting as one value, which every change replaces."""

    def __init__(self) -> None:
        """Start empty."""
        self.writes = 0
        self._lock = threading.RLock()
        self._held = Holdings()
        self._given: set[int] = set()

    @property
    def writable(self) -> bool:
        return True

    def user(self, name: str) -> User | None:
        return next((one for one in self._held.users if one.name == name), None)

    def users(self) -> Sequence[User]:
        return self._held.users

    def group(self, name: str) -> Group | None:
        return next((one for one in self.groups() if one.name == name), None)

    def groups(self) -> Sequence[Group]:
        held = self._held
        return [
            Group(name, tuple(user.name for user in held.users if name in user.groups))
            for name in held.groups
        ]

    def applications(self) -> Sequence[Application]:
        return self._held.applications

    def application(self, application_id: str) -> Application | None:
        return next((one for one in self._held.applications if one.id == application_id), None)

    def grant(self, grant_id: str) -> Grant | None:
        return next((one for one in self._held.grants if one.id == grant_id), None)

    def grants(self) -> Sequence[Grant]:
        return self._held.grants

    def grants_of(self, user: str) -> Sequence[Grant]:
        mine = [one for one in self._held.grants if self._is_for(one, user)]
        return sorted(mine, key=lambda one: (one.application.image, one.id))

    def holds(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Grant]:
        found = {pair: self.grant(pair[1]) for pair in pairs}
        return {pair: one for pair, one in found.items() if one and self._is_for(one, pair[0])}

    def holdings(self) -> Holdings:
        return self._held

    def reserve_uids(
        self, count: int, first: int, last: int, taken: Callable[[int], bool]
    ) -> Sequence[int]:
        with self._lock:
            free = [one for one in range(first, last + 1) if one not in self._given]
            chosen = [one for one in free if not taken(one)][:count]
            if len(chosen) < count:
                raise ConflictError("Too few are left.")
            self._given |= set(chosen)
            self.writes += 1
            return chosen

    def add_user(self, user: User) -> None:
        self.rewrite(lambda held: replace(held, users=(*held.users, user)))

    def change_user(self, name: str, change: UserChange) -> User:
        def changed(held: Holdings) -> Holdings:
            now = replace(change(self._user(name)), name=name)
            return replace(held, users=(*_others(held.users, name), now))

        self.rewrite(changed)
        return self._user(name)

    def remove_user(self, name: str) -> None:
        self._user(name)
        self.rewrite(
            lambda held: replace(
                held, users=_others(held.users, name), grants=_not_of(held, "user", name)
            )
        )

    def add_group(self, group: Group) -> None:
        def changed(held: Holdings) -> Holdings:
            added = replace(held, groups=(*held.groups, group.name))
            return self._with_members(added, group.name, group.members)

        self.rewrite(changed)

    def change_group(self, name: str, change: GroupChange) -> Group:
        self.rewrite(lambda held: self._with_members(held, name, change(self._group(name)).members))
        return self._group(name)

    def remove_group(self, name: str) -> None:
        self._group(name)

        def changed(held: Holdings) -> Holdings:
            held = self._with_members(held, name, ())
            groups = tuple(one for one in held.groups if one != name)
            return replace(held, groups=groups, grants=_not_of(held, "group", name))

        self.rewrite(changed)

    def add_application(self, application: Application) -> None:
        self.rewrite(lambda held: replace(held, applications=(*held.applications, application)))

    def change_application(self, application_id: str, change: ApplicationChange) -> Application:
        def changed(held: Holdings) -> Holdings:
            now = replace(change(self._application(application_id)), id=application_id)
            others = (one for one in held.applications if one.id != application_id)
            return replace(held, applications=(*others, now))

        self.rewrite(changed)
        return self._application(application_id)

    def remove_application(self, application_id: str) -> None:
        self._application(application_id)
        self.rewrite(
            lambda held: replace(
                held,
                applications=tuple(one for one in held.applications if one.id != application_id),
                grants=tuple(one for one in held.grants if one.application.id != application_id),
            )
        )

    def add_grant(self, grantee: Grantee, application_id: str, policy: Policy) -> Grant:
        self._known(grantee)
        made = Grant(secrets.token_hex(16), grantee, self._application(application_id), policy)
        for one in self._held.grants:
            if replace(one, id=made.id) == made:
                return one
        self.rewrite(lambda held: replace(held, grants=(*held.grants, made)))
        return made

    def change_grant(self, grant_id: str, change: PolicyChange) -> Grant:
        def changed(held: Holdings) -> Holdings:
            was = self._grant(grant_id)
            others = (one for one in held.grants if one.id != grant_id)
            return replace(held, grants=(*others, replace(was, policy=change(was))))

        self.rewrite(changed)
        return self._grant(grant_id)

    def remove_grants(self, grant_ids: Collection[str]) -> int:
        before = len(self._held.grants)
        self.rewrite(
            lambda held: replace(
                held, grants=tuple(one for one in held.grants if one.id not in grant_ids)
            )
        )
        return before - len(self._held.grants)

    def rewrite(self, change: Rewriting) -> Holdings:
        with self._lock:
            now = tidy(change(self._held))
            self.writes += now != self._held
            self._held = now
            self._given |= {one.uid for one in now.users if one.uid is not None}
            return now

    def _is_for(self, grant: Grant, name: str) -> bool:
        user = self.user(name)
        if user is None:
            return False
        groups = {Grantee("group", group) for group in user.groups}
        return grant.grantee in groups | {Grantee("user", name), Grantee("everyone")}

    def _with_members(self, held: Holdings, name: str, members: Collection[str]) -> Holdings:
        for member in members:
            self._user(member)

        def moved(user: User) -> User:
            left = tuple(one for one in user.groups if one != name)
            return replace(user, groups=(*left, name) if user.name in members else left)

        return replace(held, users=tuple(moved(user) for user in held.users))

    def _known(self, grantee: Grantee) -> None:
        if grantee.kind == "user":
            self._user(grantee.name)
        elif grantee.kind == "group":
            self._group(grantee.name)

    def _user(self, name: str) -> User:
        return _there(self.user(name), name)

    def _group(self, name: str) -> Group:
        return _there(self.group(name), name)

    def _application(self, application_id: str) -> Application:
        return _there(self.application(application_id), application_id)

    def _grant(self, grant_id: str) -> Grant:
        return _there(self.grant(grant_id), grant_id)


def _there(found: T | None, name: str) -> T:
    if found is None:
        raise NotFoundError(f"There is no {name}.")
    return found


def _others(users: Sequence[User], name: str) -> tuple[User, ...]:
    return tuple(one for one in users if one.name != name)


def _not_of(held: Holdings, kind: str, name: str) -> tuple[Grant, ...]:
    return tuple(one for one in held.grants if (one.grantee.kind, one.grantee.name) != (kind, name))


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
        self._uids: dict[str, int] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._kept: frozenset[str] = frozenset()
        self._home_tasks: dict[str, HomeTask] = {}
        self._shares: dict[str, Share] = {}
        self._starts: dict[tuple[str, str], LastStart] = {}
        self._announcement: Announcement | None = None
        self._usage: dict[str, UsageRow] = {}
        self._audit: list[AuditRow] = []

    def add_session(self, session: Session) -> None:
        if session.id in self._sessions:
            raise ConflictError("That session is there already.")
        self.save_session(session)

    def save_session(self, session: Session) -> None:
        policy = session.policy and replace(session.policy, app_license="")
        self._sessions[session.id] = replace(session, policy=policy)
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

    def forget_ended(self, before: datetime, now: datetime) -> int:
        old = [
            one.id
            for one in self._sessions.values()
            if one.ended_at
            and one.ended_at < before
            and (one.state is State.STOPPED or one.dismissed)
        ]
        expired = [one.id for one in self._tokens.values() if one.expires_at <= now]
        for key in old:
            del self._sessions[key]
        for key in expired:
            del self._tokens[key]
        return len(old) + len(expired)

    def note_start(self, start: LastStart) -> None:
        self._starts[start.owner, start.grant_id] = start
        self._wrote()

    def last_starts(self, owner: str) -> Mapping[str, LastStart]:
        return {one.grant_id: one for one in self._starts.values() if one.owner == owner}

    def places_ended_since(self, since: datetime) -> Sequence[tuple[str, int]]:
        return sorted({(one.address, one.port) for one in self._ended(since)})

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

    def note_shares(self, signin_id: str, shares: Sequence[str]) -> bool:
        signin = self._signins.get(signin_id)
        if signin:
            self._signins[signin_id] = replace(signin, shares=tuple(shares))
            self._wrote()
        return signin is not None

    def add_share(self, share: Share) -> None:
        self._shares[share.id] = share
        self._wrote()

    def shares(self) -> Sequence[Share]:
        return sorted(self._shares.values(), key=lambda one: (one.created_at, one.id))

    def remove_shares(self, share_ids: Collection[str]) -> None:
        for share_id in share_ids:
            self._shares.pop(share_id, None)
        self._wrote()

    def password(self, user: str) -> str | None:
        return self._passwords.get(user)

    def set_password(self, user: str, digest: str) -> None:
        self._passwords[user] = digest
        self._wrote()

    def forget_user(self, user: str) -> None:
        self._passwords.pop(user, None)
        self.end_signins(user)
        self.remove_tokens(user)
        self._links = {key: one for key, one in self._links.items() if one.user != user}
        self.end_keeping({f"user:{user}"})
        self._forget_shares("user", user)
        self._starts = {key: one for key, one in self._starts.items() if one.owner != user}
        for one in list(self._sessions.values()):
            if one.owner == user and not one.living:
                del self._sessions[one.id]

    def forget_group(self, group: str) -> None:
        self._forget_shares("group", group)

    def _forget_shares(self, kind: str, name: str) -> None:
        gone = [one.id for one in self.shares() if (one.kind, one.name) == (kind, name)]
        self.remove_shares(gone)

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

    def reserve_uid(self, user: str, first: int, last: int, taken: Callable[[int], bool]) -> int:
        with self._lock:
            if user not in self._uids:
                given = set(self._uids.values())
                free = (one for one in range(first, last + 1) if one not in given)
                uid = next((one for one in free if not taken(one)), None)
                if uid is None:
                    raise ConflictError("None is left.")
                self._uids[user] = uid
                self.writes += 1
            return self._uids[user]

    def link(self, issuer: str, subject: str) -> Link | None:
        return self._links.get((issuer, subject))

    def add_link(self, link: Link) -> None:
        if self.link(link.issuer, link.subject):
            raise ConflictError(f"{link.subject} is linked already.")
        self._links[link.issuer, link.subject] = link
        self._wrote()

    def keep_running(self, keys: Collection[str]) -> None:
        self._kept |= set(keys)
        self._wrote()

    def kept_running(self) -> frozenset[str]:
        return self._kept

    def end_keeping(self, keys: Collection[str]) -> None:
        self._kept -= set(keys)
        self._wrote()

    def add_home_task(self, task: HomeTask) -> None:
        self._home_tasks[task.volume] = task
        self._wrote()

    def home_tasks(self) -> Sequence[HomeTask]:
        return sorted(self._home_tasks.values(), key=lambda task: (task.at, task.volume))

    def end_home_task(self, volume: str) -> None:
        self._home_tasks.pop(volume, None)
        self._wrote()

    def announcement(self) -> Announcement | None:
        return self._announcement

    def announce(self, announcement: Announcement | None) -> None:
        self._announcement = announcement
        self._wrote()

    def save_usage(self, row: UsageRow) -> None:
        self._usage[row.session_id] = row
        self._wrote()

    def usage_of(self, session_id: str) -> UsageRow | None:
        return self._usage.get(session_id)

    def usage(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[UsageRow]:
        found = [row for row in self._usage.values() if _lies_in(row, since, until)]
        return sorted(found, key=lambda row: (row.started_at, row.session_id))

    def add_audit(self, row: AuditRow) -> None:
        self.add_audits([row])

    def add_audits(self, rows: Sequence[AuditRow]) -> None:
        self._audit.extend(rows)
        self._wrote()

    def audit(  # noqa: PLR0913 - the port's
        self,
        *,
        actor: str = "",
        action: str = "",
        target: str = "",
        words: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Sequence[AuditRow]:
        found = [
            row
            for row in reversed(self._audit)
            if actor in {"", row.actor}
            and action in {"", row.action}
            and target in {"", row.target}
            and all(word in _words_of(row) for word in words.casefold().split())
            and (since is None or row.at >= since)
            and (until is None or row.at < until)
        ]
        found.sort(key=lambda row: row.at, reverse=True)
        return found[offset:] if limit is None else found[offset : offset + limit]

    def audit_count(  # noqa: PLR0913 - those of `audit`
        self,
        *,
        actor: str = "",
        action: str = "",
        target: str = "",
        words: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        fitting = self.audit(
            actor=actor, action=action, target=target, words=words, since=since, until=until
        )
        return len(fitting)

    def _ended(self, since: datetime) -> list[Session]:
        return [one for one in self._sessions.values() if one.ended_at and one.ended_at > since]

    def _wrote(self) -> None:
        with self._lock:
            self.writes += 1


def _words_of(row: AuditRow) -> str:
    changes = [json.dumps(one, ensure_ascii=False) for one in (row.before, row.after) if one]
    words = (row.actor, row.action, row.target, row.address, row.detail, *changes)
    return "\n".join(words).casefold()


def _lies_in(row: UsageRow, since: datetime | None, until: datetime | None) -> bool:
    if until is not None and row.started_at >= until:
        return False
    return since is None or row.started_at >= since or row.ended_at is None or row.ended_at > since


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
