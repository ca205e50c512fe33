"""What the trial adds to the host's own accounts: those of our processes, and the PAM service.

Invariant: what exists already is left as it is, and what was added can be told and taken away.
"""

import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.trial import programs
from control_plane.trial.account import GROUPS
from control_plane.trial.locks import held, shared

_PAM = Path("/etc/pam.d/remoteapp")
_PAM_LOCK = Path("/run/remoteapp-pam.lock")
_PAM_TEXT = """\
# Made by a trial of Remoteapp, which removes it when it ends.
auth required pam_unix.so nodelay
account required pam_unix.so
"""
# The accounts that tests made, locked by every portal that runs, the trial too.
ACCOUNTS = Path("/run/remoteapp-tests.accounts")
_COMMENT = "Remoteapp, made by a trial"


def provide_users() -> list[str]:
    """Make those of our accounts that lack; return their names."""
    lacking = [name for name in GROUPS if not _entries(name)]
    for name in lacking:
        _make(name)
    return lacking


@contextmanager
def accounts_in_use() -> Iterator[None]:
    """Keep tests that end from removing the accounts that they made and others found."""
    with shared(ACCOUNTS):
        yield


def remove_users(names: Iterable[str] = tuple(GROUPS)) -> list[str]:
    """Remove those of these accounts that a trial made; return their names."""
    made = [one for name in names for one in _entries(name) if one.pw_gecos == _COMMENT]
    for one in made:
        programs.must(["userdel", one.pw_name])
    return [one.pw_name for one in made]


@contextmanager
def pam_service() -> Iterator[None]:
    """Have the PAM service until the end; one that a trial did not make stays."""
    with held(_PAM_LOCK) as is_ours:
        if not _PAM.exists():
            _PAM.write_text(_PAM_TEXT)
        try:
            yield
        finally:
            if is_ours and _PAM.read_text() == _PAM_TEXT:
                _PAM.unlink()


def _entries(name: str) -> list[pwd.struct_passwd]:
    with suppress(KeyError):
        return [pwd.getpwnam(name)]
    return []


def _make(name: str) -> None:
    words = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    words += ["--shell", "/usr/sbin/nologin", "--comment", _COMMENT]
    try:
        programs.must(["useradd", *words, name])
    except ControlPlaneError:
        if not _entries(name):  # else another portal has made it meanwhile
            raise
    for group in GROUPS[name]:
        with suppress(ControlPlaneError):  # an engine of another make may have no such group
            programs.must(["usermod", "--append", "--groups", group, name])
