"""Users, applications, policies, grants, and the uids that were ever given."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Make the tables."""
    del database, fake

    @migrator.create_model
    class Users(peewee.Model):
        name = peewee.CharField(unique=True)
        kind = peewee.CharField()
        enabled = peewee.BooleanField()
        admin = peewee.BooleanField()
        uid = peewee.IntegerField(null=True, unique=True)
        gid = peewee.IntegerField(null=True)

    @migrator.create_model
    class GivenUids(peewee.Model):
        uid = peewee.IntegerField(primary_key=True)

        class Meta:
            table_name = "given_uids"

    @migrator.create_model
    class Applications(peewee.Model):
        id = peewee.CharField(primary_key=True, max_length=32)
        image = peewee.CharField(unique=True)
        display_name = peewee.CharField()
        description = peewee.TextField()
        category = peewee.CharField()
        port = peewee.IntegerField(null=True)
        command = peewee.TextField()
        environment = peewee.TextField()
        ready_path = peewee.CharField()

    @migrator.create_model
    class Policies(peewee.Model):
        allow_home = peewee.BooleanField()
        share = peewee.CharField()
        memory = peewee.BigIntegerField(null=True)
        cpus = peewee.DoubleField(null=True)
        pids = peewee.IntegerField(null=True)
        max_sessions = peewee.IntegerField(null=True)

    @migrator.create_model
    class Grants(peewee.Model):
        id = peewee.CharField(primary_key=True, max_length=32)
        user = peewee.ForeignKeyField(Users, on_delete="CASCADE")
        application = peewee.ForeignKeyField(Applications, on_delete="CASCADE")
        policy = peewee.ForeignKeyField(Policies, on_delete="RESTRICT")

        class Meta:
            indexes = ((("user", "application", "policy"), True),)
