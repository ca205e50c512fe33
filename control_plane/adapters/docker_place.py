"""Where the engine is: on this machine, or elsewhere over TLS with both sides proved.

Invariant: an engine on another machine is spoken to over TLS alone, and its certificate is checked.
What goes to the ports that it publishes for sessions is not.
"""

import os
import stat
from dataclasses import dataclass, fields, replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from control_plane.errors import SettingsError

SOCKET = "unix:///var/run/docker.sock"
_HERE = "127.0.0.1"
_FORMS = "must be unix:///PATH or tcp://ADDRESS:PORT"


@dataclass(frozen=True, slots=True)
class Certificates:
    """The PEM files of a connection: whom we trust, and how we prove who we are."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class EnginePlace:
    """An engine's address as Docker writes it, and what it takes to reach it and its containers.

    `published_on` is the IPv4 address that containers publish their ports on; empty: they are
    reached at their own addresses.
    """

    host: str = SOCKET
    certificates: Certificates | None = None
    published_on: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether paths of this machine mean nothing to the engine."""
        return self.host.startswith("tcp://")


# An address alone stands for what `find` makes of it, None for what the environment says.
Where = EnginePlace | str | None


def at(where: Where) -> EnginePlace:
    """Return the place that is meant; SettingsError."""
    return where if isinstance(where, EnginePlace) else find(where or "")


def socket_of(place: EnginePlace) -> Path | None:
    """Return the engine's socket on this machine; None where it is elsewhere."""
    return None if place.elsewhere else Path(urlsplit(place.host).path)


def find(
    host: str = "", certificates: Certificates | None = None, *, speaks: bool = True
) -> EnginePlace:
    """Return where the engine is: at `host`, else DOCKER_HOST, else the local socket.

    Certificates that are not given come from DOCKER_CERT_PATH. SettingsError names the key, the
    value and what is allowed; files are looked at by whoever `speaks` to the engine.
    """
    key = "engine.host" if host else "DOCKER_HOST"
    host = host or os.environ.get("DOCKER_HOST") or SOCKET
    parts = urlsplit(host)
    if parts.scheme == "unix" and parts.path.startswith("/"):
        if certificates:
            raise SettingsError(
                f"engine.tls_ca = {str(certificates.ca)!r}: is for an engine at tcp://ADDRESS:PORT,"
                f" and {key} is {host!r}"
            )
        return EnginePlace(host)
    if parts.scheme != "tcp" or not parts.hostname or not _port(parts):
        raise SettingsError(f"{key} = {host!r}: {_FORMS}")
    certificates = certificates or _from_environment()
    if certificates and speaks:
        _check_files(certificates)
    elif not certificates and not _is_loopback(parts.hostname):
        raise SettingsError(
            f"{key} = {host!r}: another machine's engine is reached over TLS alone: set"
            " engine.tls_ca, engine.tls_cert and engine.tls_key, or DOCKER_CERT_PATH"
        )
    return EnginePlace(f"tcp://{parts.netloc}", certificates)


def reaching(place: EnginePlace, reach: Literal["bridge", "loopback"]) -> EnginePlace:
    """Return the place with what its containers are reached at; SettingsError."""
    if reach == "bridge":
        if place.elsewhere:
            raise SettingsError(
                "engine.reach = 'bridge': the containers of an engine elsewhere are reached through"
                f" ports that it publishes: with {place.host} it must be 'loopback'"
            )
        return place
    if not place.elsewhere:
        return replace(place, published_on=_HERE)
    named = urlsplit(place.host).hostname or ""
    try:
        return replace(place, published_on=str(IPv4Address(named)))
    except AddressValueError as error:
        raise SettingsError(
            f"engine.host = {place.host!r}: with engine.reach = 'loopback' it must hold the IPv4"
            " address of the engine's machine, for nginx admits addresses and no names"
        ) from error


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    try:
        return IPv4Address(name).is_loopback
    except AddressValueError:
        return name in ("localhost", "::1")


def _from_environment() -> Certificates | None:
    """Return what the docker command would use."""
    directory = os.environ.get("DOCKER_CERT_PATH")
    if not directory and os.environ.get("DOCKER_TLS_VERIFY"):
        directory = str(Path.home() / ".docker")
    if not directory:
        return None
    return Certificates(*(Path(directory, f"{name}.pem") for name in ("ca", "cert", "key")))


def _check_files(certificates: Certificates) -> None:
    for name in (one.name for one in fields(certificates)):
        key, path = f"engine.tls_{name}", getattr(certificates, name)
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            raise SettingsError(
                f"{key} = {str(path)!r}: {error.strerror}; it is a PEM file"
            ) from error
        if name == "key" and mode & stat.S_IRWXO:
            raise SettingsError(
                f"{key} = {str(path)!r}: others may read it; its mode must be 0640 or 0600"
            )
