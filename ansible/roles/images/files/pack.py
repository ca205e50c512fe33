"""Write a folder as a tar archive: of the same content the same bytes, whoever cloned it."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path


def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Return the entry without its owner, its time and its umask; None for what is no source."""
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def pack(folder: Path, target: Path) -> None:
    """Write the archive of the folder, in which it has its own name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(folder, folder.name, filter=plain)  # tarfile sorts what a folder holds
    partial.replace(target)


if __name__ == "__main__":
    pack(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
