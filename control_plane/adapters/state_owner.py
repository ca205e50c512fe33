"""Root acts as the account that owns what it is about to open, and may no more than that account.

Invariant: whoever may write below a directory decides what its names lead to, so root never opens
one of them as root: no link there, and no database, reaches further than its owner does.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def owner(path: Path) -> int:
    """Return who decides what `path` leads to: the first on the way there who is not root, or 0.

    The way are the directories: in one of root's alone nobody puts anything but root.
    """
    place = Path("/")
    for part in path.absolute().parent.parts[1:]:
        place /= part
        try:
            found = place.lstat()
        except OSError:
            return 0
        if found.st_uid:
            return found.st_uid
        if stat.S_ISLNK(found.st_mode):  # root's own: it may lead to what somebody else decides
            place = place.resolve()
            if uid := owner(place / "within"):
                return uid
    return 0


@contextmanager
def acting_as_owner(path: Path) -> Iterator[None]:
    """Act as whoever decides what `path` leads to, where root asks; for all threads."""
    uid = owner(path) if os.geteuid() == 0 else 0
    if not uid:
        yield
        return
    groups = os.getgroups()
    _become(uid)
    try:
        yield
    finally:
        _return(groups)


@contextmanager
def acting_as_caller() -> Iterator[None]:
    """Do within `acting_as_owner` what only the caller may."""
    uid, groups = os.geteuid(), os.getgroups()
    if uid == os.getuid():
        yield
        return
    _return(os.getgrouplist("root", 0))
    try:
        yield
    finally:
        _become(uid, groups)


def _become(uid: int, groups: list[int] | None = None) -> None:
    gid = uid
    try:
        account = pwd.getpwuid(uid)
        gid = account.pw_gid
        groups = groups or os.getgrouplist(account.pw_name, gid)
    except KeyError:
        groups = groups or []
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)


def _return(groups: list[int]) -> None:
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)
