"""Making an archive of a portal while it serves.

Invariant: an archive that stands under its name is whole, on the disk, and root's alone; whatever
ends the making leaves nothing that counts as one.
"""

import fcntl
import grp
import os
import pwd
import re
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from control_plane.adapters.backup_archive import CHUNK, ArchiveWriter, private
from control_plane.adapters.backup_manifest import DatabaseCopy, File, Home, Manifest
from control_plane.adapters.backup_places import SETTINGS, Places
from control_plane.adapters.database import BUSY_SECONDS, address
from control_plane.adapters.home_archives import HomeArchives, new_root
from control_plane.adapters.state_owner import acting_as_owner
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    EngineUnavailableError,
    UnavailableError,
)

_NAME = re.compile(r"remoteapp-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z\.tar")
_UNFINISHED = ".remoteapp-backup-"
# A file that shrinks while the engine reads it spoils the rest of the tar.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What to make: `keep` archives stay in `directory`, 0 is all of them."""

    directory: Path
    keep: int
    release: str
    realm: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Made:
    """The archive, and which homes could not be read whole."""

    path: Path
    left_out: tuple[str, ...]


def make(wish: Wish, places: Places, homes: HomeArchives | None) -> Made:
    """Make an archive, with the homes unless that is None; remove older ones then.

    ConflictError while another is being made, ControlPlaneError when it cannot be written.
    """
    try:
        with _alone(wish.directory, places.state) as held:
            _sweep(held)
            with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=held) as work:
                made = _make(wish, places, homes, Path(work))
            _prune(held, made.path.name, wish.keep)
            return made
    except (OSError, sqlite3.Error) as error:
        raise ControlPlaneError(
            f"The backup could not be made in {wish.directory}: {error}.",
            "Nothing of it is left. See that there is room, or name another --directory.",
        ) from error


def _make(wish: Wish, places: Places, homes: HomeArchives | None, work: Path) -> Made:
    now, part = datetime.now(UTC), work / "archive"
    name = f"remoteapp-{now:%Y%m%dT%H%M%S.%fZ}.tar"
    with private(part) as file:
        left_out = _write(ArchiveWriter(file), now, wish, places, homes)
        file.flush()
        os.fsync(file.fileno())
    part.rename(work.parent / name)
    _sync(work.parent)
    return Made(wish.directory / name, left_out)


def _write(
    writer: ArchiveWriter, now: datetime, wish: Wish, places: Places, homes: HomeArchives | None
) -> tuple[str, ...]:
    files = _files(writer, places.files(tls=wish.tls))
    databases, versions = _databases(writer, places.databases)
    kept, left_out = _homes(writer, homes) if homes else ((), ())
    writer.finish(
        Manifest(
            release=wish.release,
            made_at=now,
            realm=wish.realm,
            schema_versions=versions,
            elsewhere=places.elsewhere,
            left_out=left_out,
            files=files,
            databases=databases,
            homes=kept,
        )
    )
    return left_out


def _files(writer: ArchiveWriter, found: Mapping[str, Path]) -> tuple[File, ...]:
    if lacking := {SETTINGS, "secret"} - set(found):
        raise ControlPlaneError(
            f"There is no {' and no '.join(sorted(lacking))} to back up.",
            "A backup is made as root, on the portal's host.",
        )
    return tuple(_file(writer, name, path) for name, path in found.items())


def _file(writer: ArchiveWriter, name: str, path: Path) -> File:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        stored = writer.add(f"files/{name}.gz", _chunks(file))
    return File(
        name=name,
        owner=_user(status.st_uid),
        group=_group(status.st_gid),
        mode=status.st_mode & 0o777,
        stored=stored,
    )


def _databases(
    writer: ArchiveWriter, found: Mapping[str, Path]
) -> tuple[tuple[DatabaseCopy, ...], dict[str, str]]:
    copies: list[DatabaseCopy] = []
    versions: dict[str, str] = {}
    for path in dict.fromkeys(found.values()):
        sets = tuple(one for one, file in found.items() if file == path)
        with acting_as_owner(path), _copied(path) as copy:
            versions |= _versions(copy, sets)
            with copy.open("rb") as file:
                stored = writer.add(f"databases/{'-'.join(sets)}.db.gz", _chunks(file))
        copies.append(DatabaseCopy(sets=sets, stored=stored))
    return tuple(copies), versions


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Lend a copy of a database, beside it: its owner, who makes it, enters none of root's."""
    _sweep(path.parent)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=path.parent) as work:
        copy = Path(work) / "database"
        _copy(path, copy)
        yield copy


