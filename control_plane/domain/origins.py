"""Which origin serves what: the portal's own pages, and each session's application.

Invariant: where an application lives follows from its session's id and the settings alone, so what
a host name stands for is never a browser's word.
"""

import re
from dataclasses import dataclass
from typing import Literal

from control_plane.domain import labels
from control_plane.domain.entities import Session

Mode = Literal["domain", "port", "one"]
_HTTPS_PORT = 443
_PORT = re.compile(r":[0-9]+$")


@dataclass(frozen=True, slots=True)
class Origins:
    """The portal's origin, and where applications live beside it.

    `portal` is `https://host` or `https://host:port`. `apps_domain` (empty: none) has a host for
    each session below it, at the portal's port; else `apps_port` (0: none) is another port of the
    portal's own host; else all is one origin.
    """

    portal: str
    apps_domain: str = ""
    apps_port: int = 0

    @property
    def mode(self) -> Mode:
        """What keeps applications apart: a domain, a port, or nothing."""
        if self.apps_domain:
            return "domain"
        return "port" if self.apps_port else "one"

    def of(self, session_id: str) -> str:
        """Return the origin that a session's application lives on."""
        port = _PORT.search(self.portal)
        if self.apps_domain:
            return f"https://{session_id}.{self.apps_domain}{port.group() if port else ''}"
        if not self.apps_port:
            return self.portal
        host = self.portal[: port.start()] if port else self.portal
        return host if self.apps_port == _HTTPS_PORT else f"{host}:{self.apps_port}"

    def session_address(self, session: Session) -> str:
        """Return the absolute address of a session's application, with its end slash."""
        return f"{self.of(session.id)}{labels.base_path(session.owner, session.id)}/"

    def is_portal(self, host: str) -> bool:
        """Whether a Host header names the portal."""
        return f"https://{host}" == self.portal

    def is_home(self, host: str, session_id: str) -> bool:
        """Whether a Host header names where that session's application lives."""
        return f"https://{host}" == self.of(session_id)
