"""`control-plane trial`: what `make trial` and `make trial-clean` run."""

import click

from control_plane.trial import launcher


@click.command()
@click.option(
    "--port",
    envvar="TRIAL_PORT",
    default=8443,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Where the portal listens, on loopback.",
)
@click.option("--clean", is_flag=True, help="Remove everything that trials left, and end.")
@click.pass_context
def trial(ctx: click.Context, port: int, *, clean: bool) -> None:
    """Run a whole portal on this machine, with demo applications, until Ctrl-C."""
    ctx.exit(launcher.clean() if clean else launcher.launch(port))
