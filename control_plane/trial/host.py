"""What the trial adds to the host's own accounts: the service's user, and its PAM service.

Invariant: what exists already is left as it is, and what was added can be told and taken away.
"""

import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.trial import programs
from control_plane.trial.account import SERVICE
from control_plane.trial.locks import held

_PAM = Path("/etc/pam.d/remoteapp")
_PAM_LOCK = Path("/run/remoteapp-pam.lock")
_PAM_TEXT = """\
# Made by a trial of Remoteapp, which removes it when it ends.
auth required pam_unix.so nodelay
account required pam_unix.so
"""
_COMMENT = "Remoteapp, made by a trial"


def provide_user() -> bool:
    """Make the service's user if it lacks; return whether it was made."""
    with suppress(KeyError):
        pwd.getpwnam(SERVICE)
        return False
    words = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    words += ["--shell", "/usr/sbin/nologin", "--comment", _COMMENT]
    programs.must(["useradd", *words, SERVICE])
    for group in ("docker", "shadow"):
        with suppress(ControlPlaneError):  # an engine of another make may have no such group
            programs.must(["usermod", "--append", "--groups", group, SERVICE])
    return True


def remove_user() -> bool:
    """Remove the service's user if a trial made it; return whether it was removed."""
    with suppress(KeyError):
        if pwd.getpwnam(SERVICE).pw_gecos == _COMMENT:
            programs.must(["userdel", SERVICE])
            return True
    return False


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
