"""An application asked as nginx asks it: the same headers, the same path, HTTP and WebSocket.

Invariant: no peer makes it wait for ever, hold more than a bounded answer, or raise an error that
is not ours.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

import httpx
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from control_plane.errors import ControlPlaneError

# Nobody has this name (RFC 2606); to the application it is the portal's.
PORTAL = "portal.example"
EVENTS = "events"
_SECONDS = 10.0
_PATIENCE = 30.0  # seconds for a whole answer
_LARGEST = 4 * 1024**2  # bytes of a page
_MOST_EVENTS = 64 * 1024  # bytes
_LARGEST_MESSAGE = 16 * 1024**2  # bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A status (0: no answer, and `body` says why), where it leads and what it says."""

    status: int
    location: str = ""
    body: str = ""

    @property
    def is_success(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's classes

    @property
    def leads_on(self) -> bool:
        """Whether it sends the browser elsewhere."""
        return 300 <= self.status < 400 and bool(self.location)  # noqa: PLR2004 - HTTP's classes


@dataclass(slots=True)
class _Heard:
    """What came of an answer so far."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        # Whatever charset it names: one of its choice could cost more than all the rest.
        return self.body.decode(errors="replace")


class ApplicationClient:
    """One application at its address, below its session's path (`base`, without an end slash)."""

    def __init__(  # noqa: PLR0913 - each is a fact of its own
        self,
        address: str,
        port: int,
        user: str,
        base: str,
        *,
        strip_path: bool = False,
        patience: float = _PATIENCE,
    ) -> None:
        """`strip_path` leaves the session's path out of what is asked.

        A whole answer takes no longer than `patience` seconds.
        """
        self.base, self.user = base, user
        self._patience = patience
        self._at = (address, port)
        self.strips = strip_path
        self._headers = {
            "X-Remote-User": user,
            "X-Session-Access": "owner",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": PORTAL,
            "X-Script-Name": base,
        }
        # Nothing compressed: a few bytes could be gigabytes.
        asking = {"Host": PORTAL, "Accept": "text/html,*/*", "Accept-Encoding": "identity"}
        # Asynchronous for `asyncio.timeout`: httpx's own starts again with every byte.
        self._http = httpx.AsyncClient(
            base_url=f"http://{address}:{port}",
            headers={**self._headers, **asking},
            timeout=None,  # noqa: S113 - it has its own waits
            trust_env=False,
        )
        self._runner = asyncio.Runner()

    def holds(self, path: str) -> bool:
        """Whether a path lies below the session's, however it is percent-encoded."""
        plain, base = unquote(path), unquote(self.base)
        return plain == base or plain.startswith(f"{base}/")

    def get(self, path: str) -> Answer:
        """Ask for a path (and query) as the browser names it; redirects are not followed."""
        heard = _Heard()
        try:
            self._runner.run(self._hear(path, heard, self._patience, _LARGEST))
        except TimeoutError:
            return Answer(0, body=f"no whole answer within {self._patience:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(0, body=str(error) or type(error).__name__)
        location = heard.headers.get("location", "")
        return Answer(heard.status, self._seen(path, location), heard.text)

    def events(self, seconds: float) -> str:
        """Return what its stream of events says within that time; empty where there is none."""
        heard = _Heard()
        with suppress(TimeoutError, httpx.HTTPError):
            self._runner.run(self._hear(f"{self.base}/{EVENTS}", heard, seconds, _MOST_EVENTS))
        kind = heard.headers.get("content-type", "")
        return heard.text if kind.startswith("text/event-stream") else ""

    @contextmanager
    def websocket(self, path: str) -> Iterator[ClientConnection]:
        """Give a WebSocket at a path, as a desktop's page opens it; ControlPlaneError says why not.

        Redirects are not followed: no browser does.
        """
        with ExitStack() as closing:
            try:
                opening = connect(
                    f"ws://{PORTAL}{self._sent(path)}",
                    # Its time-out stays: a peer that takes nothing in is left too.
                    sock=socket.create_connection(self._at, timeout=_SECONDS),
                    origin=Origin(f"https://{PORTAL}"),
                    subprotocols=[Subprotocol("binary")],
                    additional_headers=self._headers,
                    compression=None,
                    proxy=None,
                    open_timeout=_SECONDS,
                    close_timeout=1,
                    ping_interval=None,
                    max_size=_LARGEST_MESSAGE,
                    max_queue=1,
                )
                opened = closing.enter_context(opening)
            except (OSError, ValueError, InvalidHandshake) as error:
                raise ControlPlaneError(str(error) or type(error).__name__) from error
            yield opened

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._http.aclose())
        self._runner.close()

    async def _hear(self, path: str, heard: _Heard, seconds: float, largest: int) -> None:
        async with (
            asyncio.timeout(seconds),
            self._http.stream("GET", self._sent(path)) as answer,
        ):
            heard.status, heard.headers = answer.status_code, answer.headers
            async for part in answer.aiter_raw():
                heard.body += part
                if len(heard.body) > largest:
                    break

    def _sent(self, path: str) -> str:
        if self.strips and path.startswith(self.base):
            return path.removeprefix(self.base) or "/"
        return path

    def _seen(self, path: str, location: str) -> str:
        """Return where a redirect leads, as nginx passes it on; empty for what is no address.

        Those to the application's own host come as the portal's, over TLS and, where the session's
        path is stripped, below it.
        """
        try:
            parts = urlsplit(location)
            if parts.netloc in (PORTAL, f"{PORTAL}:{self._at[1]}"):
                parts = parts._replace(scheme="https", netloc=PORTAL)
            is_own = parts.netloc in ("", PORTAL)
            if is_own and self.strips and parts.path.startswith("/") and not self.holds(parts.path):
                parts = parts._replace(path=self.base + parts.path)
            return urljoin(f"https://{PORTAL}{path}", parts.geturl()) if location else ""
        except ValueError:
            return ""
