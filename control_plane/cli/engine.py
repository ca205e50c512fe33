"""`control-plane engine`: the engine's door, on the socket that systemd, or the launcher, owns."""

import click

from control_plane.adapters import journal
from control_plane.cli.passed import passed_socket
from control_plane.engine_door import rules_file, serving


@click.command()
@click.option("--check", is_flag=True, help="Read the rules, say what is wrong with them, and end.")
def engine(*, check: bool) -> None:
    """Serve the container engine's closed set of verbs to the control plane.

    The rules stand in /etc/remoteapp/engine.toml, or in the file that ENGINE_RULES names.
    """
    if check:
        rules_file.place(serving.rules())
    else:
        journal.begin()
        ours = serving.door(serving.rules(), serving.state())
        serving.serve(ours, passed_socket("remoteapp-engine.socket"))
