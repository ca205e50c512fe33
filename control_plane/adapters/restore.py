"""Putting a portal back from its archive.

Invariant: everything is checked before anything is replaced; what is replaced is kept beside
until all of it is done, so that the same restore, run again after a kill, ends as it should.
"""

import grp
import os
import pwd
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from control_plane.adapters.backup_archive import CHUNK, ArchiveReader, broken, private
from control_plane.adapters.backup_manifest import DatabaseCopy, File, Home
from control_plane.adapters.backup_places import Places
from control_plane.adapters.database import address
from control_plane.adapters.home_archives import HomeArchives
from control_plane.adapters.home_tar import devices, without_devices
from control_plane.adapters.state_owner import acting_as_owner
from control_plane.errors import ConflictError, ControlPlaneError

_MEND = "Move away what it names, and start again."
_LEFT_BY_SQLITE = ("", "-wal", "-shm")
# An archive is believed, and yet it makes no program and shows nobody a secret.
_READABLE, _PRIVATE = 0o644, 0o600


@dataclass(frozen=True, slots=True)
class Wish:
    """What to put back: `replace` goes over users and homes that are there."""

    replace: bool
    settings: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put where."""

    files: tuple[str, ...]
    homes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A file that lies ready beside its place."""

    part: Path
    target: Path
    endings: tuple[str, ...] = ("",)

    @property
    def replaced(self) -> list[Path]:
        """The target, and what belongs to it."""
        return [self.target.with_name(self.target.name + one) for one in self.endings]


def check(
    archive: ArchiveReader,
    wish: Wish,
    places: Places,
    homes: HomeArchives | None,
    known: Mapping[str, Sequence[str]],
) -> list[str]:
    """Raise unless it can be put back here; return what of the homes will be left out.

    `known` are the migrations of this release, by set of tables.
    """
    archive.check()
    _check_versions(archive.manifest.schema_versions, known, archive.manifest.release)
    for file in archive.manifest.files:
        places.path_of(file.name)
    for database in archive.manifest.databases:
        _database_place(database, places)
    odd = [name for one in archive.manifest.homes for name in _devices(archive, one)]
    if homes and homes.running():
        raise ConflictError(
            "Sessions of this realm have containers.",
            "End them with control-plane sessions stop --all, then stop the portal.",
        )
    if not (wish.replace or _kept(places).exists()):
        _must_be_empty(archive, places, homes)
    return odd


def restore(
    archive: ArchiveReader, wish: Wish, places: Places, homes: HomeArchives | None
) -> Restored:
    """Put back what `check` found fit; the realm's lock is held meanwhile."""
    kept = _kept(places)
    fresh = _prepared(archive, wish, places, kept)
    try:
        filled = _homes(archive, homes, kept) if homes else ()
        for one in fresh:
            _replace(one)
        shutil.rmtree(kept)
    except (OSError, ControlPlaneError) as error:
        raise ControlPlaneError(
            f"The portal is restored in part: {error}",
            f"Run the same again once that is mended. What was here before lies in {kept}.",
        ) from error
    return Restored(tuple(str(one.target) for one in fresh), filled)


def _check_versions(
    found: Mapping[str, str], known: Mapping[str, Sequence[str]], release: str
) -> None:
    for one, name in found.items():
        if name not in known.get(one, ()):
            raise ControlPlaneError(
                f"The archive was made by a newer release, {release} (it has {one} {name}).",
                "Install that release, then restore.",
            )


def _database_place(database: DatabaseCopy, places: Places) -> Path:
    found = {places.databases.get(one) for one in database.sets}
    place = found.pop()
    if found or place is None:
        raise ConflictError(
            f"The archive has a database file of {' and '.join(database.sets)}, and the settings"
            " keep that elsewhere.",
            "Restore with the archive's settings, or change these.",
        )
    return place


def _devices(archive: ArchiveReader, home: Home) -> list[str]:
    with archive.opened(home.stored) as file:
        return [f"{home.name}: {name}" for name in devices(file, home.root)]


def _must_be_empty(archive: ArchiveReader, places: Places, homes: HomeArchives | None) -> None:
    path = places.databases.get("accounting")
    if path and path.exists() and not _is_empty(path):
        raise ConflictError(
            "This portal has users besides administrators, or a database that cannot be read.",
            "To replace all of it, add --force.",
        )
    there = set(homes.names()) if homes else set()
    if both := sorted(there & {one.name for one in archive.manifest.homes}):
        raise ConflictError(
            f"There are homes already: {', '.join(both)}.", "To replace them, add --force."
        )


def _is_empty(path: Path) -> bool:
    """Return whether a database has none but administrators, whom site.yml makes.

    False when nobody can tell.
    """
    tables = "SELECT 1 FROM sqlite_master WHERE name = 'users'"
    with (
        acting_as_owner(path),
        suppress(sqlite3.Error),
        closing(sqlite3.connect(address(path), uri=True)) as database,
    ):
        if not database.execute(tables).fetchone():
            return True
        return not database.execute("SELECT 1 FROM users WHERE NOT admin").fetchone()
    return False


