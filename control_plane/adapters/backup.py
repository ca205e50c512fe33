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
        with _alone(wish.directory):
            _sweep(wish.directory)
            with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=wish.directory) as work:
                return _make(wish, places, homes, Path(work))
    except (OSError, sqlite3.Error) as error:
        raise ControlPlaneError(
            f"The backup could not be made in {wish.directory}: {error}.",
            "Nothing of it is left. See that there is room, or name another --directory.",
        ) from error


def _make(wish: Wish, places: Places, homes: HomeArchives | None, work: Path) -> Made:
    now, part = datetime.now(UTC), work / "archive"
    target = wish.directory / f"remoteapp-{now:%Y%m%dT%H%M%S.%fZ}.tar"
    with private(part) as file:
        left_out = _write(ArchiveWriter(file), now, wish, places, homes, work)
        file.flush()
        os.fsync(file.fileno())
    part.rename(target)
    _sync(wish.directory)
    _prune(wish, target)
    return Made(target, left_out)


def _write(  # noqa: PLR0913, PLR0917 - what an archive is made of
    writer: ArchiveWriter,
    now: datetime,
    wish: Wish,
    places: Places,
    homes: HomeArchives | None,
    work: Path,
) -> tuple[str, ...]:
    files = _files(writer, places.files(tls=wish.tls))
    databases, versions = _databases(writer, places.databases, work)
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
    writer: ArchiveWriter, found: Mapping[str, Path], work: Path
) -> tuple[tuple[DatabaseCopy, ...], dict[str, str]]:
    copies: list[DatabaseCopy] = []
    versions: dict[str, str] = {}
    for path in dict.fromkeys(found.values()):
        sets = tuple(one for one, file in found.items() if file == path)
        copy = work / "database"
        _copy(path, copy)
        versions |= _versions(copy, sets)
        with copy.open("rb") as file:
            stored = writer.add(f"databases/{'-'.join(sets)}.db.gz", _chunks(file))
        copies.append(DatabaseCopy(sets=sets, stored=stored))
        copy.unlink()
    return tuple(copies), versions


def _copy(path: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(address(path), uri=True, timeout=BUSY_SECONDS)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)  # all at one moment; who writes is not held up


def _versions(path: Path, sets: Iterable[str]) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as copy:
        found = {
            # The set's name is a word of ours.
            one: copy.execute(f"SELECT max(name) FROM {one}_migrations").fetchone()[0]  # noqa: S608
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
def _alone(directory: Path) -> Iterator[None]:
    """Hold the directory, which is made if it lacks and then belongs to whom its parent does."""
    if not directory.exists():
        directory.mkdir(mode=0o700)
        parent = directory.parent.stat()
        os.chown(directory, parent.st_uid, parent.st_gid)
    # Not through a link: the service's account, which owns the state, could have laid it.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConflictError(
            f"Another backup is being made in {directory}.", "Wait for its end."
        ) from error
    finally:
        os.close(descriptor)


def _sweep(directory: Path) -> None:
    """Remove what a process that was killed left behind."""
    for one in directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(one)


def _prune(wish: Wish, made: Path) -> None:
    """Remove the oldest archives but so many; whatever their names say, never the one just made."""
    others = [one for one in wish.directory.iterdir() if _NAME.fullmatch(one.name) and one != made]
    others = sorted(filter(Path.is_file, others), key=lambda one: one.lstat().st_mtime)
    for old in others[: max(0, len(others) - wish.keep + 1)] if wish.keep else ():
        old.unlink()


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
