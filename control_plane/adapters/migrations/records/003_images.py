"""Whether a session's application sees the path below the session's."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Add the column; no session so far had its path taken off."""
    del database, fake
    migrator.add_fields("sessions", strip_path=peewee.BooleanField(default=False))
