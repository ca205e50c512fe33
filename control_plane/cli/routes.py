"""`control-plane routes`: what the unit that watches the spool runs, as root.

Invariant: it opens no database and no engine, and believes nothing that the spool's owner wrote.
"""

import os
import pwd
from ipaddress import IPv4Network
from pathlib import Path

import click

from control_plane.adapters import nginx_host
from control_plane.adapters.nginx_host import Places
from control_plane.errors import GatewayError

_FILE = click.Path(path_type=Path)


@click.group()
def routes() -> None:
    """Hand the sessions' addresses to nginx."""


@routes.command("install")
@click.option("--spool", type=_FILE, default="/var/lib/remoteapp/routes/spool", show_default=True)
@click.option(
    "--installed", type=_FILE, default="/etc/nginx/remoteapp/routes.conf", show_default=True
)
@click.option(
    "--status", type=_FILE, default="/run/remoteapp-routes/status.json", show_default=True
)
@click.option("--pid", type=_FILE, default="/run/nginx.pid", show_default=True)
@click.option("--nginx-config", type=_FILE, default="/etc/nginx/nginx.conf", show_default=True)
@click.option("--nginx", default="/usr/sbin/nginx", show_default=True, help="The program.")
@click.option(
    *("--range", "network"),
    type=IPv4Network,
    envvar="SESSION_RANGE",
    show_envvar=True,
    required=True,
    help="The session network, or the address of published ports.",
)
@click.option("--owner-uid", type=int, help="Whose spool it is. [default: remoteapp's]")
def install(  # noqa: PLR0913  one argument an option
    *,
    spool: Path,
    installed: Path,
    status: Path,
    pid: Path,
    nginx_config: Path,
    nginx: str,
    network: IPv4Network,
    owner_uid: int | None,
) -> None:
    """Install the routes in the spool, test nginx's configuration, reload when it is time."""
    owner = owner_uid if owner_uid is not None else _uid("remoteapp")
    places = Places(spool, installed, status, pid, nginx_config, nginx)
    try:
        report = nginx_host.install(places, network, owner)
    except OSError as error:
        raise GatewayError(f"The routes cannot be installed: {error}.") from error
    if report.error:
        raise GatewayError(
            f"nginx refuses its configuration; the last good routes stay. {report.error}"
        )
    if report.refused:
        raise GatewayError(f"Routes were left out: {'; '.join(report.refused)}")


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return os.geteuid()
