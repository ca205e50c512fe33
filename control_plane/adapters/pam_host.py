"""The host's user database, and who judges the passwords of those in it.

Invariant: uid 0, uids below UID_MIN and the groups that make root never leave this module.
"""

import grp
import os
import pwd
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from control_plane.adapters.pam_check import PamCheck
from control_plane.domain.entities import Person

# Membership in one of these amounts to root on the host or to reading everyone's secrets.
POWERFUL = frozenset(
    {"root", "docker", "shadow", "sudo", "wheel", "disk", "lxd", "incus-admin", "libvirt"}
    | {"adm", "systemd-journal", "kmem"}
)
_DEFAULT_UID_MIN = 1000
_NOBODY = 65534


class PamHost:
    """System users, who prove themselves through the PAM service of that name."""

    def __init__(
        self,
        service: str,
        login_defs: Path = Path("/etc/login.defs"),
        look_up: Callable[[str], pwd.struct_passwd] = pwd.getpwnam,
        judge: Callable[[str, str], bool] | None = None,
    ) -> None:
        """Read UID_MIN once; `look_up` asks the user database.

        `judge` says whether a name and a password belong together; None: PAM, in this process.
        """
        self._judge = judge or PamCheck(service).authenticate
        self._look_up = look_up
        self._uid_min = _uid_min(login_defs)

    def person(self, name: str) -> Person | None:
        """Return a system user who may sign in, with the groups that are safe to pass on."""
        with suppress(KeyError, ValueError):
            entry = self._look_up(name)
            # A directory may answer to ALICE, who would be another user here than alice.
            is_person = entry.pw_uid >= self._uid_min and entry.pw_uid != _NOBODY
            if is_person and entry.pw_name == name:
                gids = _safe_groups(entry)
                gid = entry.pw_gid if _is_safe(entry.pw_gid) else _NOBODY
                return Person(name, entry.pw_uid, gid, gids, entry.pw_dir, home_is_volume=False)
        return None

    def knows_name(self, name: str) -> bool:
        """Whether the host has a user of that name, whoever it is."""
        with suppress(KeyError, ValueError):
            return bool(self._look_up(name))
        return False

    def knows_uid(self, uid: int) -> bool:
        """Whether the host has given that number to a user or to a group."""
        for known in (pwd.getpwuid, grp.getgrgid):
            with suppress(KeyError, OverflowError):
                return bool(known(uid))
        return False

    def authenticate(self, name: str, password: str) -> bool:
        """Ask PAM; False for every failure alike."""
        return self._judge(name, password)


def _safe_groups(entry: pwd.struct_passwd) -> tuple[int, ...]:
    gids = set(os.getgrouplist(entry.pw_name, entry.pw_gid)) - {entry.pw_gid}
    return tuple(sorted(gid for gid in gids if _is_safe(gid)))


def _is_safe(gid: int) -> bool:
    return gid != 0 and _group_name(gid) not in POWERFUL


def _group_name(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return ""


def _uid_min(login_defs: Path) -> int:
    with suppress(OSError):
        if found := re.search(r"^UID_MIN\s+(\d+)", login_defs.read_text(), re.MULTILINE):
            return int(found[1])
    return _DEFAULT_UID_MIN
