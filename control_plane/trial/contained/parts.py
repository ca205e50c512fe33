"""The programs of the portal, as they are run in its container.

Invariant: each gets a closed list of the environment, and only nginx's master and the routes'
one-shot are root.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from control_plane.adapters import nginx_says, nginx_site
from control_plane.adapters.nginx_site import NginxSite
from control_plane.errors import ControlPlaneError
from control_plane.settings import Settings
from control_plane.trial import account
from control_plane.trial.account import WORKERS, Account
from control_plane.trial.contained import certificate, places
from control_plane.trial.contained.site import Address
from control_plane.trial.places import command
from control_plane.trial.supervised import Command

_NGINX = "/usr/sbin/nginx"
_A_YEAR = 365 * 24 * 3600


def environment(found: Settings, boot: Path) -> Mapping[str, str]:
    """Return what every program of ours is given: the settings, and systemd's variables."""
    settings = {name: os.environ[name] for name in os.environ if name.startswith("REMOTEAPP_")}
    return account.environment(
        **settings,
        STATE_DIRECTORY=str(found.state_directory),
        RUNTIME_DIRECTORY=str(boot),
        ROUTES_STATUS=str(places.ROUTES_STATUS),
        CREDENTIALS_DIRECTORY=str(places.CREDENTIALS),
        FORWARDER_SOCKET=str(places.FORWARDER_CONTROL),
        HOME=str(found.state_directory),
    )


def control_plane(
    listener: socket.socket, environment: Mapping[str, str], account: Account
) -> Command:
    """Return the command of the control plane, which gets the socket."""
    return Command(
        name="control-plane",
        words=(command("control-plane"), "serve"),
        log=places.ERRORS,
        environment=environment,
        account=account,
        listener=listener,
    )


def forwarder(public: socket.socket, control: socket.socket, service: Account) -> Command:
    """Return the command of the forwarder, which gets its two sockets and no group."""
    return Command(
        name="forwarder",
        words=(command("control-plane"), "forward"),
        log=places.ERRORS,
        environment=account.environment(),
        account=replace(service, gids=()),
        listener=public,
        control=control,
    )


def nginx(found: Settings, where: Address, session_range: str) -> Command:
    """Write nginx's configuration; return the command that runs it in the foreground."""
    site = _site(found, where, session_range)
    site.temporary.mkdir(exist_ok=True)
    config = nginx_site.write(places.TEMPLATES, site)
    if said := nginx_says.refusal(_NGINX, config):
        raise ControlPlaneError("nginx refuses its configuration.", said)
    return Command(
        name="nginx",
        words=(_NGINX, "-e", "stderr", "-c", str(config)),
        log=places.ERRORS,
        environment=account.environment(),
    )


def install(session_range: str, found: Settings) -> tuple[str, ...]:
    """Return the words of the one-shot that takes routes from the spool."""
    return (
        *(command("control-plane"), "routes", "install"),
        *("--spool", str(found.spool)),
        *("--installed", str(places.NGINX / "routes.conf")),
        *("--status", str(places.ROUTES_STATUS)),
        *("--pid", str(places.NGINX_PID)),
        *("--nginx-config", str(places.NGINX / "nginx.conf")),
        *("--range", session_range),
    )


def _site(found: Settings, where: Address, session_range: str) -> NginxSite:
    return NginxSite(
        directory=places.NGINX,
        public_url=found.public_url,
        server_names=where.names,
        listen=where.listen,
        apps_domain=found.apps_domain,
        apps_port=found.apps_port,
        apps_listen=where.apps,
        redirect_listen=where.redirect,
        certificate=places.TLS / "server.pem",
        certificate_key=places.TLS / "server.key",
        # Browsers that were told so take no certificate that they do not know.
        hsts_seconds=_A_YEAR if certificate.is_the_operators() else 0,
        socket=places.SOCKET,
        forwarder_socket=places.FORWARDER,
        cache=places.DECISIONS,
        session_range=session_range,
        routes=places.NGINX / "routes.conf",
        access_log=str(places.OUTPUT),
        error_log="stderr",
        http2_directive=nginx_site.has_http2_directive(_NGINX),
        pid=places.NGINX_PID,
        temporary=places.NGINX / "temporary",
        worker_user=WORKERS,
    )
