"""What the accounts of the parts may, by the groups that they are in, whoever asks now.

Invariant: an account that is not there may nothing, and is not judged.
"""

import grp
import os
import pwd
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any


def groups_of(name: str) -> Collection[int]:
    """Return the groups that an account is in, its own among them; none where there is none."""
    with suppress(KeyError):
        return os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    return ()


def user_name(uid: int) -> str:
    """Return what an account is called, else its number."""
    return _name(pwd.getpwuid, uid)


def group_name(gid: int) -> str:
    """Return what a group is called, else its number."""
    return _name(grp.getgrgid, gid)


def _name(look_up: Callable[[int], Any], number: int) -> str:
    with suppress(KeyError):
        return str(look_up(number)[0])
    return str(number)
