"""Groups, grants to a user, a group or everyone, and the rest of a policy's fields."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

import hashlib
import json
from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Make the tables and fill what is new in the rows that are there: they are users' grants."""
    del fake
    groups = _groups(migrator)
    _policies(migrator, database)
    _grants(migrator, database, groups)


def _groups(migrator: Any) -> Any:
    @migrator.create_model
    class Groups(peewee.Model):
        name = peewee.CharField(unique=True)

    @migrator.create_model
    class Memberships(peewee.Model):
        user = peewee.ForeignKeyField(migrator.orm["users"], on_delete="CASCADE")
        group = peewee.ForeignKeyField(Groups, on_delete="CASCADE")

        class Meta:
            primary_key = peewee.CompositeKey("user", "group")

    return Groups


def _policies(migrator: Any, database: Any) -> None:
    migrator.add_fields(
        "policies",
        volumes=peewee.TextField(default="[]"),
        allow_startup_data=peewee.BooleanField(default=False),
        app_license=peewee.TextField(default=""),
        network=peewee.CharField(null=True),
        max_lifetime=peewee.BigIntegerField(null=True),
        digest=peewee.CharField(default=""),
    )
    migrator.run(_fill_digests, database)
    # Not by add_index, which makes the new field unique before it is filled.
    migrator.sql("CREATE UNIQUE INDEX policies_digest ON policies (digest)")


def _grants(migrator: Any, database: Any, groups: Any) -> None:
    migrator.add_fields(
        "grants",
        group=peewee.ForeignKeyField(groups, null=True, on_delete="CASCADE"),
        grantee=peewee.CharField(default=""),
    )
    migrator.drop_not_null("grants", "user")
    migrator.run(_fill_grantees, database)
    migrator.drop_index("grants", "user", "application", "policy")
    migrator.add_index("grants", "grantee", "application", "policy", unique=True)


def _fill_digests(database: Any) -> None:
    columns = ("allow_home", "share", "memory", "cpus", "pids", "max_sessions")
    usual = {"allow_home": False, "share": "none"}
    found = database.execute_sql(f"SELECT id, {', '.join(columns)} FROM policies").fetchall()  # noqa: S608 - names of our own tables
    keys: dict[str, int] = {}
    for key, *values in found:
        row = dict(zip(columns, values, strict=True))
        row["allow_home"] = bool(row["allow_home"])
        said = {name: value for name, value in row.items() if value != usual.get(name)}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest in keys:
            moved = "UPDATE grants SET policy_id = ? WHERE policy_id = ?"
            _execute(database, moved, keys[digest], key)
            _execute(database, "DELETE FROM policies WHERE id = ?", key)
        else:
            keys[digest] = key
            _execute(database, "UPDATE policies SET digest = ? WHERE id = ?", digest, key)


def _fill_grantees(database: Any) -> None:
    for key, user in database.execute_sql("SELECT id, user_id FROM grants").fetchall():
        _execute(database, "UPDATE grants SET grantee = ? WHERE id = ?", f"user:{user}", key)


def _execute(database: Any, sql: str, *values: object) -> None:
    database.execute_sql(sql.replace("?", database.param), values)
