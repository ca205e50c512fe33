"""What each user started last, and with which options."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Make the table: one row for each user and grant; moments are microseconds since 1970 UTC."""
    del database, fake

    @migrator.create_model
    class LastStarts(peewee.Model):
        owner = peewee.CharField()
        grant_id = peewee.CharField(max_length=32)
        at = peewee.BigIntegerField()
        options = peewee.TextField()

        class Meta:
            table_name = "last_starts"
            primary_key = peewee.CompositeKey("owner", "grant_id")
