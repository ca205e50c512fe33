"""How a command ends: one table from our errors to an exit status, one line on stderr.

Invariant: 0 done, 1 refused or failed, 2 wrong usage, 3 not supported by this store, 4 cannot
reach the server, the engine or the database.
"""

from typing import Any

import click

from control_plane.errors import (
    ControlPlaneError,
    InvalidError,
    NotSupportedError,
    SettingsError,
    UnavailableError,
)

STATUS: dict[type[BaseException], int] = {
    ControlPlaneError: 1,
    InvalidError: 2,
    SettingsError: 2,
    NotSupportedError: 3,
    UnavailableError: 4,
}


class Commands(click.Group):
    """The group at the top of a command: our errors become its exit status and one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except ControlPlaneError as error:
            click.echo(f"{ctx.info_name}: {one_line(error)}", err=True)
            ctx.exit(status_of(error))


def status_of(error: ControlPlaneError) -> int:
    """Return the exit status of the closest class in the table."""
    return next(STATUS[one] for one in type(error).__mro__ if one in STATUS)


def one_line(error: ControlPlaneError) -> str:
    """Return what, why and what to do."""
    problems = error.errors if isinstance(error, InvalidError) else ()
    reasons = "; ".join(f"{one.field}: {one.message}" for one in problems)
    parts = [error.message, f"{reasons}." if reasons else "", error.hint]
    return " ".join(" ".join(parts).split())
