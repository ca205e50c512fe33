"""The trial's certificate is one that strict clients take."""

import ssl
import subprocess
from pathlib import Path

import pytest

from control_plane.trial import certificate
from control_plane.trial.certificate import Certificates


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificate.provided(tmp_path / "tls")


def test_it_holds_for_every_name_of_loopback_to_the_letter_of_x509(made: Certificates) -> None:
    words = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]
    for name in ("-verify_hostname=localhost", "-verify_ip=127.0.0.1", "-verify_ip=::1"):
        wanted = [*words, str(made.authority), *name.split("="), str(made.certificate)]
        subprocess.run(wanted, check=True, capture_output=True)


def test_the_keys_are_their_owners_alone(made: Certificates) -> None:
    keys = sorted(made.key.parent.glob("*.key"))
    assert [one.name for one in keys] == ["ca.key", "server.key"]
    assert {one.stat().st_mode & 0o777 for one in keys} == {0o600}


def test_what_lasts_is_kept(made: Certificates) -> None:
    before = made.certificate.read_bytes()
    assert certificate.provided(made.key.parent) == made
    assert made.certificate.read_bytes() == before


def test_what_lacks_is_made_again_by_the_same_authority(made: Certificates) -> None:
    authority = made.authority.read_bytes()
    made.certificate.unlink()
    certificate.provided(made.key.parent)
    assert made.authority.read_bytes() == authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
