"""`control-plane trial`: what `make trial` and `make trial-clean` run."""

import click

from control_plane.trial import launcher
from control_plane.trial.launcher import Wanted

_LAST_PORT = 65535


@click.command()
@click.option(
    "--port",
    envvar="TRIAL_PORT",
    default=8443,
    show_default=True,
    type=click.IntRange(1, _LAST_PORT),
    help="Where the portal listens, on loopback.",
)
@click.option(
    "--apps-port",
    envvar="TRIAL_APPS_PORT",
    type=click.IntRange(0, _LAST_PORT),
    help="Where applications live: the port after the portal's; 0: on the portal's own.",
)
@click.option(
    "--apps-domain",
    envvar="TRIAL_APPS_DOMAIN",
    default="",
    metavar="NAME",
    help="Give each session a host below this name instead, such as remoteapp.localhost.",
)
@click.option("--clean", is_flag=True, help="Remove everything that trials left, and end.")
@click.pass_context
def trial(
    ctx: click.Context, port: int, apps_port: int | None, apps_domain: str, *, clean: bool
) -> None:
    """Run a whole portal on this machine, with demo applications, until Ctrl-C."""
    wanted = Wanted(port, _after(port) if apps_port is None else apps_port, apps_domain)
    ctx.exit(launcher.clean() if clean else launcher.launch(wanted))


def _after(port: int) -> int:
    """Return the next port; the one before the last, for there is none after it."""
    return port + 1 if port < _LAST_PORT else port - 1
