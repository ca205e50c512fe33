"""Sessions, cursors, sign-ins, passwords, tokens, attempts, the usage ledger, the audit log."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Make the tables; moments are microseconds since 1970 UTC."""
    del database, fake
    _sessions(migrator)
    _signing_in(migrator)
    _ledgers(migrator)


def _sessions(migrator: Any) -> None:
    @migrator.create_model
    class Sessions(peewee.Model):
        id = peewee.CharField(primary_key=True, max_length=32)
        owner = peewee.CharField()
        grant_id = peewee.CharField(max_length=32)
        application = peewee.CharField()
        image = peewee.CharField()
        type = peewee.CharField()
        state = peewee.CharField()
        created_at = peewee.BigIntegerField()
        address = peewee.CharField()
        port = peewee.IntegerField()
        ready_path = peewee.CharField()
        options = peewee.TextField()
        container_id = peewee.CharField()
        ready_at = peewee.BigIntegerField(null=True)
        ends_at = peewee.BigIntegerField(null=True)
        ended_at = peewee.BigIntegerField(null=True, index=True)
        ends_because = peewee.TextField()
        failure = peewee.TextField(null=True)
        dismissed = peewee.BooleanField()

        class Meta:
            indexes = ((("state", "dismissed"), False), (("owner", "ended_at"), False))

    @migrator.create_model
    class Cursors(peewee.Model):
        name = peewee.CharField(primary_key=True)
        value = peewee.BigIntegerField()


def _signing_in(migrator: Any) -> None:
    @migrator.create_model
    class Signins(peewee.Model):
        id = peewee.CharField(primary_key=True)
        user = peewee.CharField(index=True)
        kind = peewee.CharField()
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField(index=True)
        address = peewee.CharField()

    @migrator.create_model
    class Passwords(peewee.Model):
        user = peewee.CharField(primary_key=True)
        digest = peewee.CharField()

    @migrator.create_model
    class Tokens(peewee.Model):
        id = peewee.CharField(primary_key=True)
        user = peewee.CharField(index=True)
        name = peewee.CharField()
        scopes = peewee.TextField()
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField()
        digest = peewee.CharField(unique=True)

    @migrator.create_model
    class Attempts(peewee.Model):
        name = peewee.CharField()
        address = peewee.CharField()
        at = peewee.BigIntegerField(index=True)

        class Meta:
            indexes = ((("address", "at"), False), (("name", "address"), False))


def _ledgers(migrator: Any) -> None:
    @migrator.create_model
    class Usage(peewee.Model):
        session_id = peewee.CharField(primary_key=True, max_length=32)
        user = peewee.CharField(index=True)
        application = peewee.CharField()
        image = peewee.CharField()
        started_at = peewee.BigIntegerField(index=True)
        ended_at = peewee.BigIntegerField()
        reason = peewee.TextField()

    @migrator.create_model
    class Audit(peewee.Model):
        at = peewee.BigIntegerField(index=True)
        actor = peewee.CharField()
        action = peewee.CharField()
        target = peewee.CharField()
        address = peewee.CharField()
        detail = peewee.TextField()