def _copy(path: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(address(path), uri=True, timeout=BUSY_SECONDS)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        # One that is locked is waited for here: to copy it would be tried for ever.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master")
        source.backup(target)  # all at one moment; who writes is not held up


def _versions(path: Path, sets: Iterable[str]) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as copy:
        found = {
            # The set's name is a word of ours.
            one: copy.execute(f"SELECT max(name) FROM {one}_migrations").fetchone()[0]  # noqa: S608 - names of our own tables
            for one in sets
        }
    return {one: name for one, name in found.items() if name}


def _homes(writer: ArchiveWriter, homes: HomeArchives) -> tuple[tuple[Home, ...], tuple[str, ...]]:
    kept, left_out = [], []
    for name, owner in homes.names().items():
        for _ in range(_ATTEMPTS):
            with suppress(_Spoilt):
                kept.append(_home(writer, homes, name, owner))
                break
        else:
            left_out.append(name)
    return tuple(kept), tuple(left_out)


class _Spoilt(Exception):  # noqa: N818 - it is not said to anybody
    """The engine broke off."""


def _home(writer: ArchiveWriter, homes: HomeArchives, name: str, owner: str) -> Home:
    root = new_root()
    try:
        with closing(homes.read(name, root)) as tar:
            stored = writer.add(f"homes/{name}.tar.gz", tar)
    except EngineUnavailableError:
        raise
    except UnavailableError as error:
        raise _Spoilt from error
    return Home(name=name, owner=owner, root=root, stored=stored)


@contextmanager
def _alone(directory: Path, state: Path) -> Iterator[Path]:
    """Hold the directory, which is made if it lacks; lend a path to it that nobody can lead astray.

    ConflictError where others could replace what is written there.
    """
    if not directory.exists():
        directory.mkdir(mode=0o700)
    # Not through a link: the service's account, which owns the state, could have laid it.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if directory.parent == state:
            _share(descriptor, state)
        _must_be_ours(os.fstat(descriptor), directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What the descriptor stands for stays the same directory, whatever becomes of its name.
        yield Path(f"/proc/self/fd/{descriptor}")
    except BlockingIOError as error:
        raise ConflictError(
            f"Another backup is being made in {directory}.", "Wait for its end."
        ) from error
    finally:
        os.close(descriptor)


def _share(descriptor: int, state: Path) -> None:
    """Let the service's account add to the directory in its state, and touch nothing of root's."""
    found, keeper = os.fstat(descriptor), state.stat()
    if os.geteuid() == 0 != keeper.st_uid and found.st_uid in (0, keeper.st_uid):
        os.fchown(descriptor, 0, keeper.st_gid)
        os.fchmod(descriptor, 0o1770)


def _must_be_ours(found: os.stat_result, directory: Path) -> None:
    is_open = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if found.st_uid != os.geteuid() or is_open:
        raise ConflictError(
            f"Others may replace what lies in {directory}, and an archive is nobody else's.",
            f"chown root:root {directory}; chmod 700 {directory}; or name another --directory.",
        )


def _sweep(directory: Path) -> None:
    """Remove what a process that was killed left behind."""
    for one in directory.glob(f"{_UNFINISHED}*"):
        if one.lstat().st_uid == os.geteuid():
            shutil.rmtree(one)


def _prune(directory: Path, made: str, keep: int) -> None:
    """Remove the oldest archives but so many; whatever their names say, never the one just made."""
    others = [one for one in directory.iterdir() if _NAME.fullmatch(one.name) and one.name != made]
    ages = {one: found.st_mtime for one in others if _is_ours(found := one.lstat())}
    oldest = sorted(ages, key=lambda one: ages[one])
    for old in oldest[: max(0, len(oldest) - keep + 1)] if keep else ():
        old.unlink()


def _is_ours(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return "root"


def _group(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return "root"
