"""The tables of the records as peewee sees them; the migrations alone make them.

Invariant: a column has the name of its entity's field.
"""
# ruff: noqa: D106 - `Meta` is peewee's own word

import peewee

from control_plane.adapters.columns import JsonField, MomentField


class SessionRow(peewee.Model):
    """One session, living or ended."""

    id = peewee.CharField(primary_key=True)
    owner = peewee.CharField()
    grant_id = peewee.CharField()
    application = peewee.CharField()
    image = peewee.CharField()
    type = peewee.CharField()
    state = peewee.CharField()
    created_at = MomentField()
    address = peewee.CharField()
    port = peewee.IntegerField()
    ready_path = peewee.CharField()
    options = JsonField()
    container_id = peewee.CharField()
    ready_at = MomentField(null=True)
    ends_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    ends_because = peewee.TextField()
    failure = JsonField(null=True)
    dismissed = peewee.BooleanField()
    policy = JsonField(null=True)
    cut_off = peewee.BooleanField()
    warned = peewee.BooleanField()
    strip_path = peewee.BooleanField()

    class Meta:
        table_name = "sessions"


class CursorRow(peewee.Model):
    """A named counter."""

    name = peewee.CharField(primary_key=True)
    value = peewee.BigIntegerField()

    class Meta:
        table_name = "cursors"


class SignInRow(peewee.Model):
    """A browser that is signed in; the id is a digest."""

    id = peewee.CharField(primary_key=True)
    user = peewee.CharField()
    kind = peewee.CharField()
    created_at = MomentField()
    expires_at = MomentField()
    address = peewee.CharField()
    source = peewee.CharField()
    shares = JsonField()
    display = peewee.CharField()

    class Meta:
        table_name = "signins"


class ShareRow(peewee.Model):
    """Whom a session's owner lets in."""

    id = peewee.CharField(primary_key=True)
    session_id = peewee.CharField()
    owner = peewee.CharField()
    kind = peewee.CharField()
    name = peewee.CharField()
    access = peewee.CharField()
    created_at = MomentField()
    expires_at = MomentField()
    digest = peewee.CharField()

    class Meta:
        table_name = "shares"


class PasswordRow(peewee.Model):
    """The hash of a virtual user's password."""

    user = peewee.CharField(primary_key=True)
    digest = peewee.CharField()

    class Meta:
        table_name = "passwords"


class TokenRow(peewee.Model):
    """An API token, by its digest."""

    id = peewee.CharField(primary_key=True)
    user = peewee.CharField()
    name = peewee.CharField()
    scopes = JsonField()
    created_at = MomentField()
    expires_at = MomentField()
    digest = peewee.CharField()

    class Meta:
        table_name = "tokens"


class AttemptRow(peewee.Model):
    """One attempt to sign in."""

    id = peewee.AutoField()
    name = peewee.CharField()
    address = peewee.CharField()
    at = MomentField()

    class Meta:
        table_name = "attempts"


class UidRow(peewee.Model):
    """The uid of a user whose accounting keeps none; it stays when the user goes."""

    user = peewee.CharField(primary_key=True)
    uid = peewee.IntegerField(unique=True)

    class Meta:
        table_name = "uids"


class LinkRow(peewee.Model):
    """An account elsewhere and the user here."""

    issuer = peewee.CharField()
    subject = peewee.CharField()
    user = peewee.CharField()

    class Meta:
        table_name = "links"
        primary_key = peewee.CompositeKey("issuer", "subject")


class KeptRow(peewee.Model):
    """What shall compute on: `user:<name>` or `grant:<id>`."""

    key = peewee.CharField(primary_key=True)

    class Meta:
        table_name = "kept_running"


class HomeTaskRow(peewee.Model):
    """What becomes of a home, by its volume."""

    volume = peewee.CharField(primary_key=True)
    user = peewee.CharField()
    action = peewee.CharField()
    by = peewee.CharField()
    at = MomentField()

    class Meta:
        table_name = "home_tasks"


class AnnouncementRow(peewee.Model):
    """What everyone is told: one row at most."""

    id = peewee.IntegerField(primary_key=True)
    text = peewee.TextField()
    until = MomentField(null=True)

    class Meta:
        table_name = "announcement"


class LastStartRow(peewee.Model):
    """What a user started last of a grant."""

    owner = peewee.CharField()
    grant_id = peewee.CharField()
    at = MomentField()
    options = JsonField()

    class Meta:
        table_name = "last_starts"
        primary_key = peewee.CompositeKey("owner", "grant_id")


class UsageLedgerRow(peewee.Model):
    """One session's line of the usage ledger."""

    session_id = peewee.CharField(primary_key=True)
    user = peewee.CharField()
    application = peewee.CharField()
    image = peewee.CharField()
    started_at = MomentField()
    ended_at = MomentField(null=True)
    reason = peewee.TextField()
    groups = JsonField()
    grant_id = peewee.CharField()
    cpu_seconds = peewee.DoubleField()
    memory_gib_seconds = peewee.DoubleField()
    sampled_until = MomentField(null=True)
    cpu_counter = peewee.DoubleField()

    class Meta:
        table_name = "usage"


class AuditLogRow(peewee.Model):
    """One act; triggers refuse to change or remove it."""

    id = peewee.AutoField()
    at = MomentField()
    actor = peewee.CharField()
    action = peewee.CharField()
    target = peewee.CharField()
    address = peewee.CharField()
    detail = peewee.TextField()
    before = JsonField(null=True)
    after = JsonField(null=True)

    class Meta:
        table_name = "audit"


MODELS = (
    SessionRow,
    CursorRow,
    SignInRow,
    ShareRow,
    PasswordRow,
    TokenRow,
    AttemptRow,
    UidRow,
    LinkRow,
    KeptRow,
    HomeTaskRow,
    AnnouncementRow,
    LastStartRow,
    UsageLedgerRow,
    AuditLogRow,
)
