"""The host's certificate, kept: issued, checked, put in place, and shown by nginx.

Invariant: what stands in place was accepted by `nginx -t` with it, and a certificate that does not
hold never takes the place of another.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from control_plane.adapters import certbot, certificates, nginx_processes, nginx_says
from control_plane.adapters.certificate_settings import CertificateSettings, Files
from control_plane.adapters.certificates import Pair
from control_plane.errors import ControlPlaneError

_TITLE = "Remoteapp authority of {}"
_LOOK_SECONDS = 0.2


def renew(settings: CertificateSettings, *, force: bool = False) -> list[str]:
    """Do what is due and return it, a sentence each; ControlPlaneError says what to do.

    `force` issues a new one before it is time. When it returns nginx shows the certificate that
    stands in the directory.
    """
    with _alone(settings.directory):
        acts = _stopgap(settings) if settings.mode == "acme" else []
        wanted, done = _wanted(settings, force=force)
        return [*acts, *done, *_placed(settings, wanted), *_shown(settings)]


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _stopgap(settings: CertificateSettings) -> list[str]:
    """Have nginx show one of our own until the authority has issued one that holds."""
    present = certificates.read(settings.directory)
    if present is not None and not certificates.problems(present, settings.names):
        return []
    own, done = _own(settings, force=True)
    return [*done, *_placed(settings, own), *_shown(settings)]


def _wanted(settings: CertificateSettings, *, force: bool) -> tuple[Pair, list[str]]:
    if settings.acme is not None and settings.mode == "acme":
        return _checked(settings, certbot.obtained(settings.acme, settings.names, force=force)), []
    if settings.files is not None and settings.mode == "files":
        return _checked(settings, _read(settings.files)), []
    return _own(settings, force=force)


def _own(settings: CertificateSettings, *, force: bool) -> tuple[Pair, list[str]]:
    directory, names = settings.directory, settings.names
    file = certificates.places(directory).authority
    before = file.read_bytes() if file.exists() else None
    signer = certificates.authority(directory, names, _TITLE.format(names[0]))
    is_new = file.read_bytes() != before
    acts = [f"A new authority, {file}: visitors have to trust it first."] if is_new else []
    present = certificates.read(directory)
    holds = present is not None and certificates.is_from(present, signer)
    if present is None or force or not holds:
        return certificates.issued(signer, names), acts
    due = certificates.problems(present, names, certificates.EARLY)
    return (certificates.issued(signer, names) if due else present), acts


def _read(files: Files) -> Pair:
    try:
        return Pair(files.chain.read_bytes(), files.key.read_bytes())
    except OSError as error:
        raise ControlPlaneError(
            f"The certificate cannot be read: {error}.", "The present certificate stays."
        ) from error


def _checked(settings: CertificateSettings, pair: Pair) -> Pair:
    wrong = certificates.problems(pair, settings.names)
    if wrong:
        source = settings.files.chain if settings.files else "certbot"
        raise ControlPlaneError(
            f"The certificate from {source} is not taken. {' '.join(wrong)}",
            f"The present certificate stays; provide one that holds for "
            f"{', '.join(settings.names)}, with its key.",
        )
    return pair


def _placed(settings: CertificateSettings, wanted: Pair) -> list[str]:
    before = certificates.read(settings.directory)
    if wanted == before:
        return []
    certificates.put(settings.directory, wanted)
    said = nginx_says.refusal(settings.nginx.program, settings.nginx.config)
    if said:
        if before is not None:
            certificates.put(settings.directory, before)
        raise ControlPlaneError(
            f"nginx refuses its configuration with the new certificate; the previous one stays. "
            f"{said}",
            "Mend what nginx names, then run control-plane certificate renew.",
        )
    ends = certificates.leaf(wanted).not_valid_after_utc
    return [f"A new certificate for {', '.join(settings.names)}, until {ends:%d %B %Y}."]


def _shown(settings: CertificateSettings) -> list[str]:
    """Reload nginx where it shows another certificate than the one in place."""
    if _is_shown(settings):
        return []
    master = nginx_processes.master(settings.nginx.pid)
    if master is None:
        raise ControlPlaneError(
            "The certificate is in place, but nginx does not run.", "Run systemctl start nginx."
        )
    said = nginx_says.refusal(settings.nginx.program, settings.nginx.config)
    if said:
        raise ControlPlaneError(
            f"nginx shows an old certificate and refuses its configuration. {said}",
            "Mend what nginx names, then run control-plane certificate renew.",
        )
    nginx_processes.reload(master)
    _await_shown(settings)
    return ["nginx reloaded: it shows the certificate."]


def _await_shown(settings: CertificateSettings) -> None:
    until = time.monotonic() + settings.nginx.patience
    while not _is_shown(settings):
        if time.monotonic() > until:
            where = f"{settings.nginx.address}:{settings.nginx.port}"
            raise ControlPlaneError(
                f"nginx was reloaded, and {where} still does not show the certificate of "
                f"{certificates.places(settings.directory).certificate} for {settings.names[0]}.",
                "Look in nginx -T whether another server has that name or address, and in "
                "journalctl -u nginx; systemctl restart nginx cuts open desktops.",
            )
        time.sleep(_LOOK_SECONDS)


def _is_shown(settings: CertificateSettings) -> bool:
    present = certificates.read(settings.directory)
    if present is None:
        return False
    shown = nginx_says.certificate(
        settings.nginx.address, settings.nginx.port, settings.names[0].removeprefix("*.")
    )
    return shown == certificates.leaf(present).public_bytes(Encoding.DER)
