"""nginx, as the control plane sees it: a spool to put the routes into, a status to read.

Invariant: the newest set handed over is the one that stands in the spool or was taken from it; no
call waits for nginx.
"""

import contextlib
import logging
import tempfile
import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from control_plane.adapters import nginx_status
from control_plane.adapters.nginx_spool import CANDIDATE
from control_plane.adapters.nginx_status import Status, digest, uptime
from control_plane.domain import routes
from control_plane.domain.routes import Route
from control_plane.errors import GatewayError

log = logging.getLogger(__name__)

_GRACE = 5.0


class FilesGateway:
    """Hands the routes to the routes one-shot; `session_range` bounds their addresses."""

    def __init__(
        self, spool: Path, status: Path, session_range: str, grace: float = _GRACE
    ) -> None:
        """Use `spool`, which is watched, and the file in which the one-shot reports."""
        self._spool = spool
        self._status = status
        self._network = IPv4Network(session_range)
        self._grace = grace
        self._lock = threading.Lock()
        self._routes: dict[str, Route] = {}
        self._handed = ""
        self._handed_at = 0.0

    def publish(self, route: Route) -> None:
        """Hand over one more route; GatewayError."""
        self._check_address(route)
        with self._lock:
            if self._handed and self._routes.get(route.session_id) == route:
                return
            with self._or_as_before():
                self._routes[route.session_id] = route
                self._hand_over()

    def withdraw(self, session_id: str) -> None:
        """Take a route back; an unknown one is no error."""
        with self._lock:
            if session_id not in self._routes:
                return
            del self._routes[session_id]
            try:
                self._hand_over()
            except GatewayError:
                # A stale line leads nowhere, and a stop must not fail for it; check() tells.
                log.exception("route not withdrawn session=%s", session_id)

    def replace(self, wanted: Sequence[Route]) -> bool:
        """Make these the routes, all of them; return whether that changed anything."""
        for route in wanted:
            self._check_address(route)
        fresh = {route.session_id: route for route in wanted}
        handed = _digest(fresh)
        with self._lock:
            status = nginx_status.read(self._status)
            if self._stands(handed, status):
                self._handed, self._routes = handed, fresh
                return False
            waits = handed == self._handed != status.candidate
            if waits and not self._is_overdue(status):
                return False
            # On a new host an empty set is no change.
            changed = not waits and bool(fresh or self._routes or status.candidate)
            with self._or_as_before():
                self._routes = fresh
                self._hand_over()
            return changed

    def check(self) -> None:
        """Raise GatewayError when the last hand-over was not taken, or was taken with faults."""
        with self._lock:
            status = nginx_status.read(self._status)
            if self._is_overdue(status):
                raise GatewayError(
                    "The routes handed over were not taken.",
                    "Is the unit that watches the spool running?",
                )
            if not self._is_taken(status):
                return
        if status.error:
            raise GatewayError(f"nginx refuses its configuration: {status.error}")
        if status.refused:
            raise GatewayError(f"Routes were left out: {'; '.join(status.refused)}")

    def poke(self) -> None:
        """Hand the same routes in again where that leads further; GatewayError.

        A reload was put off and is due, or what was handed over was never taken.
        """
        with self._lock:
            status = nginx_status.read(self._status)
            due = status.again_at is not None and uptime() >= status.again_at
            if self._handed and (due or self._is_overdue(status)):
                self._hand_over()

    def _check_address(self, route: Route) -> None:
        try:
            routes.parse(route.line, self._network)
        except ValueError as error:
            raise GatewayError(f"The route of session {route.session_id}: {error}.") from error

    def _stands(self, handed: str, status: Status) -> bool:
        """Whether that is what nginx has; just started, the last process may have seen to it."""
        newest = self._handed in ("", handed)
        return newest and status.candidate == handed and _is_in_place(status)

    def _is_taken(self, status: Status) -> bool:
        return bool(self._handed) and status.candidate == self._handed

    def _is_overdue(self, status: Status) -> bool:
        late = uptime() > self._handed_at + self._grace
        return bool(self._handed) and late and not self._is_taken(status)

    @contextlib.contextmanager
    def _or_as_before(self) -> Iterator[None]:
        kept = dict(self._routes)
        try:
            yield
        except GatewayError:
            self._routes = kept
            raise

    def _hand_over(self) -> None:
        content = _content(self._routes)
        self._handed = digest(content)
        self._handed_at = uptime()
        try:
            _put(self._spool, content)
        except OSError as error:
            raise GatewayError(f"The routes cannot be handed over: {error}.") from error


def _content(wanted: dict[str, Route]) -> bytes:
    return routes.candidate(wanted.values()).encode()


def _digest(wanted: dict[str, Route]) -> str:
    return digest(_content(wanted))


def _put(spool: Path, content: bytes) -> None:
    """Write beside the spool, where nothing watches, and rename the whole file into it."""
    spool.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=spool.parent, prefix=".candidate-", delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(content)
            file.flush()
            fresh.replace(spool / CANDIDATE)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _is_in_place(status: Status) -> bool:
    try:
        return digest(Path(status.path).read_bytes()) == status.installed
    except OSError:
        return False
