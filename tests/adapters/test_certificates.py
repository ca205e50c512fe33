"""Certificates of an authority of one's own are taken by strict clients; any other is judged."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from control_plane.adapters import certificates
from control_plane.adapters.certificates import Certificates, Pair

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SITE = ("remote.example.org", "*.apps.example.org")
TITLE = "Authority of the tests"


def provided(directory: Path, names: tuple[str, ...] = LOOPBACK) -> Certificates:
    return certificates.provided(directory, names, TITLE)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return provided(tmp_path / "tls")


def verify(made: Certificates, *words: str) -> None:
    strictly = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]
    wanted = [*strictly, str(made.authority), *words, str(made.certificate)]
    subprocess.run(wanted, check=True, capture_output=True)


def pair_of(made: trustme.LeafCert) -> Pair:
    chain = b"".join(one.bytes() for one in made.cert_chain_pems)
    return Pair(chain, made.private_key_pem.bytes())


def judged(pair: Pair, lasting: timedelta = timedelta()) -> list[str]:
    return certificates.problems(pair, SITE[:1], lasting)


def test_it_holds_for_every_name_of_loopback_to_the_letter_of_x509(made: Certificates) -> None:
    for name in (("-verify_hostname", "localhost"), ("-verify_ip", "127.0.0.1")):
        verify(made, *name)
    verify(made, "-verify_ip", "::1")


def test_it_holds_for_a_site_and_for_every_session_of_its_applications(tmp_path: Path) -> None:
    made = provided(tmp_path, SITE)
    verify(made, "-verify_hostname", "remote.example.org")
    verify(made, "-verify_hostname", f"{'0' * 32}.apps.example.org")


def test_a_site_may_be_an_address_alone(tmp_path: Path) -> None:
    verify(provided(tmp_path, ("192.0.2.1",)), "-verify_ip", "192.0.2.1")


@pytest.mark.parametrize("names", [("bank.example",), ("192.0.2.1",), ("example.org",)])
def test_the_authority_is_believed_for_the_names_of_its_site_alone(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    made = provided(tmp_path, SITE)
    signer = certificates.authority(tmp_path, SITE, TITLE)
    certificates.put(tmp_path, certificates.issued(signer, names))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        verify(made)
    assert b"permitted subtree violation" in refused.value.stderr or (
        b"excluded subtree violation" in refused.value.stderr
    )


def test_the_keys_are_their_owners_alone(made: Certificates) -> None:
    keys = sorted(made.key.parent.glob("*.key"))
    assert [one.name for one in keys] == ["ca.key", "server.key"]
    assert {one.stat().st_mode & 0o777 for one in keys} == {0o600}


def test_what_lasts_is_kept(made: Certificates) -> None:
    before = made.certificate.read_bytes()
    assert provided(made.key.parent) == made
    assert made.certificate.read_bytes() == before


def test_what_lacks_is_made_again_by_the_same_authority(made: Certificates) -> None:
    authority = made.authority.read_bytes()
    made.certificate.unlink()
    provided(made.key.parent)
    assert made.authority.read_bytes() == authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)


def test_what_lies_beside_a_key_of_another_is_made_again(made: Certificates) -> None:
    certificates.put(made.key.parent, Pair(made.certificate.read_bytes(), b"none"))
    provided(made.key.parent)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)


def test_other_names_have_another_authority(made: Certificates) -> None:
    authority = made.authority.read_bytes()
    provided(made.key.parent, SITE)
    assert made.authority.read_bytes() != authority
    verify(made, "-verify_hostname", "remote.example.org")


def test_a_pair_that_holds_has_nothing_wrong() -> None:
    ca = trustme.CA()
    between = ca.create_child_ca()
    assert judged(pair_of(between.issue_cert("remote.example.org"))) == []
    assert judged(pair_of(ca.issue_cert("*.example.org"))) == []


def test_a_key_of_another_certificate_is_named() -> None:
    ca = trustme.CA()
    one, other = ca.issue_cert("remote.example.org"), ca.issue_cert("remote.example.org")
    mixed = Pair(pair_of(one).chain, pair_of(other).key)
    assert judged(mixed) == ["The key belongs to another certificate."]


def test_a_key_with_a_pass_phrase_is_named() -> None:
    pair = pair_of(trustme.CA().issue_cert("remote.example.org"))
    closed = serialization.load_pem_private_key(pair.key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase"),
    )
    assert judged(Pair(pair.chain, closed)) == [
        "The key has a pass phrase, which nginx cannot type."
    ]


def test_files_that_hold_something_else_are_named() -> None:
    pair = pair_of(trustme.CA().issue_cert("remote.example.org"))
    assert judged(Pair(b"", pair.key)) == ["The chain holds no certificate in PEM."]
    assert judged(Pair(pair.chain, pair.chain)) == ["The key is none in PEM."]


@pytest.mark.parametrize("name", ["other.example.org", "*.org", "*.remote.example.org"])
def test_a_certificate_of_another_name_is_named(name: str) -> None:
    pair = pair_of(trustme.CA().issue_cert(name))
    assert judged(pair) == [
        f"The certificate does not hold for remote.example.org, only for {name}."
    ]


def test_a_certificate_that_has_ended_or_ends_soon_is_named() -> None:
    now = datetime.now(UTC)
    ca = trustme.CA()
    old = pair_of(ca.issue_cert("remote.example.org", not_after=now - timedelta(days=1)))
    soon = pair_of(ca.issue_cert("remote.example.org", not_after=now + timedelta(days=20)))
    early = pair_of(ca.issue_cert("remote.example.org", not_before=now + timedelta(days=1)))
    assert judged(old) == [f"The certificate ended on {now - timedelta(days=1):%d %B %Y}."]
    assert judged(soon) == []
    assert judged(soon, certificates.EARLY) == [
        f"The certificate ends on {now + timedelta(days=20):%d %B %Y}."
    ]
    assert judged(early)[0].startswith("The certificate holds from ")


def test_a_chain_out_of_order_is_named() -> None:
    made = trustme.CA().create_child_ca().issue_cert("remote.example.org")
    chain = made.cert_chain_pems[0].bytes() + trustme.CA().cert_pem.bytes()
    assert judged(Pair(chain, made.private_key_pem.bytes())) == [
        "Certificate 1 of the chain is not signed by number 2."
    ]
