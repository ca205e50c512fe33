"""The certificate of a host, from each of the three places that it may come from."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from deploy import acme
from deploy.hosts import Host, Play
from deploy.people import Site

RENEW = "control-plane certificate renew"
ACME: dict[str, Any] = {
    "remoteapp_certificate": "acme",
    "remoteapp_acme_directory_url": acme.DIRECTORY_URL,
    "remoteapp_acme_ca_bundle": acme.CA_BUNDLE,
}
DNS: dict[str, Any] = {
    "remoteapp_acme_challenge": "dns-01",
    "remoteapp_acme_auth_hook": f"{acme.PLACE}/set-record",
    "remoteapp_acme_cleanup_hook": f"{acme.PLACE}/clear-record",
}


def provision(host: Host, *, check: bool = True, **variables: object) -> Play:
    return host.playbook("site.yml", "--tags", "certificate", check=check, **variables)


def shown(host: Host) -> x509.Certificate:
    """Return what a visitor is shown."""
    line = f"openssl s_client -connect {host.address}:443 -servername {host.fqdn} </dev/null"
    return x509.load_pem_x509_certificate(host.out(f"{line} 2>/dev/null").encode())


def is_believed(host: Host, roots: str) -> bool:
    """Whether a client that trusts these roots alone speaks to nginx without a complaint."""
    host.put("/run/roots.pem", roots)
    line = f"curl --silent --show-error --cacert /run/roots.pem {host.url}/internal/"
    return host.run(line, check=False).returncode == 0


def names(certificate: x509.Certificate) -> set[str]:
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(held.get_values_for_type(x509.DNSName))


@pytest.fixture
def host(bookworm: Site) -> Iterator[Host]:
    """A host that has its self-signed certificate again in the end."""
    yield bookworm.host
    bookworm.host.run("rm -rf /etc/remoteapp/acme /etc/remoteapp/tls/provided")
    provision(bookworm.host)


@pytest.fixture
def authority(host: Host) -> Iterator[None]:
    with acme.authority(host):
        yield


@pytest.mark.usefixtures("authority")
def test_a_certificate_by_http_01_is_issued_renewed_and_shown(host: Host) -> None:
    provision(host, **ACME)
    first = shown(host)
    assert names(first) == {host.fqdn}
    assert "Pebble" in first.issuer.rfc4514_string()
    assert is_believed(host, acme.roots(host))
    assert provision(host, **ACME).changed == 0
    assert host.out(RENEW).startswith("Nothing to do: nginx shows the certificate")
    assert host.out(f"{RENEW} --force").splitlines()[-1] == (
        "nginx reloaded: it shows the certificate."
    )
    assert shown(host) != first
    assert is_believed(host, acme.roots(host))
    assert host.out("stat -c %a:%U /etc/remoteapp/tls/server.key") == "600:root"


@pytest.mark.usefixtures("authority")
def test_a_wildcard_by_dns_01_is_renewed_by_the_unit_of_the_timer(host: Host) -> None:
    apps = f"apps.{host.fqdn}"
    provision(host, **ACME, **DNS, remoteapp_settings={"apps_domain": apps})
    first = shown(host)
    assert names(first) == {host.fqdn, f"*.{apps}"}
    # As after a renewal that was cut off before the new one was put in place.
    host.run("rm -r /etc/remoteapp/acme/live /etc/remoteapp/acme/archive")
    host.run("rm -r /etc/remoteapp/acme/renewal; systemctl start remoteapp-certificate.service")
    assert shown(host) != first
    assert names(shown(host)) == {host.fqdn, f"*.{apps}"}


def test_the_timer_of_the_renewal_is_there_after_the_next_boot(host: Host) -> None:
    timer = "remoteapp-certificate.timer"
    said = host.out(f"systemctl is-enabled {timer}; systemctl is-active {timer}")
    assert said.split() == ["enabled", "active"]


def test_the_present_certificate_stays_while_the_authority_is_away(host: Host) -> None:
    before = shown(host)
    play = provision(host, check=False, **ACME | {"remoteapp_acme_ca_bundle": ""})
    assert play.status != 0
    assert "certbot got no certificate" in play.output
    assert "Connection refused" in play.output
    assert shown(host) == before
    assert is_believed(host, host.out("cat /etc/remoteapp/tls/ca.pem"))


def test_files_of_the_operators_are_taken_and_a_wrong_key_is_refused(
    host: Host, tmp_path: Path
) -> None:
    own = trustme.CA()
    made, other = own.issue_cert(host.fqdn), own.issue_cert(host.fqdn)
    made.cert_chain_pems[0].write_to_path(tmp_path / "chain.pem")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    files: dict[str, Any] = {
        "remoteapp_certificate": "files",
        "remoteapp_certificate_files_on": "controller",
        "remoteapp_certificate_chain": str(tmp_path / "chain.pem"),
    }
    provision(host, **files, remoteapp_certificate_key=str(tmp_path / "key.pem"))
    mine = ssl.PEM_cert_to_DER_cert((tmp_path / "chain.pem").read_text())
    assert shown(host) == x509.load_der_x509_certificate(mine)
    refused = provision(
        host, check=False, **files, remoteapp_certificate_key=str(tmp_path / "other.pem")
    )
    assert refused.status != 0
    assert "The key belongs to another certificate." in refused.output
    assert "BEGIN" not in refused.output
    assert shown(host) == x509.load_der_x509_certificate(mine)


def test_a_variable_that_lacks_is_named_before_anything_is_done(host: Host) -> None:
    refused = provision(host, check=False, **ACME, remoteapp_acme_challenge="dns-01")
    assert "remoteapp_acme_challenge: dns-01 needs remoteapp_acme_auth_hook." in refused.output
    assert refused.changed == 0
