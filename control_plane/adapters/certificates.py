"""X.509: an authority of one machine's own, certificates from it, and what holds of any other.

Invariant: a key is its owner's alone from its first byte, and no file is ever seen half written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from control_plane.adapters.nginx_status import replace_file

# What is issued here is made anew this long before its end.
EARLY = timedelta(days=30)
_AUTHORITY_LASTS = timedelta(days=3650)
# Some clients take no server's certificate that lasts longer.
_LASTS = timedelta(days=397)
# Visitors' clocks may be behind.
_SKEW = timedelta(hours=1)
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where they lie: `authority` is what a client is told to trust."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """What nginx is given, in PEM: the certificate with those that it hangs on, and its key."""

    chain: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def places(directory: Path) -> Certificates:
    """Return where the certificates of a directory lie."""
    return Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")


def provided(directory: Path, names: Sequence[str], title: str) -> Certificates:
    """Return the directory's certificates; what lacks, ends soon or has other names is made."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    signer = authority(directory, names, title)
    present = read(directory)
    if present is None or not is_from(present, signer) or problems(present, names, EARLY):
        put(directory, issued(signer, names))
    return places(directory)


def authority(directory: Path, names: Sequence[str], title: str) -> Authority:
    """Return the directory's authority; a new one where it lacks, ends soon or has other names.

    It can sign for these names alone: whoever trusts it need not trust its key with the rest of
    the world. Its key lies beside it, in `ca.key`.
    """
    certificate, key = places(directory).authority, directory / "ca.key"
    if not (found := _authority_in(certificate, key)) or not _may_sign(found, names):
        found = _new_authority(names, title)
        replace_file(key, _pem(found.key), 0o600)
        replace_file(certificate, found.certificate.public_bytes(serialization.Encoding.PEM))
    return found


def issued(signer: Authority, names: Sequence[str]) -> Pair:
    """Return a new certificate for the names, with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        # No host's name by itself: some clients take such a common name for one more of its names.
        _begun(f"Remoteapp at {names[0]}", signer.certificate.subject, key, _LASTS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature"), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(_signed_by(signer), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False
        )
        .sign(signer.key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def read(directory: Path) -> Pair | None:
    """Return the pair that lies in the directory; None where a part of it lacks."""
    found = places(directory)
    try:
        return Pair(found.certificate.read_bytes(), found.key.read_bytes())
    except FileNotFoundError:
        return None


def put(directory: Path, pair: Pair) -> None:
    """Lay the pair into the directory in place of the present one."""
    replace_file(places(directory).key, pair.key, 0o600)
    replace_file(places(directory).certificate, pair.chain)


def leaf(pair: Pair) -> x509.Certificate:
    """Return the certificate itself; ValueError where the chain is none."""
    return x509.load_pem_x509_certificates(pair.chain)[0]


def is_from(pair: Pair, signer: Authority) -> bool:
    """Say whether that authority has signed it."""
    try:
        return _is_signed_by(leaf(pair), signer.certificate)
    except ValueError:
        return False


def problems(pair: Pair, names: Sequence[str], lasting: timedelta = timedelta()) -> list[str]:
    """Return all that is wrong with it for a server of these names, a sentence each."""
    try:
        chain = x509.load_pem_x509_certificates(pair.chain)
    except ValueError:
        return ["The chain holds no certificate in PEM."]
    return [
        *_key_problems(chain[0], pair.key),
        *_name_problems(chain[0], names),
        *_date_problems(chain[0], lasting),
        *_order_problems(chain),
    ]


def _authority_in(certificate: Path, key: Path) -> Authority | None:
    try:
        signing = serialization.load_pem_private_key(key.read_bytes(), password=None)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (FileNotFoundError, TypeError, ValueError, UnsupportedAlgorithm):
        return None
    is_usable = isinstance(signing, ec.EllipticCurvePrivateKey)
    return Authority(found, signing) if is_usable else None  # type: ignore[arg-type]  # just asked


def _may_sign(signer: Authority, names: Sequence[str]) -> bool:
    ends = signer.certificate.not_valid_after_utc
    fits = signer.certificate.public_key() == signer.key.public_key()
    return fits and _bounds_of(signer.certificate) == _bounds(names) and ends > _now() + EARLY


def _bounds_of(certificate: x509.Certificate) -> x509.NameConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _new_authority(names: Sequence[str], title: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    certificate = (
        _begun(title, name, key, _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(_bounds(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _bounds(names: Sequence[str]) -> x509.NameConstraints:
    """Return what an authority of these names may sign: nothing else of either kind."""
    hosts = [one.removeprefix("*.") for one in names if not _is_address(one)]
    addresses = [one for one in names if _is_address(one)]
    permitted = [
        *(x509.DNSName(one) for one in sorted(set(hosts))),
        *(x509.IPAddress(ip_network(one)) for one in sorted(addresses)),
    ]
    none_of = [] if hosts else [x509.DNSName("")]
    nowhere = [] if addresses else [ip_network("0.0.0.0/0"), ip_network("::/0")]
    excluded = [*none_of, *(x509.IPAddress(one) for one in nowhere)]
    return x509.NameConstraints(permitted, excluded or None)


def _begun(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    subject = x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_COMMON_NAME])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([subject]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _SKEW)
        .not_valid_after(_now() + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _signed_by(signer: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())


def _key_usage(*uses: str) -> x509.KeyUsage:
    known = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{one: one in uses for one in known})


def _general_name(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if _is_address(name) else x509.DNSName(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _key_problems(certificate: x509.Certificate, text: bytes) -> list[str]:
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except TypeError:
        return ["The key has a pass phrase, which nginx cannot type."]
    except (ValueError, UnsupportedAlgorithm):
        return ["The key is none in PEM."]
    fits = key.public_key() == certificate.public_key()
    return [] if fits else ["The key belongs to another certificate."]


def _name_problems(certificate: x509.Certificate, names: Sequence[str]) -> list[str]:
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ["The certificate names no host: it has no subjectAltName."]
    hosts = [one.lower() for one in held.get_values_for_type(x509.DNSName)]
    covered = {*hosts, *map(str, held.get_values_for_type(x509.IPAddress))}
    return [
        f"The certificate does not hold for {name}, only for {', '.join(sorted(covered))}."
        for name in names
        # A wildcard stands for one label.
        if name not in covered and f"*.{name.partition('.')[2]}" not in covered
    ]


def _date_problems(certificate: x509.Certificate, lasting: timedelta) -> list[str]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins > _now():
        return [f"The certificate holds from {begins:%d %B %Y %H:%M} UTC on only."]
    if ends <= _now():
        return [f"The certificate ended on {ends:%d %B %Y}."]
    return [f"The certificate ends on {ends:%d %B %Y}."] if ends <= _now() + lasting else []


def _order_problems(chain: Sequence[x509.Certificate]) -> list[str]:
    return [
        f"Certificate {number} of the chain is not signed by number {number + 1}."
        for number, (one, signer) in enumerate(pairwise(chain), 1)
        if not _is_signed_by(one, signer)
    ]


def _is_signed_by(one: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _now() -> datetime:
    return datetime.now(UTC)
