"""What this portal is: its settings, its address, its engine, the account that it works as.

Invariant: nobody signs in as a user of the container, which has none.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from control_plane import settings
from control_plane.adapters import docker_place
from control_plane.adapters.docker_place import EnginePlace
from control_plane.adapters.engine import DockerEngine
from control_plane.errors import SettingsError
from control_plane.settings import Settings
from control_plane.trial import account, gateway
from control_plane.trial.account import Account

_METHODS = "REMOTEAPP_AUTH__METHODS"
_LISTEN = "PORTAL_LISTEN"
_HTTPS, _HTTP = 443, 80
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """By which names the portal is known, and where nginx listens, for TLS and for plain HTTP.

    `apps` is where it listens for applications, if they live on another port; `certified` what the
    certificate holds for, the names of sessions too.
    """

    names: tuple[str, ...]
    listen: tuple[str, ...]
    redirect: tuple[str, ...]
    apps: tuple[str, ...]
    certified: tuple[str, ...]

    @property
    def port(self) -> int:
        """The port of the first address."""
        return int(self.listen[0].rpartition(":")[2])


def load() -> Settings:
    """Read the settings, with virtual users alone unless they say otherwise; SettingsError."""
    found = settings.load()
    if "methods" not in found.auth.model_fields_set:
        os.environ[_METHODS] = '["virtual"]'  # for the control plane, too
        found = settings.load()
    if "pam" in found.auth.methods:
        raise SettingsError(
            f"auth.methods = {list(found.auth.methods)}: pam would ask for users of this container,"
            " which has none: leave it out, or provision the host instead"
        )
    return found


def address(found: Settings) -> Address:
    """Return where nginx listens: on the address's port, or as PORTAL_LISTEN says."""
    parts = urlsplit(found.public_url)
    name, port = parts.hostname or "", parts.port or _HTTPS
    names = _LOCAL if name == "localhost" else (name,)
    if named := tuple(os.environ.get(_LISTEN, "").split()):
        if not all(one.rpartition(":")[2].isdecimal() for one in named):
            raise SettingsError(f"{_LISTEN} = {' '.join(named)!r}: must be ADDRESS:PORT")
        return _address(found, names, named, ())
    every = ("0.0.0.0", "[::]") if "[::1]" in gateway.loopback() else ("0.0.0.0",)  # noqa: S104 - in a container, everyone is meant
    redirect = tuple(f"{one}:{_HTTP}" for one in every) if port == _HTTPS else ()
    return _address(found, names, tuple(f"{one}:{port}" for one in every), redirect)


def _address(
    found: Settings, names: tuple[str, ...], listen: tuple[str, ...], redirect: tuple[str, ...]
) -> Address:
    if found.apps_domain:
        return Address(names, listen, redirect, (), (*names, f"*.{found.apps_domain}"))
    hosts = dict.fromkeys(one.rpartition(":")[0] for one in listen)
    apps = tuple(f"{one}:{found.apps_port}" for one in hosts) if found.apps_port else ()
    return Address(names, listen, redirect, apps, names)


def service_account(found: Settings) -> Account:
    """Return the control plane's account, with the group that may speak to the engine."""
    socket = Path(urlsplit(_engine(found).host).path)
    try:
        group = socket.stat().st_gid
    except OSError as error:
        raise SettingsError(
            f"{socket}: {error.strerror}; mount the engine's socket of the host there"
        ) from error
    return replace(account.service_account(), gids=(group,))


def session_range(found: Settings) -> str:
    """Return what holds the sessions' addresses; their networks are made if they lack."""
    engine = DockerEngine(
        found.realm,
        docker_place.reaching(_engine(found), found.engine.reach),
        session_range=found.engine.session_range,
    )
    try:
        return engine.session_range()
    finally:
        engine.close()


def _engine(found: Settings) -> EnginePlace:
    place = docker_place.find(found.engine.host)
    if place.elsewhere:
        raise SettingsError(
            f"engine.host = {place.host!r}: the portal as a container stands beside its engine,"
            " whose socket it is given; for one elsewhere, provision a host"
        )
    return place
