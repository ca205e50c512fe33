"""The host's user database, and PAM through python-pam.

Invariant: uid 0, uids below UID_MIN and the groups that make root never leave this module. Why PAM
refuses somebody stands in the log; who asks learns that it does.
"""

import grp
import logging
import os
import pwd
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pam

from control_plane.domain.entities import Person
from control_plane.domain.names import shown

log = logging.getLogger(__name__)

# Membership in one of these amounts to root on the host or to reading everyone's secrets.
POWERFUL = frozenset({"root", "docker", "shadow", "sudo", "wheel", "disk", "lxd", "adm", "kmem"})
_DEFAULT_UID_MIN = 1000
_NOBODY = 65534
# What PAM answers (<security/_pam_types.h>, the same number on every Linux).
_WRONG = 7
_REASONS = {
    6: "permission denied",
    9: "the password cannot be checked, is the service in the group of /etc/shadow?",
    12: "password expired",
    13: "account expired",
}


class PamHost:
    """System users, who prove themselves through the PAM service of that name."""

    def __init__(
        self,
        service: str,
        login_defs: Path = Path("/etc/login.defs"),
        look_up: Callable[[str], pwd.struct_passwd] = pwd.getpwnam,
        shadow: Path = Path("/etc/shadow"),
    ) -> None:
        """Read UID_MIN once; `look_up` asks the user database, `shadow` tells who is locked."""
        self._service = service
        self._look_up = look_up
        self._shadow = shadow
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
        """Ask PAM; one authenticator a call, no credentials set."""
        authenticator = pam.PamAuthenticator()
        with suppress(ValueError):  # a NUL, or what is no text
            if authenticator.authenticate(name, password, service=self._service, resetcreds=False):
                return True
            why = self._why(name, authenticator.code, authenticator.reason)
            log.info("pam refused name=%s why=%s", shown(name), why)
        return False

    def _why(self, name: str, code: int, reason: object) -> str:
        if code != _WRONG:
            return _REASONS.get(code) or shown(str(reason))
        return "account locked" if _is_locked(self._shadow, name) else "wrong password"


def _safe_groups(entry: pwd.struct_passwd) -> tuple[int, ...]:
    gids = set(os.getgrouplist(entry.pw_name, entry.pw_gid)) - {entry.pw_gid}
    return tuple(sorted(gid for gid in gids if _is_safe(gid)))


def _is_safe(gid: int) -> bool:
    return gid != 0 and _group_name(gid) not in POWERFUL


def _group_name(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return ""


def _is_locked(shadow: Path, name: str) -> bool:
    """Whether no password opens the account: PAM says of it what it says of a wrong one."""
    with suppress(OSError):
        lines = shadow.read_text(errors="replace").splitlines()
        fields = (line.split(":") for line in lines)
        return any(one[0] == name and one[1].startswith(("!", "*")) for one in fields)
    return False


def _uid_min(login_defs: Path) -> int:
    with suppress(OSError):
        if found := re.search(r"^UID_MIN\s+(\d+)", login_defs.read_text(), re.MULTILINE):
            return int(found[1])
    return _DEFAULT_UID_MIN
