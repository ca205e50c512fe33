"""A certificate authority for one machine, and the portal's certificate from it, made by openssl.

Invariant: the keys are root's alone; Chromium, curl and Python accept what is signed here.
"""

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from control_plane.trial import programs

_AUTHORITY_DAYS = "3650"
_DAYS = "397"
_RENEW_SECONDS = str(30 * 24 * 3600)
_REQUEST = dedent("""\
    [req]
    prompt = no
    distinguished_name = name
    [name]
    CN = {name}
    [authority]
    basicConstraints = critical, CA:TRUE, pathlen:0
    keyUsage = critical, keyCertSign, cRLSign
    subjectKeyIdentifier = hash
    [server]
    basicConstraints = critical, CA:FALSE
    keyUsage = critical, digitalSignature
    extendedKeyUsage = serverAuth
    subjectKeyIdentifier = hash
    authorityKeyIdentifier = keyid
    subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
    """)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where they lie: `authority` is what a client is told to trust."""

    authority: Path
    certificate: Path
    key: Path


def provided(directory: Path) -> Certificates:
    """Return the certificates of the directory; what lacks, or ends within 30 days, is made."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    found = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    authority_key = directory / "ca.key"
    if not (authority_key.exists() and _lasts(found.authority)):
        _make_authority(found.authority, authority_key)
        found.certificate.unlink(missing_ok=True)
    if not (found.key.exists() and _lasts(found.certificate)):
        _make_certificate(found, authority_key)
    return found


def _make_authority(certificate: Path, key: Path) -> None:
    request = _request(certificate.parent, "Remoteapp trial authority")
    _make_key(key)
    words = ["req", "-x509", "-new", "-sha256", "-days", _AUTHORITY_DAYS, "-key", str(key)]
    _openssl(*words, "-config", str(request), "-extensions", "authority", "-out", str(certificate))


def _make_certificate(wanted: Certificates, authority_key: Path) -> None:
    request = _request(wanted.key.parent, "localhost")
    _make_key(wanted.key)
    signing = wanted.key.with_suffix(".csr")
    _openssl("req", "-new", "-key", str(wanted.key), "-config", str(request), "-out", str(signing))
    by = ["-CA", str(wanted.authority), "-CAkey", str(authority_key), "-CAcreateserial"]
    as_server = ["-extfile", str(request), "-extensions", "server"]
    words = ["x509", "-req", "-sha256", "-days", _DAYS, "-in", str(signing), *by, *as_server]
    _openssl(*words, "-out", str(wanted.certificate))


def _make_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    _openssl("genpkey", *curve, "-out", str(path))


def _request(directory: Path, name: str) -> Path:
    path = directory / "request.cnf"
    path.write_text(_REQUEST.format(name=name))
    return path


def _lasts(certificate: Path) -> bool:
    words = ["openssl", "x509", "-checkend", _RENEW_SECONDS, "-noout", "-in", str(certificate)]
    return certificate.exists() and programs.run(words).returncode == 0


def _openssl(*words: str) -> None:
    programs.must(["openssl", *words])
