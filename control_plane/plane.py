"""The one place that knows concrete adapters: settings become a `Plane`."""

import asyncio
import fcntl
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from control_plane import settings as settings_module
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database, database_file, make_file
from control_plane.adapters.engine import DockerEngine
from control_plane.adapters.events import EventHub
from control_plane.adapters.gateway import FilesGateway
from control_plane.adapters.jobs import LoopJobs
from control_plane.adapters.migrations import migrate
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.records import PeeweeRecords
from control_plane.adapters.stores import PeeweeStores
from control_plane.domain.access import Access
from control_plane.domain.ports import Limits, Plane, Site
from control_plane.errors import ConflictError
from control_plane.settings import Settings

# A process that is told to end takes five seconds for its open streams.
_PREDECESSOR_SECONDS = 15.0
# The one-shot, which runs as root, bounds the addresses; the engine may be away just now.
ANY_ADDRESS = "0.0.0.0/0"


def open_plane(settings: Settings, loop: asyncio.AbstractEventLoop) -> Plane:
    """Return the plane of an installation; databases are migrated, the engine may be away."""
    _lock(settings.state_directory / "control-plane.lock")
    urls = (settings.accounting_url, settings.records_url)
    accounting, records = _databases(*urls)
    return Plane(
        site=site(settings),
        accounting=PeeweeAccounting(accounting),
        records=PeeweeRecords(records),
        stores=PeeweeStores(urls),
        engine=DockerEngine(
            settings.realm,
            settings.engine.host or None,
            directory=settings.state_directory / "identities",
        ),
        gateway=FilesGateway(settings.spool, settings.routes_status, ANY_ADDRESS),
        passwords=Argon2Passwords(),
        host=PamHost(settings.auth.pam_service),
        jobs=LoopJobs(loop),
        events=EventHub(loop, _now),
        access=Access(),
        clock=_now,
    )


def site(settings: Settings) -> Site:
    """Return what the use cases need to know of an installation."""
    limits = settings.limits
    return Site(
        realm=settings.realm,
        public_url=settings.public_url,
        methods=settings.auth.methods,
        admins=frozenset(settings.auth.admins),
        limits=Limits(
            memory=limits.memory,
            cpus=limits.cpus,
            pids=limits.pids,
            max_sessions=limits.max_sessions,
            sessions_per_user=limits.sessions_per_user,
            keep_ended=timedelta(seconds=limits.keep_ended),
            start_timeout=settings.engine.start_timeout,
            stop_timeout=settings.engine.stop_timeout,
        ),
        secret=settings_module.secret(),
    )


def _databases(accounting: str, records: str) -> tuple[Database, Database]:
    for url, part in ((accounting, "accounting"), (records, "records")):
        make_file(database_file(url))
        migrate(url, [part])
    first = Database(accounting)
    return first, first if records == accounting else Database(records)


def _now() -> datetime:
    return datetime.now(UTC)


def _lock(path: Path) -> None:
    """Hold the realm's lock for the life of the process; the one before may still be ending."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PREDECESSOR_SECONDS
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
