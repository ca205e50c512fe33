"""Whom sudo lets do everything as root, however its rules say so.

Invariant: sudo itself is asked, name by name: its aliases, groups, includes and directories count.
"""

import pwd
import re
import shutil
from collections.abc import Iterable, Iterator

from control_plane.adapters import host_programs
from control_plane.adapters.pam_host import PamHost
from control_plane.errors import UnavailableError

# As `sudo -l` prints a rule: as whom (users, then groups), tags, commands.
_RULE = re.compile(r"^ +\(([^):]*)[^)]*\) (.*)$", re.MULTILINE)
_TAGS = re.compile(r"^(?:[A-Z_]+: *)+")


def everybody() -> Iterator[str]:
    """Yield the names of those who may sign in here and do everything by sudo; only root may ask.

    Whom single commands are given is nobody here, whatever the commands are. UnavailableError when
    sudo does not answer; without sudo there is nobody.
    """
    if shutil.which("sudo", path=host_programs.PATH) is None:
        return
    yield from powerful(entry.pw_name for entry in pwd.getpwall())


def powerful(names: Iterable[str]) -> Iterator[str]:
    """Yield those of these names who may do everything as root."""
    people = PamHost("")
    for name in names:
        # A name with a dash in front would be an option.
        if people.person(name) and not name.startswith("-") and _may_do_everything(name):
            yield name


def _may_do_everything(name: str) -> bool:
    told = host_programs.said(["sudo", "-n", "-l", "-U", name], may_fail=True)
    if "may run the following" not in told and "not allowed to run sudo" not in told:
        raise UnavailableError(f"sudo does not say what {name} may do: {told.strip()[:200]}")
    return any(_is_everything(users, commands) for users, commands in _RULE.findall(told))


def _is_everything(users: str, commands: str) -> bool:
    """Whether a rule lets any command be run as root."""
    as_root = {"ALL", "root"} & {one.strip() for one in users.split(",")}
    return bool(as_root) and "ALL" in {_TAGS.sub("", one) for one in commands.split(", ")}
