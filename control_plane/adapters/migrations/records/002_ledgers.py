"""What a session may do, links, uids, what computes on, homes, what is told; ledger, audit."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee

_REFUSAL = "the audit log is append-only"
_SQLITE = [
    f"CREATE TRIGGER {name} BEFORE {act} ON audit {condition}"
    f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    for name, act, condition in (
        ("audit_no_update", "UPDATE", ""),
        ("audit_no_delete", "DELETE", ""),
        # REPLACE takes a row away without asking the trigger on DELETE.
        ("audit_no_replace", "INSERT", "WHEN NEW.id IN (SELECT id FROM audit)"),
    )
]
_POSTGRESQL = [
    f"""CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
]
_MARIADB = [
    f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit FOR EACH ROW"
    f" SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
    for act in ("UPDATE", "DELETE")
]


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Make the tables and columns; moments are microseconds since 1970 UTC."""
    del fake
    _sessions(migrator)
    _signing_in(migrator)
    _usage(migrator)
    _audit(migrator, database)


def _sessions(migrator: Any) -> None:
    migrator.add_fields(
        "sessions",
        policy=peewee.TextField(null=True),
        cut_off=peewee.BooleanField(default=False),
        warned=peewee.BooleanField(default=False),
    )

    @migrator.create_model
    class KeptRunning(peewee.Model):
        key = peewee.CharField(primary_key=True)

        class Meta:
            table_name = "kept_running"

    @migrator.create_model
    class HomeTasks(peewee.Model):
        volume = peewee.CharField(primary_key=True)
        user = peewee.CharField()
        action = peewee.CharField()
        by = peewee.CharField()
        at = peewee.BigIntegerField()

        class Meta:
            table_name = "home_tasks"

    @migrator.create_model
    class Announcement(peewee.Model):
        id = peewee.IntegerField(primary_key=True)
        text = peewee.TextField()
        until = peewee.BigIntegerField(null=True)


def _signing_in(migrator: Any) -> None:
    migrator.add_fields("signins", source=peewee.CharField(default="virtual"))

    @migrator.create_model
    class Uids(peewee.Model):
        user = peewee.CharField(primary_key=True)
        uid = peewee.IntegerField(unique=True)

    @migrator.create_model
    class Links(peewee.Model):
        issuer = peewee.CharField()
        subject = peewee.CharField()
        user = peewee.CharField(index=True)

        class Meta:
            primary_key = peewee.CompositeKey("issuer", "subject")


def _usage(migrator: Any) -> None:
    migrator.drop_not_null("usage", "ended_at")
    migrator.add_fields(
        "usage",
        groups=peewee.TextField(default="[]"),
        grant_id=peewee.CharField(default="", max_length=32),
        cpu_seconds=peewee.DoubleField(default=0.0),
        memory_gib_seconds=peewee.DoubleField(default=0.0),
        sampled_until=peewee.BigIntegerField(null=True),
        cpu_counter=peewee.DoubleField(default=0.0),
    )
    migrator.add_index("usage", "ended_at")


def _audit(migrator: Any, database: Any) -> None:
    migrator.add_fields(
        "audit", before=peewee.TextField(null=True), after=peewee.TextField(null=True)
    )
    for name in ("actor", "action", "target"):
        migrator.add_index("audit", name)
    for statement in _triggers(database):
        migrator.sql(statement)


def _triggers(database: Any) -> list[str]:
    if isinstance(database, peewee.SqliteDatabase):
        return _SQLITE
    return _POSTGRESQL if isinstance(database, peewee.PostgresqlDatabase) else _MARIADB
