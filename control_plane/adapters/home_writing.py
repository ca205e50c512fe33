"""The tar of a home, written as an archive of ours.

Invariant: an archive stands under its name whole or not at all, and its owner alone may read it.
"""

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from control_plane.errors import UnavailableError

# How a tar ends: two empty blocks.
_END = bytes(1024)


def whole(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass a tar on; UnavailableError when it has no end: the engine does not say so."""
    tail = b""
    for chunk in chunks:
        yield chunk
        tail = (tail + chunk[-len(_END) :])[-len(_END) :]
    if tail != _END:
        raise UnavailableError("The engine broke off while it read the home.")


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a tar as a tar.gz; the directory is made if it lacks. UnavailableError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_beside(path, chunks)
    except OSError as error:
        raise UnavailableError(f"The home could not be written to {path}: {error}") from error


def _write_beside(path: Path, chunks: Iterable[bytes]) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as fresh:
        try:
            with gzip.GzipFile(path.stem, "wb", 6, fresh) as packed:
                packed.writelines(whole(chunks))
            fresh.flush()
            os.fsync(fresh.fileno())
            Path(fresh.name).replace(path)
        except BaseException:
            Path(fresh.name).unlink()
            raise
