"""Following a session by its events until it has started, over broken connections too.

Invariant: what was told once is not told again after a connection broke.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, SSEError, connect_sse

from control_plane.cli.remoteapprest_portal import checked, unreachable
from control_plane.errors import ControlPlaneError, UnavailableError

Json = dict[str, Any]

_PAUSE = 0.5
_GIVE_UP_AFTER = 60.0
# The portal says something every 15 s, if only that it is there.
SILENCE = httpx.Timeout(45, connect=10)
_STARTING = "starting"


def until_started(client: httpx.Client, session_id: str, say: Callable[[str], None]) -> None:
    """Return when the session is not starting any more; `say` gets each sentence before that.

    UnavailableError when the portal was away for a minute.
    """
    said = ""
    for told in _told(client, session_id):
        if told["state"] != _STARTING:
            return
        if told["message"] != said:
            said = str(told["message"])
            say(said)


def _told(client: httpx.Client, session_id: str) -> Iterator[Json]:
    last, lost = "", time.monotonic()
    while True:
        try:
            with _stream(client, session_id, last) as events:
                for event in events:
                    last = event.id or last
                    yield data_of(event)
            lost = time.monotonic()
        except _BrokenError:
            lost = time.monotonic()
        except UnavailableError:
            if time.monotonic() - lost > _GIVE_UP_AFTER:
                raise
        time.sleep(_PAUSE)


class _BrokenError(Exception):
    """A stream that had begun broke off."""


@contextmanager
def _stream(
    client: httpx.Client, session_id: str, last: str
) -> Iterator[Iterator[ServerSentEvent]]:
    headers = {"Last-Event-ID": last} if last else {}
    address = f"/sessions/{session_id}/events"
    began = False
    try:
        with connect_sse(client, "GET", address, headers=headers, timeout=SILENCE) as source:
            checked(source.response)
            began = True
            yield (event for event in source.iter_sse() if event.event == "state")
    except SSEError as error:
        raise ControlPlaneError("The portal sent no event stream.") from error
    except httpx.TransportError as error:
        if began:
            raise _BrokenError from error
        raise unreachable(client, error) from error


def data_of(event: ServerSentEvent) -> Json:
    """Return the JSON object of an event."""
    try:
        found: Json = json.loads(event.data)
    except ValueError as error:
        raise ControlPlaneError("The portal sent an event that does not parse.") from error
    return found
