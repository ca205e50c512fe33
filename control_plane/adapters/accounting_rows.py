"""The tables of accounting as peewee sees them; the migrations alone make them.

Invariant: a column has the name of its entity's field; a policy's `digest` and a grant's
`grantee` are never NULL, so that what is unique by them is so.
"""
# ruff: noqa: D106 - `Meta` is peewee's own word

import peewee

from control_plane.adapters.columns import JsonField

EVERYONE = "everyone"


class UserRow(peewee.Model):
    """A user; memberships and grants go with it."""

    id = peewee.AutoField()
    name = peewee.CharField(unique=True)
    kind = peewee.CharField()
    enabled = peewee.BooleanField()
    admin = peewee.BooleanField()
    uid = peewee.IntegerField(null=True, unique=True)
    gid = peewee.IntegerField(null=True)

    class Meta:
        table_name = "users"


class GroupRow(peewee.Model):
    """A group; memberships and grants go with it."""

    id = peewee.AutoField()
    name = peewee.CharField(unique=True)

    class Meta:
        table_name = "groups"


class MembershipRow(peewee.Model):
    """A user is in a group."""

    user = peewee.ForeignKeyField(UserRow, on_delete="CASCADE")
    group = peewee.ForeignKeyField(GroupRow, on_delete="CASCADE")

    class Meta:
        table_name = "memberships"
        primary_key = peewee.CompositeKey("user", "group")


class GivenUidRow(peewee.Model):
    """A uid that was given once, whether its user is still there or not."""

    uid = peewee.IntegerField(primary_key=True)

    class Meta:
        table_name = "given_uids"


class ApplicationRow(peewee.Model):
    """An application; the grants go with it."""

    id = peewee.CharField(primary_key=True)
    image = peewee.CharField(unique=True)
    display_name = peewee.CharField()
    description = peewee.TextField()
    category = peewee.CharField()
    port = peewee.IntegerField(null=True)
    command = JsonField()
    environment = JsonField()
    ready_path = peewee.CharField()
    strip_path = peewee.BooleanField()
    run_as = peewee.CharField()

    class Meta:
        table_name = "applications"


class PolicyRow(peewee.Model):
    """A policy, shared by every grant that has just these values; `digest` is theirs."""

    id = peewee.AutoField()
    allow_home = peewee.BooleanField()
    share = peewee.CharField()
    memory = peewee.BigIntegerField(null=True)
    cpus = peewee.DoubleField(null=True)
    pids = peewee.IntegerField(null=True)
    max_sessions = peewee.IntegerField(null=True)
    volumes = JsonField()
    allow_startup_data = peewee.BooleanField()
    app_license = peewee.TextField()
    network = peewee.CharField(null=True)
    max_lifetime = peewee.BigIntegerField(null=True)
    legacy_home = peewee.BooleanField()
    digest = peewee.CharField(unique=True)

    class Meta:
        table_name = "policies"


class GrantRow(peewee.Model):
    """Someone may start an application under a policy.

    `grantee` is `user:<key>`, `group:<key>` or `everyone`; the foreign key beside it is what
    takes the grant along with its user or group.
    """

    id = peewee.CharField(primary_key=True)
    grantee = peewee.CharField()
    user = peewee.ForeignKeyField(UserRow, null=True, on_delete="CASCADE")
    group = peewee.ForeignKeyField(GroupRow, null=True, on_delete="CASCADE")
    application = peewee.ForeignKeyField(ApplicationRow, on_delete="CASCADE")
    policy = peewee.ForeignKeyField(PolicyRow, on_delete="RESTRICT")

    class Meta:
        table_name = "grants"


MODELS = (UserRow, GroupRow, MembershipRow, GivenUidRow, ApplicationRow, PolicyRow, GrantRow)
