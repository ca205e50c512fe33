"""The way in: ports, the control plane's socket, the certificate, and whether all of it answers.

Invariant: nothing is asked but this machine, and nothing that it says is trusted by its name.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from control_plane.adapters import certificates, machine, nginx_says, portal_probe
from control_plane.adapters.portal_probe import Nginx
from control_plane.doctor.accounts import group_name, user_name
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.domain.names import shown
from control_plane.errors import UnavailableError

_LISTEN = re.compile(r"^\s*listen\s+(?:\S*:)?(\d+)[\s;]", re.MULTILINE)
# The timer renews 30 days before the end: what is still there a week later did not get renewed.
_EARLY = timedelta(days=23)
_RENEW = "control-plane certificate renew"
_START_NGINX = "systemctl status nginx; systemctl start nginx"
_PLAIN = re.compile(r"^\s*listen\s+(?:\S*:)?(\d+)(?:\s+(?!ssl)\S+)*;", re.MULTILINE)
_PAGES = ("/healthz", "/readyz", "/login")
_OK, _REDIRECTS = 200, (301, 302, 307, 308)
_ROLE = "ansible-playbook -i inventory ansible/site.yml --tags"
_WORKERS = ("www-data", "nginx")


def ports(one: Installation) -> Iterator[Finding]:
    """See that the site's ports are nginx's, and the socket is where and whose it must be."""
    sockets = _sockets(one)
    bad = [*_ports(one), *(said for wanted in sockets for said in _socket(wanted)), *_refused(one)]
    yield from bad
    if not bad:
        listed = ", ".join(map(str, sorted(_ports_of(one, _LISTEN))))
        whose = ", ".join(str(wanted.path) for wanted in sockets)
        yield ok(f"nginx listens on {listed}; {whose}: each is for those whom it is for.")


def certificate(one: Installation) -> Iterator[Finding]:
    """See that the certificate is for this portal, lasts, and is the one that nginx serves."""
    path = one.places.certificates / "server.pem"
    name, port = portal_probe.name_and_port(one.settings.public_url)
    pair = certificates.read(one.places.certificates)
    if pair is None:
        yield failed(f"There is no certificate: {path} or its key is not there.", _RENEW)
        return
    wrong = certificates.problems(pair, [name])
    bad = [failed(said, _RENEW) for said in wrong]
    soon = certificates.problems(pair, [name], _EARLY)
    bad += [warning(said, _RENEW) for said in soon if said not in wrong]
    leaf = certificates.leaf(pair)
    shown_now = nginx_says.certificate(portal_probe.place(port), port, name)
    if shown_now is None:
        bad.append(failed(f"Nobody ends TLS on port {port} of this machine.", _START_NGINX))
    elif shown_now != leaf.public_bytes(Encoding.DER):
        told = f"nginx serves another certificate than the one in {path}."
        bad.append(failed(told, "nginx -t && systemctl reload nginx"))
    yield from bad
    if not bad:
        yield ok(f"It is for {name}, until {leaf.not_valid_after_utc:%d %B %Y}; nginx serves it.")


def readyz(one: Installation) -> Iterator[Finding]:
    """See that the control plane answers on its socket, and is ready."""
    checks = portal_probe.readiness(one.places.socket)
    bad = [
        failed(f"{part}: {shown(said, 300)}", _OF_PART.get(part, f"journalctl -u {SERVICE}"))
        for part, said in checks.items()
        if said != "ok"
    ]
    yield from bad
    if not bad:
        yield ok(f"It is ready: {', '.join(checks)}.")


def https(one: Installation) -> Iterator[Finding]:
    """See that visitors get in by HTTPS, and by HTTPS alone."""
    url = one.settings.public_url
    plain = sorted(_ports_of(one, _PLAIN))
    with closing(Nginx(url, one.places.certificates / "server.pem")) as nginx:
        bad = [said for path in _PAGES for said in _page(nginx, path)]
        stays = nginx.ask("GET", "/login").headers.get("Strict-Transport-Security")
    bad += [said for port in plain for said in _redirect(port, url)]
    yield from bad
    if not bad:
        also = f", port {', '.join(map(str, plain))} leads there" if plain else ""
        hsts = "are told to stay" if stays else "are not told to stay"
        yield ok(f"{', '.join(_PAGES)} answer at {url}{also}; browsers {hsts} (HSTS).")


def _ports(one: Installation) -> Iterator[Finding]:
    wanted = _ports_of(one, _LISTEN)
    if not wanted:
        yield failed(f"nginx has no site of this portal in {one.places.nginx}.", f"{_ROLE} nginx")
    holders: dict[int, set[str]] = {}
    for listener, names in machine.listeners().items():
        if _is_reachable(listener.address):
            holders.setdefault(listener.port, set()).update(names or {""})
    for port in sorted(wanted):
        who = holders.get(port, set())
        if not who:
            yield failed(f"Nobody listens on port {port}.", "nginx -t && systemctl restart nginx")
        elif not who & {"nginx", ""}:
            told = f"Port {port} is {', '.join(sorted(who))}'s, not nginx's."
            yield failed(told, f"ss -ltnp 'sport = :{port}'  # end it, then start nginx")


def _refused(one: Installation) -> Iterator[Finding]:
    """Say what nginx has against its files, for it serves on until it is started anew."""
    program = one.places.nginx_program
    if os.geteuid() or not program.exists():  # to root alone it can say it
        return
    if said := nginx_says.refusal(str(program), one.places.nginx_config):
        told = (
            "nginx refuses its configuration: it serves what it had read before, takes no new"
            f" certificate, and does not start again. {shown(said, 300)}"
        )
        yield failed(told, "nginx -t  # mend what it names, then: systemctl reload nginx")


def _is_reachable(address: IPv4Address | IPv6Address) -> bool:
    return not address.is_link_local


def _ports_of(one: Installation, pattern: re.Pattern[str]) -> set[int]:
    """Return the ports of the site as it was rendered."""
    with suppress(OSError):
        files = one.places.nginx.glob("*.conf")
        return {int(port) for path in files for port in pattern.findall(path.read_text())}
    return set()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A socket: whose it is, and whether nginx connects as well."""

    path: Path
    owner: str
    unit: str
    for_nginx: bool = False

    @property
    def mode(self) -> int:
        return 0o660 if self.for_nginx else 0o600


