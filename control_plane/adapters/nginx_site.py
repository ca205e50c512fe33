"""Our part of nginx's configuration, rendered from `nginx/` as a host's provisioning renders it.

Invariant: plain Jinja with the settings that Ansible's template module has, so that a trial and a
host differ in the values of one object, `site`, and in nothing else.
"""

import re
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from control_plane.domain import routes
from control_plane.errors import GatewayError

# From here on http2 is a directive of the server, before it was a word of `listen`.
_HTTP2_DIRECTIVE = (1, 25, 1)
_PREFIXES = (*range(8, 31), 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxSite:
    """What the templates are given as `site`; `nginx/README.md` explains each."""

    directory: Path
    public_url: str
    server_names: tuple[str, ...]
    listen: tuple[str, ...]
    certificate: Path
    certificate_key: Path
    socket: Path
    forwarder_socket: Path
    cache: Path
    session_range: str
    routes: Path
    access_log: str
    error_log: str
    apps_domain: str = ""
    apps_port: int = 0
    apps_listen: tuple[str, ...] = ()
    http2: bool = True
    http2_directive: bool = False
    redirect_listen: tuple[str, ...] = ()
    hsts_seconds: int = 0
    signin_rate: str = "2r/s"
    tls_protocols: str = "TLSv1.2 TLSv1.3"
    listen_options: str = "so_keepalive=5m:30s:4"
    header_buffers: str = "4 16k"
    upload_limit: str = "0"
    trusted_proxies: tuple[str, ...] = ()
    acme_webroot: str = ""
    map_hash: bool = True
    # The rest is for nginx.conf, the trial's own.
    pid: Path = Path("/run/nginx.pid")
    temporary: Path = Path("/var/lib/nginx")
    worker_user: str = ""
    worker_processes: str = "auto"


def render(templates: Path, site: NginxSite) -> dict[str, str]:
    """Return the text of each file, by its path below `site.directory`."""
    _check_range(site.session_range)
    environment = Environment(
        loader=FileSystemLoader(templates),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  nginx's language, not HTML
    )
    return {
        name.removesuffix(".j2"): environment.get_template(name).render(site=site)
        for name in environment.list_templates(extensions=["j2"])
    }


def write(templates: Path, site: NginxSite) -> Path:
    """Write every file, and an empty set of routes where there is none; return nginx.conf."""
    for name, text in render(templates, site).items():
        path = site.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if not site.routes.exists():
        site.routes.parent.mkdir(parents=True, exist_ok=True)
        site.routes.write_text(routes.nginx_text(()), encoding="utf-8")
    return site.directory / "nginx.conf"


def has_http2_directive(nginx: str = "/usr/sbin/nginx") -> bool:
    """Whether this nginx knows `http2 on;`; GatewayError when it does not say its version."""
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr  # noqa: S603  a fixed program
    match = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        raise GatewayError(f"{nginx} -v says no version: {said.strip()}")
    return tuple(int(part) for part in match.groups()) >= _HTTP2_DIRECTIVE


def _check_range(text: str) -> None:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise GatewayError(f"session_range: {error}") from error
    if network.prefixlen not in _PREFIXES:
        raise GatewayError(f"session_range: {text} is neither between /8 and /30 nor one address")
