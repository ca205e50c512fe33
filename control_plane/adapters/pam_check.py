"""Whether PAM lets somebody in with a password, through python-pam.

Invariant: why PAM refuses somebody stands in the log, a password never; who asks learns that it
does.
"""

import logging
from contextlib import suppress
from pathlib import Path

import pam

from control_plane.domain.names import shown

log = logging.getLogger(__name__)

# What PAM answers (<security/_pam_types.h>, the same number on every Linux).
_WRONG = 7
_REASONS = {
    6: "permission denied",
    9: "the password cannot be checked, is the service in the group of /etc/shadow?",
    12: "password expired",
    13: "account expired",
}


class PamCheck:
    """The PAM service of that name, asked in this process."""

    def __init__(self, service: str, shadow: Path = Path("/etc/shadow")) -> None:
        """Ask nothing yet; `shadow` tells who is locked."""
        self._service = service
        self._shadow = shadow

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


def _is_locked(shadow: Path, name: str) -> bool:
    """Whether no password opens the account: PAM says of it what it says of a wrong one."""
    with suppress(OSError):
        lines = shadow.read_text(errors="replace").splitlines()
        fields = (line.split(":") for line in lines)
        return any(one[0] == name and one[1].startswith(("!", "*")) for one in fields)
    return False