def _sockets(one: Installation) -> list[_Wanted]:
    places = one.places
    found = [_Wanted(places.socket, places.account, SERVICE, for_nginx=True)]
    if one.is_apart:
        owner, unit = places.forwarder_account, f"{SERVICE}-forwarder"
        found += [
            _Wanted(places.engine_socket, places.account, f"{SERVICE}-engine"),
            _Wanted(places.pam_socket, places.account, f"{SERVICE}-pam"),
            _Wanted(places.forwarder_socket, owner, unit, for_nginx=True),
            _Wanted(places.forwarder_control, places.account, f"{unit}-control"),
        ]
    return found


def _socket(wanted: _Wanted) -> Iterator[Finding]:
    path, todo = wanted.path, f"systemctl restart {wanted.unit}.socket {SERVICE}.service"
    try:
        found = path.stat()
    except OSError as error:
        yield failed(f"The socket {path} cannot be reached: {error.strerror}.", todo)
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield failed(f"{path} is no socket.", f"rm {path}; {todo}")
        return
    owner, group = user_name(found.st_uid), group_name(found.st_gid)
    is_for_nginx = group in _WORKERS or not wanted.for_nginx
    if (stat.S_IMODE(found.st_mode), owner) != (wanted.mode, wanted.owner) or not is_for_nginx:
        told = f"{path} is {stat.filemode(found.st_mode)} {owner}:{group}"
        mode = stat.filemode(stat.S_IFSOCK | wanted.mode)
        meant = f"{wanted.owner}:{_WORKERS[0]}" if wanted.for_nginx else wanted.owner
        yield failed(f"{told}, not {mode} {meant}.", todo)


def _page(nginx: Nginx, path: str) -> Iterator[Finding]:
    answer = nginx.ask("GET", path)
    if answer.status_code != _OK:
        told = f"{path} answers {answer.status_code} through nginx."
        yield failed(told, "tail /var/log/nginx/error.log; control-plane doctor --only readyz")


def _redirect(port: int, url: str) -> Iterator[Finding]:
    try:
        status, location = portal_probe.plain(port, url)
    except UnavailableError as error:
        yield failed(error.message, _START_NGINX)
        return
    if status not in _REDIRECTS or not location.startswith(f"{url}/"):
        told = f"Port {port} does not lead to {url}: it answers {status}."
        yield failed(told, f"nginx -T | grep -B3 -A6 'listen.*{port}'  # whose site is it?")


_OF_PART = {
    "database": "control-plane doctor --only database",
    "disk": "control-plane doctor --only disk",
    "engine": "control-plane doctor --only engine",
    "routes": "control-plane doctor --only routes",
}
