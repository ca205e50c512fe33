"""A host that serves something else as well, before it becomes a portal and after it was one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deploy import hosts
from deploy.hosts import Host
from deploy.people import HELLO, TERMINAL, Site

PACKAGES = "docker.io docker-cli iptables nftables nginx openssl python3-venv"
OWN_SITE = "server { listen 8081; location / { return 200 'the lab'; } }\n"
# By name; every one prints the same again where nothing of a host has changed.
LISTINGS = {
    "files": (
        "find /etc /opt /root /srv /usr/local /home /var/lib /var/log -xdev"
        " ( -path /var/lib/docker -o -path /var/lib/containerd -o -path /var/lib/apt"
        " -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/log/journal"
        " -o -name '.ansible*' -o -name '*cache*' -o -name 'wtmp*' -o -path '/etc/*-' ) -prune"
        " -o -printf '%p %y %m %u %g %l\\n'"
    ),
    "stamps": "find /var/lib/systemd -name '*remoteapp*'",
    "content": "find /etc -xdev -type f ! -name '*-' ! -name '*cache*' -exec md5sum {} +",
    "packages": "dpkg-query --show --showformat '${Package} ${db:Status-Status}\\n'",
    "units": "systemctl list-unit-files --no-legend | grep -v transient",
    "failed": "systemctl list-units --failed --plain --no-legend",
    "users": "getent passwd",
    "groups": "getent group",
    "networks": "docker network ls --format '{{.Name}}'",
    "volumes": "docker volume ls --quiet",
    "containers": "docker ps --all --format '{{.Names}} {{.Status}}' | sed 's/ Up .*/ up/'",
    "tables": "nft list tables",
    "ports": "ss -Hltnu | awk '{print $1, $5}' | sort --unique",
}


@dataclass(frozen=True)
class Spare:
    """The host as a portal, and what it had before it was one."""

    site: Site
    own: Host
    before: Mapping[str, list[str]]


def listed(host: Host) -> dict[str, list[str]]:
    """Return what a host has, by kind."""
    escaped = {
        name: line.replace("( ", "\\( ").replace(" )", " \\)") for name, line in LISTINGS.items()
    }
    return {name: sorted(host.out(line).splitlines()) for name, line in escaped.items()}


@contextmanager
def provisioned(name: str) -> Iterator[Spare]:
    """Boot a host with an engine and a site of its own, and make it a portal of that name."""
    with hosts.running("spare", "trixie") as own:
        own.run(f"apt-get install --yes --no-install-recommends {PACKAGES}")
        own.put("/etc/nginx/conf.d/lab.conf", OWN_SITE)
        own.run("systemctl enable --now docker nginx; systemctl reload nginx")
        own.load(HELLO, TERMINAL)
        own.run(
            f"docker run --detach --name lab --restart always --entrypoint sleep {HELLO} 1000000"
        )
        before = listed(own)
        host = replace(own, name=name)
        host.playbook()
        yield Spare(Site(host), own, before)
