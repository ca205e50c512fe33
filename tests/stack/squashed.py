"""A file system over a directory on which root has no rights, as NFS homes have with root_squash.

    squashed.py DIRECTORY MOUNT_POINT

Invariant: each request is carried out as whoever made it, and as nobody when that was root.
"""

import errno
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from mfusepy import FUSE, fuse_get_context

_NOBODY = 65534
_NUMBERS = ("mode", "nlink", "uid", "gid", "size", "blocks")
_NOW = (1 << 30) - 1  # UTIME_NOW of sys/stat.h, in the place of nanoseconds
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def _as_who_asks() -> Iterator[None]:
    uid, gid, _ = fuse_get_context()
    os.setgroups(_groups(uid))
    os.setegid(gid if uid else _NOBODY)
    os.seteuid(uid or _NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _groups(uid: int) -> list[int]:
    with suppress(KeyError):
        user = pwd.getpwuid(uid)
        return os.getgrouplist(user.pw_name, user.pw_gid) if uid else []
    return []


def asked(
    done: Callable[Concatenate["Squashed", Path, P], R],
) -> Callable[Concatenate["Squashed", str, P], R]:
    """Do it as who asks, where the path lies in the directory."""

    def as_who_asks(self: "Squashed", path: str, /, *args: P.args, **words: P.kwargs) -> R:
        with _as_who_asks():
            return done(self, self.below(path), *args, **words)

    return as_who_asks


class Squashed:
    """What the kernel asks of a file system, by the names that libfuse has for it."""

    use_ns = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def below(self, path: str) -> Path:
        return self.directory / path.lstrip("/")

    @asked
    def getattr(self, path: Path, _file: int | None = None) -> dict[str, int]:
        found = path.lstat()
        numbers = {f"st_{one}": getattr(found, f"st_{one}") for one in _NUMBERS}
        return numbers | {f"st_{one}time": getattr(found, f"st_{one}time_ns") for one in "amc"}

    @asked
    def access(self, path: Path, mode: int) -> None:
        if not os.access(path, mode, effective_ids=True):
            raise PermissionError(errno.EACCES, "refused")

    @asked
    def opendir(self, path: Path) -> int:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        return 0

    @asked
    def readdir(self, path: Path, _file: int) -> list[str]:
        return [".", "..", *(one.name for one in path.iterdir())]

    @asked
    def statfs(self, path: Path) -> dict[str, int]:
        found = os.statvfs(path)
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_")}

    @asked
    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags)

    @asked
    def create(self, path: Path, mode: int, flags: int) -> int:
        return os.open(path, flags | os.O_CREAT, mode)

    def read(self, _path: str, size: int, offset: int, file: int) -> bytes:
        return os.pread(file, size, offset)

    def write(self, _path: str, data: bytes, offset: int, file: int) -> int:
        return os.pwrite(file, data, offset)

    def fsync(self, _path: str, _only_data: int, file: int) -> None:
        os.fsync(file)

    def release(self, _path: str, file: int) -> None:
        os.close(file)

    @asked
    def truncate(self, path: Path, length: int, file: int | None = None) -> None:
        os.truncate(path if file is None else file, length)

    @asked
    def chmod(self, path: Path, mode: int) -> None:
        path.chmod(mode)

    @asked
    def chown(self, path: Path, uid: int, gid: int) -> None:
        os.lchown(path, uid, gid)

    @asked
    def utimens(self, path: Path, times: tuple[int, int]) -> None:
        exactly: dict[str, Any] = {} if _NOW in times else {"ns": times}
        os.utime(path, follow_symlinks=False, **exactly)

    @asked
    def mkdir(self, path: Path, mode: int) -> None:
        path.mkdir(mode)

    @asked
    def rmdir(self, path: Path) -> None:
        path.rmdir()

    @asked
    def unlink(self, path: Path) -> None:
        path.unlink()

    @asked
    def rename(self, path: Path, new: str) -> None:
        path.rename(self.below(new))

    @asked
    def link(self, path: Path, existing: str) -> None:
        os.link(self.below(existing), path, follow_symlinks=False)

    @asked
    def symlink(self, path: Path, points_to: str) -> None:
        path.symlink_to(points_to)

    @asked
    def readlink(self, path: Path) -> str:
        return str(path.readlink())


def main() -> None:
    """Serve until it is unmounted or ended."""
    os.umask(0)  # the kernel has applied that of the process that asks
    # Nothing is remembered: what one user was shown is not shown to another.
    fresh = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    options = {"foreground": True, "nothreads": True, "allow_other": True}
    FUSE(Squashed(Path(sys.argv[1])), sys.argv[2], **options, **fresh)


if __name__ == "__main__":
    main()
