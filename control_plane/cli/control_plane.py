"""`control-plane`: the service, its one-shots and its care."""

from importlib import import_module

import click

from control_plane import __version__
from control_plane.cli.exits import Commands

VERBS = (
    "backup",
    "certificate",
    "doctor",
    "engine",
    "forward",
    "image",
    "import-simphony",
    "pam",
    "reconcile",
    "restore",
    "routes",
    "serve",
    "sessions",
    "trial",
)


class _Verbs(Commands):
    """Loads a verb's module when it is called: the routes one-shot must not wait for the web."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(import_module(f"control_plane.cli.{name}"), name)
        return found


@click.group(cls=_Verbs)
@click.version_option(__version__, prog_name="control-plane")
def main() -> None:
    """Run Remoteapp's control plane and look after it."""
