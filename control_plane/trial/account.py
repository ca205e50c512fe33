"""Whom our processes run as: accounts of their own, where those can enter the clone.

Invariant: what a process is given of the environment is a closed list.
"""

import grp
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

SERVICE = "remoteapp"
PAM = "remoteapp-pam"
FORWARDER = "remoteapp-forwarder"
ENGINE = "remoteapp-engine"
WORKERS = "www-data"
# An account of each process, with no more groups than it needs.
GROUPS: Mapping[str, tuple[str, ...]] = {
    SERVICE: (),
    PAM: ("shadow",),
    FORWARDER: (),
    ENGINE: ("docker",),
}
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
    """Return the control plane's account; KeyError without it."""
    return account_of(SERVICE)


def account_of(name: str) -> Account:
    """Return one of our accounts with its groups, as far as the host has them; KeyError."""
    found = pwd.getpwnam(name)
    gids = []
    for group in GROUPS[name]:
        with suppress(KeyError):
            gids.append(grp.getgrnam(group).gr_gid)
    return Account(name, found.pw_uid, found.pw_gid, tuple(gids))


def beside(account: Account, name: str) -> Account:
    """Return who runs a process beside the control plane: root where that is root."""
    return ROOT if account == ROOT else account_of(name)


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
