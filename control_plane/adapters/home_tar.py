"""The tar of one home, read without believing it.

Invariant: nothing that lies outside its one root directory passes, nor does a device. It is
unpacked by the engine inside a container that holds this one volume, so a symbolic link in it
leads nowhere else.
"""

import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePosixPath
from typing import IO

from control_plane.adapters.backup_archive import CHUNK, broken, padding
from control_plane.domain.names import shown


def devices(file: IO[bytes], root: str) -> list[str]:
    """Read it to its end; return what will be left out. ControlPlaneError when it leads astray."""
    return [shown(entry.name) for entry, _ in _entries(file, root) if _is_device(entry)]


def without_devices(file: IO[bytes], root: str) -> Iterator[bytes]:
    """Yield the tar again, for the engine to unpack."""
    for entry, content in _entries(file, root):
        if _is_device(entry):
            continue
        yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if content:
            while chunk := content.read(CHUNK):
                yield chunk
            yield padding(entry.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entries(file: IO[bytes], root: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    with closing(tarfile.open(fileobj=file, mode="r|", encoding="utf-8")) as tar:
        while (entry := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would remember a million files
            _check(entry, root)
            yield entry, tar.extractfile(entry) if entry.isreg() else None


def _check(entry: tarfile.TarInfo, root: str) -> None:
    if not _is_inside(entry.name, root) or entry.issparse():
        raise broken(f"{shown(entry.name)} does not belong into a home")
    if entry.islnk() and not _is_inside(entry.linkname, root):
        raise broken(f"{shown(entry.name)} leads out of its home")


def _is_inside(name: str, root: str) -> bool:
    parts = PurePosixPath(name).parts
    return parts[:1] == (root,) and ".." not in parts


def _is_device(entry: tarfile.TarInfo) -> bool:
    return not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk() or entry.isfifo())
