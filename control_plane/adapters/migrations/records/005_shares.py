"""Shares of sessions, and what a sign-in has entered."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Make the table, and the columns of sign-ins; moments are microseconds since 1970 UTC."""
    del database, fake
    migrator.add_fields(
        "signins",
        shares=peewee.TextField(default="[]"),
        display=peewee.CharField(default=""),
    )

    @migrator.create_model
    class Shares(peewee.Model):
        id = peewee.CharField(primary_key=True, max_length=32)
        session_id = peewee.CharField(max_length=32)
        owner = peewee.CharField()
        kind = peewee.CharField(max_length=16)
        name = peewee.CharField()
        access = peewee.CharField(max_length=16)
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField()
        digest = peewee.CharField(max_length=64)

        class Meta:
            table_name = "shares"
