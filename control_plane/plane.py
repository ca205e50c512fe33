"""The one place that knows concrete adapters: settings become a `Plane`."""

import asyncio
import fcntl
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from control_plane import engine_parts, installed
from control_plane import settings as settings_module
from control_plane.adapters import forwarder_client
from control_plane.adapters.disk import StateDisk
from control_plane.adapters.events import EventHub
from control_plane.adapters.forwarder_client import ForwarderClient
from control_plane.adapters.gateway import FilesGateway
from control_plane.adapters.image_checks import ProcessChecks
from control_plane.adapters.jobs import LoopJobs
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.pam_socket import PamSocket
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.providers import GithubProvider, OidcProvider, Registration
from control_plane.domain.access import Access
from control_plane.domain.condition import Condition, Unwatched
from control_plane.domain.ports import Plane
from control_plane.domain.providers import Provider
from control_plane.errors import ConflictError
from control_plane.settings import Settings

# A process that is told to end takes five seconds for its open streams.
PREDECESSOR_SECONDS = 15.0
# The one-shot, which runs as root, bounds the addresses; the engine may be away just now.
ANY_ADDRESS = "0.0.0.0/0"


def open_plane(
    settings: Settings,
    loop: asyncio.AbstractEventLoop,
    secret: bytes,
    patience: float = PREDECESSOR_SECONDS,
    condition: Condition | None = None,
) -> Plane:
    """Return the plane of an installation; databases are migrated, the engine may be away.

    ConflictError while another process has held the realm for `patience` seconds.
    """
    _lock(settings.state_directory / "control-plane.lock", patience)
    host = _host(settings)
    opened = installed.open_stores(settings, host)
    parts = engine_parts.of(settings)
    return Plane(
        site=installed.site(settings, secret),
        accounting=opened.accounting,
        records=opened.records,
        stores=opened.stores,
        disk=StateDisk(settings.state_directory),
        engine=parts.engine,
        image_library=parts.image_library,
        image_checks=ProcessChecks(
            settings.state_directory / "checks", settings.engine.start_timeout, _now
        ),
        homes=parts.homes,
        files=parts.files,
        gateway=FilesGateway(settings.spool, settings.routes_status, ANY_ADDRESS),
        forwarder=ForwarderClient(
            Path(os.environ.get("FORWARDER_SOCKET", forwarder_client.SOCKET)), _now
        ),
        passwords=Argon2Passwords(),
        host=host,
        folders=installed.folders(settings),
        admits=installed.admits(settings),
        providers=_providers(settings),
        jobs=LoopJobs(loop),
        events=EventHub(loop, _now),
        access=Access(),
        clock=_now,
        condition=condition or Unwatched(),
    )


def _host(settings: Settings) -> PamHost:
    """Return the host's users; another process judges their passwords where there is one."""
    service, socket = settings.auth.pam_service, settings.pam_socket
    return PamHost(service, judge=PamSocket(socket, service).authenticate if socket else None)


def _providers(settings: Settings) -> Mapping[str, Provider]:
    """Return those who vouch for people elsewhere, by the method's name."""
    found: dict[str, Provider] = {}
    auth = settings.auth
    if auth.oidc and "oidc" in auth.methods:
        one = auth.oidc
        registration = _registration(settings, "oidc", one.client_id, one.client_secret_file)
        found["oidc"] = OidcProvider(one.issuer, registration, one.name_claim, one.groups_claim)
    if auth.github and "github" in auth.methods:
        hub = auth.github
        registration = _registration(settings, "github", hub.client_id, hub.client_secret_file)
        found["github"] = GithubProvider(hub.url, registration)
    return found


def _registration(settings: Settings, method: str, client_id: str, file: Path) -> Registration:
    secret = settings_module.read_secret(f"auth.{method}.client_secret_file", file)
    callback = f"{settings.public_url}/login/{method}/callback"
    section = settings.auth.oidc if method == "oidc" else settings.auth.github
    return Registration(client_id, secret, callback, section.ca_file if section else None)


def _now() -> datetime:
    return datetime.now(UTC)


def _lock(path: Path, patience: float) -> None:
    """Hold the realm's lock for the life of the process; the one before may still be ending."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise ConflictError(
                    "Another control plane runs for this realm.", f"It holds {path}."
                ) from error
            time.sleep(0.05)
        else:
            return
