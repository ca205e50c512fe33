"""Columns that SQL lacks: moments that compare rightly, and JSON."""

import json
from datetime import UTC, datetime, timedelta

import peewee

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MomentField(peewee.BigIntegerField):
    """An aware datetime, stored as microseconds since 1970 UTC and returned in UTC."""

    def db_value(self, value: datetime | None) -> int | None:
        """Return the microseconds; TypeError for a datetime without a zone."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def python_value(self, value: int | None) -> datetime | None:
        """Return the moment, in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class JsonField(peewee.TextField):
    """A value of JSON as its shortest text."""

    def db_value(self, value: object) -> str | None:
        """Return the text; None stays NULL."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def python_value(self, value: str | None) -> object:
        """Return the value."""
        return None if value is None else json.loads(value)
