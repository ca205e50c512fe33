"""Whom the control plane runs as: the service's own account, where that can enter the clone.

Invariant: what a process is given of the environment is a closed list.
"""

import grp
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

SERVICE = "remoteapp"
WORKERS = "www-data"
_GROUPS = ("docker", "shadow")
# How engine and certificates are found; everything else of ours comes as a file.
_PASSED_ON = ("DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "LANG", "TZ")


@dataclass(frozen=True, slots=True)
class Account:
    """One account of this host, as a child process is given it."""

    name: str
    uid: int
    gid: int
    gids: tuple[int, ...]


ROOT = Account("root", 0, 0, ())


def service_account() -> Account:
    """Return the service's account with the engine's and shadow's groups; KeyError without it."""
    found = pwd.getpwnam(SERVICE)
    gids = []
    for name in _GROUPS:
        with suppress(KeyError):
            gids.append(grp.getgrnam(name).gr_gid)
    return Account(SERVICE, found.pw_uid, found.pw_gid, tuple(gids))


def worker_gid() -> int:
    """Return the group of nginx's workers; root's on a host without it."""
    try:
        return grp.getgrnam(WORKERS).gr_gid
    except KeyError:
        return 0


def environment(**more: str) -> Mapping[str, str]:
    """Return the environment of a child: the closed list, and `more`."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONUNBUFFERED": "1", **kept, **more}
