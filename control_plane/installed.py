"""What an installation is, from its settings: its site, its stores, its providers.

Invariant: the service and the commands on the host open the same stores in the same way; a
database is up to date before it is used.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from control_plane.adapters import docker_place
from control_plane.adapters.accounting_class import load_class
from control_plane.adapters.accounting_csv import csv_accounting
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.allow_list import AllowList
from control_plane.adapters.database import Database
from control_plane.adapters.docker_place import Certificates, EnginePlace
from control_plane.adapters.folders import FoldersElsewhere, HostFolders
from control_plane.adapters.migrations import migrate
from control_plane.adapters.records import PeeweeRecords
from control_plane.adapters.stores import PeeweeStores
from control_plane.adapters.stores_together import Together
from control_plane.domain import policy
from control_plane.domain.containers import Bounds
from control_plane.domain.entities import Application, Grant, Grantee
from control_plane.domain.face import Face
from control_plane.domain.ports import Folders, Host, Limits, Site
from control_plane.domain.reach import Reach
from control_plane.domain.stores import Accounting, Records, Stores
from control_plane.errors import InvalidError, SettingsError
from control_plane.settings import Settings, read_secret

CONFIGURATION = Path("/etc/remoteapp")


@dataclass(frozen=True, slots=True)
class OpenStores:
    """Accounting and records, what notices their writers, and what closes them."""

    accounting: Accounting
    records: Records
    stores: Stores
    close: Callable[[], None]


def site(settings: Settings, secret: bytes) -> Site:
    """Return what the use cases need to know of an installation."""
    limits = settings.limits
    return Site(
        realm=settings.realm,
        public_url=settings.public_url,
        apps_domain=settings.apps_domain,
        apps_port=settings.apps_port,
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
            network=limits.network,
            max_lifetime=limits.max_lifetime,
            bounds=Bounds(limits.open_files, limits.disk),
        ),
        secret=secret,
        virtual_uids=settings.auth.virtual_uids,
        auto_create_users=settings.auth.auto_create_users,
        demo=_demo(settings.demo.applications),
        archives=settings.state_directory / "backups" / "homes",
        reach=Reach(
            elsewhere=engine_place(settings, speaks=False).elsewhere,
            published=settings.engine.reach == "loopback",
        ),
        face=_face(settings),
        guests=settings.sharing.guests,
    )


def engine_door() -> Path | None:
    """Return where the engine's door is; None where there is none, as for root's commands."""
    named = os.environ.get("ENGINE_SOCKET")
    return Path(named) if named else None


def engine_place(settings: Settings, *, speaks: bool = True) -> EnginePlace:
    """Return where the engine is, for whoever reaches no container; SettingsError.

    The key to an engine elsewhere is shut to whoever never `speaks` to it.
    """
    given = {name: getattr(settings.engine, name) for name in ("tls_ca", "tls_cert", "tls_key")}
    lacking = [f"engine.{name}" for name, path in given.items() if path is None]
    if len(lacking) not in (0, len(given)):
        raise SettingsError(f"{lacking[0]}: missing; {', '.join(given)} go together")
    return docker_place.find(
        settings.engine.host,
        None if lacking else Certificates(*given.values()),
        speaks=speaks,
    )


def engine_reached(settings: Settings) -> EnginePlace:
    """Return where the engine is and how its containers are reached; SettingsError."""
    place = engine_place(settings, speaks=engine_door() is None)
    return docker_place.reaching(place, settings.engine.reach)


def open_stores(settings: Settings, host: Host) -> OpenStores:
    """Open accounting and records, both up to date; SettingsError for a password file."""
    for part, store in (("accounting", settings.accounting), ("records", settings.records)):
        if store.password_file:
            read_secret(f"{part}.password_file", store.password_file)
    url, password_file = settings.records_url, settings.records.password_file
    if url == settings.accounting_url:
        password_file = password_file or settings.accounting.password_file
    migrate(url, ["records"], password_file)
    database = Database(url, password_file)
    records = PeeweeRecords(database)
    watch = PeeweeStores([url], password_file)
    if own := _own(settings, records, host):
        together = Together([watch, own[1]])
        return OpenStores(own[0], records, together, _closing(database, watch))
    same = database if url == settings.accounting_url else None
    accounting, found = _kept_in_database(settings, same)
    together = Together([watch, found])
    closing = _closing(database, watch, accounting, found)
    return OpenStores(PeeweeAccounting(accounting), records, together, closing)


def folders(settings: Settings) -> Folders:
    """Return what judges volumes; our own directories are never mounted."""
    if engine_place(settings, speaks=False).elsewhere:
        return FoldersElsewhere()
    return HostFolders(settings.volumes.roots, [settings.state_directory, CONFIGURATION])


def admits(settings: Settings) -> Callable[[str], bool]:
    """Return what says whether a name may sign in at all."""
    path = settings.auth.allow_list_file
    return AllowList(path) if path else lambda _: True


def _face(settings: Settings) -> Face:
    try:
        return settings.portal.face
    except ValueError as error:  # the logo is another one since the settings were read
        raise SettingsError(f"portal.logo = {str(settings.portal.logo)!r}: {error}") from error


def _own(settings: Settings, records: Records, host: Host) -> tuple[Accounting, Stores] | None:
    """Return accounting that is no database of ours, once as accounting and once as a store."""
    if dotted := settings.accounting.class_:
        own = load_class(dotted, settings.accounting.url)
        return own, own
    if path := settings.accounting_file:

        def uid_of(name: str) -> int:
            return records.reserve_uid(name, *settings.auth.virtual_uids, host.knows_uid)

        snapshot = csv_accounting(path, uid_of, host.knows_name)
        return snapshot, snapshot
    return None


def _kept_in_database(settings: Settings, same: Database | None) -> tuple[Database, PeeweeStores]:
    url, password_file = settings.accounting_url, settings.accounting.password_file
    migrate(url, ["accounting"], password_file)
    return same or Database(url, password_file), PeeweeStores([url], password_file)


def _closing(*parts: Database | PeeweeStores) -> Callable[[], None]:
    def close() -> None:
        for part in parts:
            part.close()

    return close


def _demo(applications: Mapping[str, Mapping[str, object]]) -> tuple[Grant, ...]:
    return tuple(_demo_grant(image, fields) for image, fields in applications.items())


def _demo_grant(image: str, fields: Mapping[str, object]) -> Grant:
    try:
        allowed = policy.parse(fields)
    except InvalidError as error:
        first = error.errors[0]
        key = f'demo.applications."{image}".{first.field}'
        raise SettingsError(f"{key}: {first.message}") from error
    application = Application(_stable_id("application", image), image)
    return Grant(_stable_id("grant", image), Grantee("everyone"), application, allowed)


def _stable_id(*words: str) -> str:
    return hashlib.sha256("\0".join(("demo", *words)).encode()).hexdigest()[:32]
