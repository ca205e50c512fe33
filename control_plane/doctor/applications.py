"""The origin that applications live on: whether it answers here, with the portal's certificate.

Invariant: what it says of one session's host holds for all of them: the name asked for is nobody's.
"""

from collections.abc import Iterator
from contextlib import closing

from cryptography.hazmat.primitives.serialization import Encoding

from control_plane.adapters import certificates, nginx_says, portal_probe
from control_plane.adapters.portal_probe import Nginx
from control_plane.doctor.findings import Finding, failed, ok
from control_plane.doctor.installation import Installation
from control_plane.domain.origins import Origins

_NOBODYS = "0" * 32
_RENEW = "control-plane certificate renew"
_ROLES = "ansible-playbook -i inventory ansible/site.yml --tags nginx,certificate"
_MISDIRECTED, _BROKEN = 421, 500


def applications(one: Installation) -> Iterator[Finding]:
    """See that applications are reached where the portal sends its visitors."""
    settings = one.settings
    origins = Origins(settings.public_url, settings.apps_domain, settings.apps_port)
    if origins.mode == "one":
        yield ok("Applications share the portal's origin: they have to be trusted with it.")
        return
    url = origins.of(_NOBODYS)
    bad = [*_certificate(one, url)] or [*_answer(one, url)]
    yield from bad
    if not bad:
        where = f"https://<session>.{origins.apps_domain}" if origins.apps_domain else url
        yield ok(f"Applications answer at {where}, with the portal's certificate.")


def _certificate(one: Installation, url: str) -> Iterator[Finding]:
    name, port = portal_probe.name_and_port(url)
    if (pair := certificates.read(one.places.certificates)) is None:
        yield failed(f"There is no certificate in {one.places.certificates}.", _RENEW)
        return
    for said in certificates.problems(pair, [name]):
        yield failed(said, f"{_ROLES}; {_RENEW}")
    shown = nginx_says.certificate(portal_probe.place(port), port, name)
    if shown is None:
        yield failed(f"Nobody ends TLS on port {port} of this machine.", _ROLES)
    elif shown != certificates.leaf(pair).public_bytes(Encoding.DER):
        told = f"Another certificate than the portal's is shown for {name} on port {port}."
        yield failed(told, f"nginx -t && systemctl reload nginx; {_ROLES}")


def _answer(one: Installation, url: str) -> Iterator[Finding]:
    with closing(Nginx(url, one.places.certificates / "server.pem")) as nginx:
        status = nginx.ask("GET", f"/user/nobody/containers/{_NOBODYS}/").status_code
    if status == _MISDIRECTED or status >= _BROKEN:
        yield failed(f"{url} answers {status} through nginx.", _ROLES)
