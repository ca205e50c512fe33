"""What opens a connection from a host, from its users and from its containers.

Invariant: a rule that refuses is told apart from a port where nobody listens.
"""

import shlex
from collections.abc import Iterable

from deploy.hosts import Host
from deploy.people import HELLO, Site

REACHED, SHUT, SILENT, NO_WAY = "reached", "shut", "silent", "no way"
_TIMED_OUT = 124
_SAID = {
    "": REACHED,
    "No route to host": SHUT,
    "Network is unreachable": NO_WAY,
    "Connection refused": "nobody listens",
}


def from_container(host: Host, container: str, targets: Iterable[str]) -> dict[str, str]:
    """Return what becomes of a connection to each `address port` out of the container."""
    return {
        target: _outcome(host, f"docker exec {container} {_connect(target)}") for target in targets
    }


def from_user(host: Host, user: str, target: str) -> str:
    """Return what becomes of a connection of a user of the host."""
    return _outcome(host, f"runuser -u {user} -- {_connect(target)}")


def container_of(site: Site, session_id: str) -> str:
    """Return the container of a session."""
    label = f"label=eu.simphony-project.docker.runinfo.url_id={session_id}"
    return site.host.out(f"docker ps --quiet --filter {label}")


def address_of(host: Host, container: str) -> str:
    """Return a container's address."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return host.out(f"docker inspect --format '{template}' {container}")


def start_container(host: Host, network: str) -> str:
    """Start the smoke image on a network, without a portal; return its name."""
    variables = "-e JPY_USER=x -e JPY_BASE_USER_URL=/user/x -e URL_ID=1"
    name = f"probe-{network}"
    host.run(f"docker run --detach --rm --name {name} --network {network} {variables} {HELLO}")
    return name


def _connect(target: str) -> str:
    address, port = target.split()
    inner = f"exec 3<>/dev/tcp/{address}/{port}"
    return f"timeout 4 bash -c {shlex.quote(inner)}"


def _outcome(host: Host, line: str) -> str:
    said = host.run(line, check=False)
    if said.returncode == _TIMED_OUT:
        return SILENT
    why = said.stderr.strip().rpartition(": ")[2]
    return _SAID.get(why, said.stderr)
