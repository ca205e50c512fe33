"""Rows of the records as entities, and how ledger and audit log are searched.

Invariant: no licence is written into a record.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import peewee

from control_plane.adapters.records_rows import AuditLogRow, UsageLedgerRow
from control_plane.domain.entities import (
    AuditRow,
    Failure,
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
    Volume,
)

T = TypeVar("T", AuditRow, HomeTask, LastStart, Link, Session, Share, SignIn, Token, UsageRow)


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


def signin_of(row: Any) -> SignIn:
    """Return a row's sign-in."""
    values = _values(SignIn, row)
    return SignIn(**values | {"shares": tuple(values["shares"])})


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


def audit_fitting(
    exact: Mapping[str, str], words: str, since: datetime | None, until: datetime | None
) -> Any:
    """Return the query for the acts with these values, where one is not empty, and these words."""
    query = AuditLogRow.select()
    for name, value in exact.items():
        if value:
            query = query.where(getattr(AuditLogRow, name) == value)
    for word in words.split():
        query = query.where(_has(word))
    if since is not None:
        query = query.where(AuditLogRow.at >= since)
    if until is not None:
        query = query.where(AuditLogRow.at < until)
    return query


def _has(word: str) -> Any:
    """Return the condition that a word stands anywhere in an act, be it large or small."""
    row = AuditLogRow
    # As it is written in JSON; the columns' own conversion would quote it.
    written = json.dumps(word)[1:-1]
    places: list[tuple[Any, str]] = [
        (column, word) for column in (row.actor, row.action, row.target, row.address, row.detail)
    ]
    places += [(peewee.fn.COALESCE(column, ""), written) for column in (row.before, row.after)]
    # Databases differ in which letters they take for the same.
    as_it_is = [column.contains(text) for column, text in places]
    small = [peewee.fn.LOWER(column).contains(text.lower()) for column, text in places]
    return reduce(or_, [*as_it_is, *small])


def _policy(values: Mapping[str, Any]) -> Policy:
    return Policy(**dict(values) | {"volumes": tuple(Volume(**one) for one in values["volumes"])})


def _values(kind: Any, row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(kind)}
