"""Taking the candidate out of a directory that its writer, who is not trusted, controls.

Invariant: nothing in the spool is followed, waited for, or read unless it is a plain file of the
writer's own and of a bounded size; whatever else lies there is removed and named.
"""

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from control_plane.errors import GatewayError

CANDIDATE = "candidate"
# Where it is moved to first, so that a newer candidate is never removed in the place of this one.
_TAKEN = "taken"
_LARGEST = 4 << 20
_PATIENT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Taken:
    """The candidate's content, None when there was none; and what else was thrown away, and why."""

    content: bytes | None
    junk: tuple[str, ...]


def take(spool: Path, owner: int) -> Taken:
    """Empty the spool; GatewayError when it is not a directory of that owner's uid."""
    try:
        directory = os.open(spool, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise GatewayError(f"The spool {spool}: {error.strerror}.") from error
    try:
        # A link higher up in a path that the writer owns could lead to any directory of the host.
        if os.fstat(directory).st_uid != owner:
            raise GatewayError(f"The spool {spool} does not belong to uid {owner}.")
        return _take(directory, owner)
    finally:
        os.close(directory)


def _take(directory: int, owner: int) -> Taken:
    junk = []
    for name in os.listdir(directory):
        if name not in (CANDIDATE, _TAKEN) or _is_directory(directory, name):
            _remove(directory, name)
            junk.append(f"{name!a}: not a candidate")
    # Without a newer one, what an interrupted run had moved is still to be installed.
    if CANDIDATE in os.listdir(directory):
        os.replace(CANDIDATE, _TAKEN, src_dir_fd=directory, dst_dir_fd=directory)
    try:
        content = _content(directory, owner)
    except FileNotFoundError:
        return Taken(None, tuple(junk))
    except (OSError, ValueError) as error:
        content = None
        junk.append(f"{CANDIDATE}: {error}")
    _remove(directory, _TAKEN)
    return Taken(content, tuple(junk))


def _content(directory: int, owner: int) -> bytes:
    with os.fdopen(os.open(_TAKEN, _PATIENT, dir_fd=directory), "rb") as file:
        found = os.fstat(file.fileno())
        # The owner, too: a hard link could stand for somebody else's file.
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
            raise ValueError(f"not a plain file of uid {owner}")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"more than {_LARGEST} bytes")
    return content


def _is_directory(directory: int, name: str) -> bool:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode)


def _remove(directory: int, name: str) -> None:
    try:
        if _is_directory(directory, name):
            shutil.rmtree(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except (OSError, RecursionError) as error:
        raise GatewayError(f"The spool's {name!a} cannot be removed: {error}.") from error
