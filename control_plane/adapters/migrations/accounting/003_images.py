"""How an application's image is run: as whom, at which path, and with whose home."""
# ruff: noqa: N999 - peewee-migrate orders migrations by the number in front

from typing import Any

import peewee


def migrate(migrator: Any, database: Any, *, fake: bool = False) -> None:
    """Add the columns; what is there gets what every application and policy had so far."""
    del database, fake
    migrator.add_fields(
        "applications",
        strip_path=peewee.BooleanField(default=False),
        run_as=peewee.CharField(default="user"),
    )
    migrator.add_fields("policies", legacy_home=peewee.BooleanField(default=False))