def _kept(places: Places) -> Path:
    # Beside the state, not in it: its owner could have another directory stand there.
    return places.state.with_name(f".{places.state.name}.restoring")


def _must_be_ours(directory: Path) -> None:
    status = directory.lstat()
    if directory.is_symlink() or status.st_uid != os.geteuid():
        raise ConflictError(f"{directory} was not made by a restore.", "See what it is; remove it.")


def _prepared(archive: ArchiveReader, wish: Wish, places: Places, kept: Path) -> list[_Fresh]:
    """Write every file beside its place, and copy what it will replace: a full disk shows here."""
    fresh: list[_Fresh] = []
    with _undone(fresh, kept):
        kept.mkdir(mode=0o700, exist_ok=True)
        _must_be_ours(kept)
        for file in archive.manifest.files:
            target = places.path_of(file.name)
            if target and (wish.settings or file.name == "secret"):
                fresh.append(_Fresh(_stage_file(archive, file, target), target))
        for database in archive.manifest.databases:
            target = _database_place(database, places)
            part = _stage_database(archive, database, target)
            fresh.append(_Fresh(part, target, _LEFT_BY_SQLITE))
        for one in fresh:
            _keep(one, kept)
    return fresh


@contextmanager
def _undone(fresh: Sequence[_Fresh], kept: Path) -> Iterator[None]:
    """Leave nothing behind after an error, but for what a restore that was killed has kept."""
    had_begun = kept.exists()
    try:
        yield
    except BaseException as error:
        for one in fresh:
            with acting_as_owner(one.part):
                one.part.unlink(missing_ok=True)
        if not had_begun:
            shutil.rmtree(kept, ignore_errors=True)
        if not isinstance(error, OSError | sqlite3.Error):
            raise
        todo = "Make room." if "full" in str(error) or "space" in str(error) else _MEND
        raise ControlPlaneError(
            f"The portal could not be restored: {error}.", f"Nothing was replaced. {todo}"
        ) from error


def _stage_file(archive: ArchiveReader, file: File, target: Path) -> Path:
    target.parent.mkdir(mode=0o755, exist_ok=True)
    part = _part(target)
    with archive.opened(file.stored) as content:
        _write(part, _chunks(content))
    os.chown(part, _uid(file.owner), _gid(file.group))
    is_secret = file.name == "secret" or target.suffix == ".key"
    part.chmod(file.mode & (_PRIVATE if is_secret else _READABLE))
    return part


def _stage_database(archive: ArchiveReader, database: DatabaseCopy, target: Path) -> Path:
    part = _part(target)
    with acting_as_owner(part):
        with archive.opened(database.stored) as content:
            _write(part, _chunks(content))
        with closing(sqlite3.connect(f"{part.as_uri()}?immutable=1", uri=True)) as copy:
            if copy.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                raise broken("its database is damaged")
    return part


def _part(target: Path) -> Path:
    return target.parent / f".{target.name}.restored"


def _write(part: Path, chunks: Iterable[bytes]) -> None:
    part.unlink(missing_ok=True)
    try:
        with private(part) as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _homes(archive: ArchiveReader, homes: HomeArchives, kept: Path) -> tuple[str, ...]:
    for home in archive.manifest.homes:
        _keep_home(homes, home.name, kept)
        homes.remove(homes.volume(home.name))
        with archive.opened(home.stored) as file:
            homes.fill(home.name, home.owner, without_devices(file, home.root), home.root)
    return tuple(homes.volume(one.name) for one in archive.manifest.homes)


def _keep_home(homes: HomeArchives, name: str, kept: Path) -> None:
    """Save what is there, unless a restore that was killed has saved it and begun to replace it."""
    saved = kept / f"{name}.tar.gz"
    if not saved.exists():
        homes.archive(homes.volume(name), saved)


def _keep(one: _Fresh, kept: Path) -> None:
    places = {kept / str(old).replace("/", "_"): old for old in one.replaced}
    for saved, old in places.items():
        if not saved.exists() and (source := _opened(old)):
            with source:
                _write(kept / ".part", _chunks(source))
            (kept / ".part").rename(saved)


def _opened(path: Path) -> BinaryIO | None:
    """Open a file, as whoever decides what it is; None where there is none."""
    with acting_as_owner(path):
        return path.open("rb") if path.is_file() else None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _replace(one: _Fresh) -> None:
    with acting_as_owner(one.part):
        for old in one.replaced[1:]:  # another database's: SQLite would play it into the new one
            old.unlink(missing_ok=True)
        one.part.replace(one.target)


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return 0


def _gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return 0
