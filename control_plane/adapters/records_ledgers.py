"""Rows of the records as entities, and how ledger and audit log are searched.

Invariant: no licence is written into a record.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from control_plane.adapters.records_rows import AuditLogRow, UsageLedgerRow
from control_plane.domain.entities import (
    AuditRow,
    Failure,
    HomeTask,
    LastStart,
    Link,
    Policy,
    Session,
    SignIn,
    State,
    Token,
    UsageRow,
    Volume,
)

T = TypeVar("T", AuditRow, HomeTask, LastStart, Link, Session, SignIn, Token, UsageRow)


def entity(kind: type[T], row: Any) -> T:
    """Return a row's entity whose fields are columns as they are."""
    return kind(**_values(kind, row))


def session_row(session: Session) -> dict[str, Any]:
    """Return the values of a session's row."""
    policy = session.policy and asdict(replace(session.policy, app_license=""))
    return asdict(replace(session, policy=None)) | {"policy": policy}


def session_of(row: Any) -> Session:
    """Return a row's session."""
    values = _values(Session, row)
    values["state"] = State(values["state"])
    values["failure"] = values["failure"] and Failure(**values["failure"])
    values["policy"] = values["policy"] and _policy(values["policy"])
    return Session(**values)


def token_of(row: Any) -> Token:
    """Return a row's token."""
    values = _values(Token, row)
    return Token(**values | {"scopes": tuple(values["scopes"])})


def usage_of(row: Any) -> UsageRow:
    """Return a row's line of the ledger."""
    values = _values(UsageRow, row)
    return UsageRow(**values | {"groups": tuple(values["groups"])})


def usage_between(since: datetime | None, until: datetime | None) -> Any:
    """Return the query for the lines that lie at least partly in [since, until), oldest first."""
    row = UsageLedgerRow
    query = row.select().order_by(row.started_at, row.session_id)
    if until is not None:
        query = query.where(row.started_at < until)
    if since is not None:
        lasts = row.ended_at.is_null() | (row.ended_at > since)
        query = query.where(lasts | (row.started_at >= since))
    return query


def audit_fitting(words: Mapping[str, str], since: datetime | None, until: datetime | None) -> Any:
    """Return the query for the acts whose columns are these words, where a word is not empty."""
    query = AuditLogRow.select()
    for name, word in words.items():
        if word:
            query = query.where(getattr(AuditLogRow, name) == word)
    if since is not None:
        query = query.where(AuditLogRow.at >= since)
    if until is not None:
        query = query.where(AuditLogRow.at < until)
    return query


def _policy(values: Mapping[str, Any]) -> Policy:
    return Policy(**dict(values) | {"volumes": tuple(Volume(**one) for one in values["volumes"])})


def _values(kind: Any, row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(kind)}
