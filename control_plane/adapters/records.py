"""Records in a database: what was asked, who signed in, what was used, who did what.

Invariant: people stand here by name, so that ledger and audit outlive an account.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import peewee

from control_plane.adapters.database import Database, delete, insert, put
from control_plane.adapters.records_ledgers import (
    audit_fitting,
    entity,
    session_of,
    session_row,
    signin_of,
    token_of,
    usage_between,
    usage_of,
)
from control_plane.adapters.records_rows import (
    AnnouncementRow,
    AttemptRow,
    AuditLogRow,
    CursorRow,
    HomeTaskRow,
    KeptRow,
    LastStartRow,
    LinkRow,
    PasswordRow,
    SessionRow,
    ShareRow,
    SignInRow,
    TokenRow,
    UidRow,
    UsageLedgerRow,
)
from control_plane.adapters.uids import free_uid
from control_plane.domain.entities import (
    LIVING,
    Announcement,
    AuditRow,
    HomeTask,
    LastStart,
    Link,
    Session,
    Share,
    SignIn,
    State,
    Token,
    UsageRow,
)
from control_plane.domain.names import shown
from control_plane.errors import ConflictError

_ROWS_AT_ONCE = 500
_ENDED = (State.STOPPED, State.FAILED)
_ANNOUNCEMENT = 1  # the key of the only row


class PeeweeRecords:
    """The port `Records` on one database, whose schema is up to date."""

    def __init__(self, database: Database) -> None:
        """Keep the database; nothing is read yet."""
        self._database = database

    def add_session(self, session: Session) -> None:
        """Write a new session's record; ConflictError when the id is there already."""
        self._insert(SessionRow, session_row(session))

    def save_session(self, session: Session) -> None:
        """Replace the record of that id, or write it when there is none."""
        self._put(SessionRow, SessionRow.id, session_row(session))

    def session(self, session_id: str) -> Session | None:
        """Return one record."""
        found = self._sessions(SessionRow.select().where(SessionRow.id == session_id))
        return found[0] if found else None

    def open_sessions(self) -> Sequence[Session]:
        """Return the living ones and the failures nobody has dismissed, oldest first."""
        living = SessionRow.state.in_(list(LIVING))
        failed = (SessionRow.state == State.FAILED) & (SessionRow.dismissed == False)  # noqa: E712 - peewee's way to write SQL
        query = SessionRow.select().where(living | failed)
        return self._sessions(query.order_by(SessionRow.created_at, SessionRow.id))

    def ended_sessions(self, owner: str, since: datetime) -> Sequence[Session]:
        """Return the owner's stopped or failed ones that ended after `since`, newest first."""
        query = SessionRow.select().where(
            SessionRow.owner == owner,
            SessionRow.ended_at > since,
            SessionRow.state.in_(_ENDED),
        )
        return self._sessions(query.order_by(SessionRow.ended_at.desc(), SessionRow.id))

    def forget_ended(self, before: datetime, now: datetime) -> int:
        """Remove what ended before then, but failures nobody has dismissed, and expired tokens."""
        dismissed = (SessionRow.state == State.STOPPED) | (SessionRow.dismissed == True)  # noqa: E712 - peewee's way to write SQL
        old = (SessionRow.ended_at < before) & dismissed
        expired = TokenRow.expires_at <= now
        found = self._rows(SessionRow.select(SessionRow.id).where(old).limit(1))
        found += self._rows(TokenRow.select(TokenRow.id).where(expired).limit(1))
        if not found:  # then nothing is written, and no watcher wakes
            return 0
        with self._database.writing() as db:
            return delete(db, SessionRow, old) + delete(db, TokenRow, expired)

    def note_start(self, start: LastStart) -> None:
        """Replace what that owner started last of that grant."""
        same = (LastStartRow.owner == start.owner) & (LastStartRow.grant_id == start.grant_id)
        with self._database.writing() as db:
            delete(db, LastStartRow, same)
            insert(db, LastStartRow, [asdict(start)])

    def last_starts(self, owner: str) -> Mapping[str, LastStart]:
        """Return what an owner started last of each grant, by the grant's id."""
        found = self._rows(LastStartRow.select().where(LastStartRow.owner == owner))
        return {row.grant_id: entity(LastStart, row) for row in found}

    def places_ended_since(self, since: datetime) -> Sequence[tuple[str, int]]:
        """Return the address and port of each session that ended after `since`."""
        query = SessionRow.select(SessionRow.address, SessionRow.port)
        found = self._rows(query.where(SessionRow.ended_at > since).distinct())
        return sorted((row.address, row.port) for row in found)

    def cursor(self, name: str) -> int:
        """Return a named counter; 0 before it was ever set."""
        with self._database.reading() as db:
            row = CursorRow.select().where(CursorRow.name == name).get_or_none(db)
        return row.value if row else 0

    def set_cursor(self, name: str, value: int) -> None:
        """Set a named counter."""
        self._put(CursorRow, CursorRow.name, {"name": name, "value": value})

    def add_signin(self, signin: SignIn) -> None:
        """Write a sign-in."""
        self._insert(SignInRow, asdict(signin))

    def end_signin(self, signin_id: str) -> None:
        """Forget a sign-in; an unknown id is no error."""
        self._delete(SignInRow, SignInRow.id == signin_id)

    def end_signins(self, user: str, but: str = "") -> int:
        """Forget all of a user's sign-ins except `but`; return how many."""
        return self._delete(SignInRow, (SignInRow.user == user) & (SignInRow.id != but))

    def signins(self, now: datetime) -> Sequence[SignIn]:
        """Return the sign-ins that have not expired, and forget those that have."""
        found = [signin_of(row) for row in self._rows(SignInRow.select())]
        living = [signin for signin in found if now < signin.expires_at]
        if len(living) < len(found):  # else nothing is written, and no watcher wakes
            self._delete(SignInRow, SignInRow.expires_at <= now)
        return living

    def note_shares(self, signin_id: str, shares: Sequence[str]) -> bool:
        """Replace what a sign-in has entered; False when it has ended."""
        with self._database.writing() as db:
            row = SignInRow.select().where(SignInRow.id == signin_id).get_or_none(db)
            if row:
                put(db, SignInRow, SignInRow.id, asdict(signin_of(row)) | {"shares": shares})
        return row is not None

    def add_share(self, share: Share) -> None:
        """Write a share."""
        self._insert(ShareRow, asdict(share))

    def shares(self) -> Sequence[Share]:
        """Return every share, oldest first; whether one has expired is for the reader to see."""
        query = ShareRow.select().order_by(ShareRow.created_at, ShareRow.id)
        return [entity(Share, row) for row in self._rows(query)]

    def remove_shares(self, share_ids: Collection[str]) -> None:
        """Forget shares; an unknown id is no error."""
        self._delete(ShareRow, ShareRow.id.in_(list(share_ids)))

    def password(self, user: str) -> str | None:
        """Return the hash of a virtual user's password."""
        with self._database.reading() as db:
            row = PasswordRow.select().where(PasswordRow.user == user).get_or_none(db)
        return row.digest if row else None

    def set_password(self, user: str, digest: str) -> None:
        """Set or replace it."""
        self._put(PasswordRow, PasswordRow.user, {"user": user, "digest": digest})

    def forget_user(self, user: str) -> None:
        """Remove all but ledger, audit and living sessions: what goes by this name only."""
        with self._database.writing() as db:
            for model in (PasswordRow, SignInRow, TokenRow, LinkRow):
                delete(db, model, model.user == user)
            delete(db, KeptRow, KeptRow.key == f"user:{user}")
            delete(db, ShareRow, (ShareRow.kind == "user") & (ShareRow.name == user))
            delete(db, LastStartRow, LastStartRow.owner == user)
            ended = SessionRow.state.in_(_ENDED)
            delete(db, SessionRow, (SessionRow.owner == user) & ended)

    def forget_group(self, group: str) -> None:
        """Remove the shares that let in that group."""
        self._delete(ShareRow, (ShareRow.kind == "group") & (ShareRow.name == group))

    def add_token(self, token: Token) -> None:
        """Write a token."""
        self._insert(TokenRow, asdict(token))

    def tokens(self, now: datetime) -> Sequence[Token]:
        """Return the tokens that have not expired, oldest first."""
        query = TokenRow.select().where(TokenRow.expires_at > now)
        rows = self._rows(query.order_by(TokenRow.created_at, TokenRow.id))
        return [token_of(row) for row in rows]

    def remove_token(self, user: str, token_id: str) -> bool:
        """Remove that user's token; False when there is none."""
        return self._delete(TokenRow, (TokenRow.user == user) & (TokenRow.id == token_id)) > 0

    def remove_tokens(self, user: str) -> int:
        """Remove all of a user's tokens; return how many."""
        return self._delete(TokenRow, TokenRow.user == user)

    def add_attempt(self, name: str, address: str, at: datetime) -> None:
        """Count an attempt to sign in, before it is judged."""
        self._insert(AttemptRow, {"name": name, "address": address, "at": at})

    def attempts(self, name: str, address: str, since: datetime) -> tuple[int, int]:
        """Return the attempts since then: of this pair, and of the address with any name."""
        of_pair = peewee.Case(None, [(AttemptRow.name == name, 1)])  # else NULL: not counted
        query: Any = AttemptRow.select(
            peewee.fn.COUNT(of_pair), peewee.fn.COUNT(AttemptRow.name)
        ).where(AttemptRow.address == address, AttemptRow.at >= since)
        ((pair, all_names),) = self._rows(query.tuples())
        return pair, all_names

    def forget_attempts(self, name: str, address: str, before: datetime) -> None:
        """Forget the attempts of this pair, and every one that is older than `before`."""
        pair = (AttemptRow.name == name) & (AttemptRow.address == address)
        self._delete(AttemptRow, pair | (AttemptRow.at < before))

    def reserve_uid(self, user: str, first: int, last: int, taken: Callable[[int], bool]) -> int:
        """Return the uid of a user whose accounting keeps none: the same for ever.

        ConflictError when none is left that was never given here.
        """
        while True:  # until no other process was faster
            if found := self._rows(UidRow.select().where(UidRow.user == user)):
                return int(found[0].uid)
            uid = free_uid(self._given_uids(first, last), first, last, taken)
            with self._database.writing() as db:
                same = (UidRow.user == user) | (UidRow.uid == uid)
                if not UidRow.select().where(same).get_or_none(db):
                    insert(db, UidRow, [{"user": user, "uid": uid}])
                    return uid

    def link(self, issuer: str, subject: str) -> Link | None:
        """Return whom an account elsewhere signs in."""
        same = (LinkRow.issuer == issuer) & (LinkRow.subject == subject)
        found = self._rows(LinkRow.select().where(same))
        return entity(Link, found[0]) if found else None

    def add_link(self, link: Link) -> None:
        """Link an account elsewhere; ConflictError when its subject is linked already."""
        if self.link(link.issuer, link.subject):
            raise ConflictError(
                f"The account {shown(link.subject)} of {shown(link.issuer)} is linked already."
            )
        self._insert(LinkRow, asdict(link))

    def keep_running(self, keys: Collection[str]) -> None:
        """Note what shall compute on: `user:<name>` or `grant:<id>`; again is no error."""
        with self._database.writing() as db:
            for key in sorted(set(keys)):
                put(db, KeptRow, KeptRow.key, {"key": key})

    def kept_running(self) -> frozenset[str]:
        """Return what shall compute on."""
        return frozenset(row.key for row in self._rows(KeptRow.select()))

    def end_keeping(self, keys: Collection[str]) -> None:
        """Forget that; an unknown key is no error."""
        self._delete(KeptRow, KeptRow.key.in_(list(keys)))

    def add_home_task(self, task: HomeTask) -> None:
        """Note what becomes of a home; a second task for the same volume replaces the first."""
        self._put(HomeTaskRow, HomeTaskRow.volume, asdict(task))

    def home_tasks(self) -> Sequence[HomeTask]:
        """Return what is still to be done, oldest first."""
        found = [entity(HomeTask, row) for row in self._rows(HomeTaskRow.select())]
        return sorted(found, key=lambda task: (task.at, task.volume))

    def end_home_task(self, volume: str) -> None:
        """Forget it; an unknown volume is no error."""
        self._delete(HomeTaskRow, HomeTaskRow.volume == volume)

    def announcement(self) -> Announcement | None:
        """Return what is told to everyone; whether it is over is for the reader to see."""
        found = self._rows(AnnouncementRow.select())
        return Announcement(found[0].text, found[0].until) if found else None

    def announce(self, announcement: Announcement | None) -> None:
        """Replace it; None takes it back."""
        if announcement is None:
            self._delete(AnnouncementRow, AnnouncementRow.id == _ANNOUNCEMENT)
        else:
            row = {"id": _ANNOUNCEMENT, **asdict(announcement)}
            self._put(AnnouncementRow, AnnouncementRow.id, row)

    def save_usage(self, row: UsageRow) -> None:
        """Replace the ledger's line of that session, or write it when there is none."""
        self._put(UsageLedgerRow, UsageLedgerRow.session_id, asdict(row))

    def usage_of(self, session_id: str) -> UsageRow | None:
        """Return one line of the ledger."""
        same = UsageLedgerRow.session_id == session_id
        found = self._rows(UsageLedgerRow.select().where(same))
        return usage_of(found[0]) if found else None

    def usage(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[UsageRow]:
        """Return the lines that lie at least partly in [since, until), oldest first."""
        return [usage_of(row) for row in self._rows(usage_between(since, until))]

    def add_audit(self, row: AuditRow) -> None:
        """Write an act; nothing changes or removes it any more."""
        self.add_audits([row])

    def add_audits(self, rows: Sequence[AuditRow]) -> None:
        """Write acts in their order, all or none."""
        with self._database.writing() as db:
            for some in peewee.chunked([asdict(row) for row in rows], _ROWS_AT_ONCE):
                insert(db, AuditLogRow, some)

    def audit(  # noqa: PLR0913 - the filters of the administration's page
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
        """Return the acts that fit, newest first; what is empty fits all."""
        exact = {"actor": actor, "action": action, "target": target}
        query = audit_fitting(exact, words, since, until)
        query = query.order_by(AuditLogRow.at.desc(), AuditLogRow.id.desc())
        return [entity(AuditRow, row) for row in self._rows(query.limit(limit).offset(offset))]

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
        """Return how many acts fit."""
        exact = {"actor": actor, "action": action, "target": target}
        with self._database.reading() as db:
            return int(audit_fitting(exact, words, since, until).count(db))

    def _given_uids(self, first: int, last: int) -> Collection[int]:
        within = UidRow.uid.between(first, last)
        counted: Any = UidRow.select(peewee.fn.COUNT(UidRow.uid), peewee.fn.MAX(UidRow.uid))
        ((count, highest),) = self._rows(counted.where(within).tuples())
        if count and count == highest - first + 1:
            return range(first, highest + 1)  # thousands of new names do not read all, each time
        query: Any = UidRow.select(UidRow.uid).where(within)
        return {uid for (uid,) in self._rows(query.tuples())}

    def _rows(self, query: Any) -> list[Any]:
        with self._database.reading() as db:
            return list(query.execute(db))

    def _sessions(self, query: Any) -> list[Session]:
        return [session_of(row) for row in self._rows(query)]

    def _insert(self, model: type[peewee.Model], row: dict[str, Any]) -> None:
        with self._database.writing() as db:
            insert(db, model, [row])

    def _put(self, model: type[peewee.Model], key: Any, row: dict[str, Any]) -> None:
        with self._database.writing() as db:
            put(db, model, key, row)

    def _delete(self, model: type[peewee.Model], condition: Any) -> int:
        with self._database.writing() as db:
            return delete(db, model, condition)
