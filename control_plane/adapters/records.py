"""Records in a database: what was asked, who signed in, what was used, who did what.

Invariant: people stand here by name, so that ledger and audit outlive an account.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, TypeVar

import peewee

from control_plane.adapters.database import Database, delete, put
from control_plane.adapters.records_rows import (
    AttemptRow,
    AuditLogRow,
    CursorRow,
    PasswordRow,
    SessionRow,
    SignInRow,
    TokenRow,
    UsageLedgerRow,
)
from control_plane.domain.entities import (
    LIVING,
    AuditRow,
    Failure,
    Session,
    SignIn,
    State,
    Token,
    UsageRow,
)

_ENDED = (State.STOPPED, State.FAILED)
T = TypeVar("T", AuditRow, SignIn, UsageRow)


class PeeweeRecords:
    """The port `Records` on one database, whose schema is up to date."""

    def __init__(self, database: Database) -> None:
        """Keep the database; nothing is read yet."""
        self._database = database

    def add_session(self, session: Session) -> None:
        """Write a new session's record; ConflictError when the id is there already."""
        self._insert(SessionRow, asdict(session))

    def save_session(self, session: Session) -> None:
        """Replace the record of that id, or write it when there is none."""
        with self._database.writing() as db:
            put(db, SessionRow, SessionRow.id, asdict(session))

    def session(self, session_id: str) -> Session | None:
        """Return one record."""
        found = self._sessions(SessionRow.select().where(SessionRow.id == session_id))
        return found[0] if found else None

    def open_sessions(self) -> Sequence[Session]:
        """Return the living ones and the failures nobody has dismissed, oldest first."""
        living = SessionRow.state.in_(list(LIVING))
        failed = (SessionRow.state == State.FAILED) & (SessionRow.dismissed == False)  # noqa: E712
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

    def addresses_ended_since(self, since: datetime) -> Sequence[str]:
        """Return the addresses of the sessions that ended after `since`."""
        query = SessionRow.select(SessionRow.address).where(SessionRow.ended_at > since).distinct()
        return [row.address for row in self._rows(query.order_by(SessionRow.address))]

    def cursor(self, name: str) -> int:
        """Return a named counter; 0 before it was ever set."""
        with self._database.reading() as db:
            row = CursorRow.select().where(CursorRow.name == name).get_or_none(db)
        return row.value if row else 0

    def set_cursor(self, name: str, value: int) -> None:
        """Set a named counter."""
        with self._database.writing() as db:
            put(db, CursorRow, CursorRow.name, {"name": name, "value": value})

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
        found = [_entity(SignIn, row) for row in self._rows(SignInRow.select())]
        living = [signin for signin in found if now < signin.expires_at]
        if len(living) < len(found):  # else nothing is written, and no watcher wakes
            self._delete(SignInRow, SignInRow.expires_at <= now)
        return living

    def password(self, user: str) -> str | None:
        """Return the hash of a virtual user's password."""
        with self._database.reading() as db:
            row = PasswordRow.select().where(PasswordRow.user == user).get_or_none(db)
        return row.digest if row else None

    def set_password(self, user: str, digest: str) -> None:
        """Set or replace it."""
        with self._database.writing() as db:
            put(db, PasswordRow, PasswordRow.user, {"user": user, "digest": digest})

    def forget_user(self, user: str) -> None:
        """Remove password, sign-ins and tokens; ledger and audit stay."""
        with self._database.writing() as db:
            delete(db, PasswordRow, PasswordRow.user == user)
            delete(db, SignInRow, SignInRow.user == user)
            delete(db, TokenRow, TokenRow.user == user)

    def add_token(self, token: Token) -> None:
        """Write a token."""
        self._insert(TokenRow, asdict(token))

    def tokens(self, now: datetime) -> Sequence[Token]:
        """Return the tokens that have not expired, oldest first."""
        query = TokenRow.select().where(TokenRow.expires_at > now)
        return [_token(row) for row in self._rows(query.order_by(TokenRow.created_at, TokenRow.id))]

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
        recent = (AttemptRow.address == address) & (AttemptRow.at >= since)
        query = AttemptRow.select(
            peewee.fn.COUNT(AttemptRow.name).filter(AttemptRow.name == name).alias("pair"),
            peewee.fn.COUNT(AttemptRow.name).alias("address"),
        ).where(recent)
        (row,) = self._rows(query.dicts())
        return row["pair"], row["address"]

    def forget_attempts(self, name: str, address: str, before: datetime) -> None:
        """Forget the attempts of this pair, and every one that is older than `before`."""
        pair = (AttemptRow.name == name) & (AttemptRow.address == address)
        self._delete(AttemptRow, pair | (AttemptRow.at < before))

    def add_usage(self, row: UsageRow) -> None:
        """Write a line of the ledger; a second one for the same session changes nothing."""
        with self._database.writing() as db:
            UsageLedgerRow.insert(asdict(row)).on_conflict_ignore().execute(db)

    def usage(self) -> Sequence[UsageRow]:
        """Return the ledger by the session's start, oldest first."""
        order = UsageLedgerRow.started_at, UsageLedgerRow.session_id
        rows = self._rows(UsageLedgerRow.select().order_by(*order))
        return [_entity(UsageRow, row) for row in rows]

    def add_audit(self, row: AuditRow) -> None:
        """Write an act."""
        self._insert(AuditLogRow, asdict(row))

    def audit(self) -> Sequence[AuditRow]:
        """Return the acts as they were written, oldest first."""
        rows = self._rows(AuditLogRow.select().order_by(AuditLogRow.id))
        return [_entity(AuditRow, row) for row in rows]

    def _rows(self, query: Any) -> list[Any]:
        with self._database.reading() as db:
            return list(query.execute(db))

    def _sessions(self, query: Any) -> list[Session]:
        return [_session(row) for row in self._rows(query)]

    def _insert(self, model: type[peewee.Model], row: dict[str, Any]) -> None:
        with self._database.writing() as db:
            model.insert(row).execute(db)

    def _delete(self, model: type[peewee.Model], condition: Any) -> int:
        with self._database.writing() as db:
            return delete(db, model, condition)


def _session(row: Any) -> Session:
    values = _values(Session, row)
    failure = values.pop("failure")
    state = State(values.pop("state"))
    return Session(**values, state=state, failure=Failure(**failure) if failure else None)


def _token(row: Any) -> Token:
    values = _values(Token, row)
    return Token(**values | {"scopes": tuple(values["scopes"])})


def _entity(kind: type[T], row: Any) -> T:
    return kind(**_values(kind, row))


def _values(kind: Any, row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(kind)}
