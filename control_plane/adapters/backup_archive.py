"""The archive of a portal as a file: a plain tar of packed members, the manifest last.

Invariant: a member's size is known only when it has been written, so its header is written again
then; nothing of a member is held in memory. `tar tf` and `sha256sum -c` read it without us.
"""

import gzip
import hashlib
import os
import tarfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from control_plane.adapters.backup_manifest import Manifest, Stored
from control_plane.errors import ControlPlaneError

MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.json.sha256"
CHUNK = 1024**2
_LARGEST_MANIFEST = 64 * CHUNK
# Homes are many gigabytes, on machines that people compute on.
_QUICK = 1
_GZIP = 16 + zlib.MAX_WBITS


class ArchiveWriter:
    """Writes members to a file that can seek."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin where the file stands."""
        self._file = file

    def add(self, member: str, chunks: Iterable[bytes]) -> Stored:
        """Write one member, packed; after an error the file is as it was before."""
        start = self._file.tell()
        try:
            return self._write(member, _packed(chunks), start)
        except BaseException:
            self._file.seek(start)
            self._file.truncate()
            raise

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, its hash, and the end of the tar."""
        text = manifest.model_dump_json(indent=1).encode() + b"\n"
        stored = self._write(MANIFEST, [text], self._file.tell())
        line = f"{stored.sha256}  {MANIFEST}\n".encode()
        self._write(MANIFEST_HASH, [line], self._file.tell())
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))

    def _write(self, member: str, chunks: Iterable[bytes], start: int) -> Stored:
        self._file.write(_header(member, 0))
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            self._file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        self._file.write(padding(size))
        end = self._file.tell()
        self._file.seek(start)
        self._file.write(_header(member, size))
        self._file.seek(end)
        return Stored(member=member, size=size, sha256=digest.hexdigest())


class ArchiveReader:
    """A whole archive, opened for reading."""

    def __init__(self, tar: tarfile.TarFile, owner: int) -> None:
        """Read the manifest; ControlPlaneError where there is none that can be believed.

        `owner` is the uid of whoever has the file.
        """
        self._tar = tar
        self.owner = owner
        self._members = {one.name: one for one in tar.getmembers()}
        text = self._small(MANIFEST)
        if self._small(MANIFEST_HASH).split() != _hash_line(text):
            raise broken("the manifest is not what it was")
        try:
            self.manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            raise broken(f"its manifest has another form ({error.errors()[0]['msg']})") from None

    def check(self) -> None:
        """Raise ControlPlaneError unless exactly what the manifest lists is there, unchanged."""
        listed = [one.member for one in self.manifest.contents()]
        if sorted([*listed, MANIFEST, MANIFEST_HASH]) != sorted(self._tar.getnames()):
            raise broken("it does not hold what its manifest lists")
        for one in self.manifest.contents():
            with self._raw(one.member) as file:
                digest = hashlib.sha256()
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != one.sha256:
                raise broken(f"{one.member} is not what it was")

    @contextmanager
    def opened(self, stored: Stored) -> Iterator[BinaryIO]:
        """Lend a member's content, unpacked as it is read."""
        with self._raw(stored.member) as raw, gzip.GzipFile(fileobj=raw) as file:
            yield file  # type: ignore[misc]  # it reads like one

    def _small(self, member: str) -> bytes:
        with self._raw(member) as file:
            return file.read(_LARGEST_MANIFEST)

    def _raw(self, member: str) -> BinaryIO:
        found = self._members.get(member)
        file = self._tar.extractfile(found) if found and found.isreg() else None
        if file is None:
            raise broken(f"{member} lacks")
        return file  # type: ignore[return-value] # tarfile's reads as a file does


@contextmanager
def reading(path: Path) -> Iterator[ArchiveReader]:
    """Lend an archive; ControlPlaneError when it is none or broken."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield ArchiveReader(tar, os.fstat(file.fileno()).st_uid)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise broken(str(error)) from error


def private(path: Path) -> BinaryIO:
    """Make a file that its owner alone may read; FileExistsError where something is."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def broken(why: str) -> ControlPlaneError:
    """Return what is said of an archive that cannot be believed."""
    return ControlPlaneError(
        f"This is no whole archive of a portal: {why}.", "Nothing was changed. Take another."
    )


def padding(size: int) -> bytes:
    """Return what fills a tar's last block."""
    return bytes(-size % tarfile.BLOCKSIZE)


def _header(member: str, size: int) -> bytes:
    entry = tarfile.TarInfo(member)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry.tobuf(tarfile.GNU_FORMAT)  # as long as before, however large the size


def _packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    press = zlib.compressobj(_QUICK, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        yield press.compress(chunk)
    yield press.flush()


def _hash_line(text: bytes) -> list[bytes]:
    return [hashlib.sha256(text).hexdigest().encode(), MANIFEST.encode()]
