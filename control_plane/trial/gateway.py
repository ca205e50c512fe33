"""nginx as the launcher's child, with the templates of a host, and the one-shot that feeds it."""

import socket

from control_plane.adapters import nginx_site
from control_plane.trial.account import WORKERS, environment, worker_gid
from control_plane.trial.places import TEMPLATES, Places, PortalOptions, command
from control_plane.trial.supervised import Command

_PROGRAM = "/usr/sbin/nginx"


def nginx(places: Places, url: str, options: PortalOptions, session_range: str) -> Command:
    """Write nginx's configuration; return the command that runs it in the foreground."""
    site = nginx_site.NginxSite(
        directory=places.nginx,
        public_url=url,
        server_names=(options.apps_domain or "localhost",),
        listen=listens(options.port),
        apps_domain=options.apps_domain,
        apps_port=options.apps_port,
        apps_listen=listens(options.apps_port),
        certificate=places.certificates / "server.pem",
        certificate_key=places.certificates / "server.key",
        socket=places.socket,
        forwarder_socket=places.forwarder_socket,
        cache=places.run / "decisions",
        session_range=session_range,
        routes=places.nginx / "routes.conf",
        access_log=str(places.logs / "access.log"),
        error_log=str(places.logs / "nginx.log"),
        # A browser on the engine's own machine drops its HTTP/2 connections when a container comes
        # or goes: each one's virtual interface counts as a change of network.
        http2=False,
        http2_directive=nginx_site.has_http2_directive(_PROGRAM),
        signin_rate=options.signin_rate,
        pid=places.run / "nginx.pid",
        temporary=places.run / "temporary",
        worker_user=WORKERS if worker_gid() else "",
    )
    site.temporary.mkdir()
    return Command(
        name="nginx",
        words=(_PROGRAM, "-c", str(nginx_site.write(TEMPLATES, site))),
        log=places.logs / "nginx.log",
        environment=environment(),
    )


def install(places: Places, options: PortalOptions, session_range: str) -> tuple[str, ...]:
    """Return the words of the one-shot that takes routes from the spool."""
    return (
        *(command("control-plane"), "routes", "install"),
        *("--spool", str(places.spool)),
        *("--installed", str(places.nginx / "routes.conf")),
        *("--status", str(places.routes_status)),
        *("--pid", str(places.run / "nginx.pid")),
        *("--range", session_range),
        *("--owner-uid", str(options.account.uid)),
        *("--nginx-config", str(places.nginx / "nginx.conf")),
    )


def listens(port: int) -> tuple[str, ...]:
    """Return what nginx listens on for a port; nothing for 0."""
    return tuple(f"{address}:{port}" for address in loopback()) if port else ()


def loopback() -> list[str]:
    """Return this machine's loopback addresses as nginx writes them; IPv6 may be off."""
    return ["127.0.0.1", *(["[::1]"] if _has_ipv6() else [])]


def busy(port: int) -> bool:
    """Whether another program listens on the port at a loopback address."""
    return any(_is_taken(address.strip("[]"), port) for address in loopback())


def _has_ipv6() -> bool:
    return socket.has_ipv6 and not _is_taken("::1", 0)


def _is_taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address, port))
        except OSError:
            return True
    return False
