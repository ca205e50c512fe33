"""Commands on the host ask the running service over its unix socket.

Invariant: what the service refuses, and that it does not answer, are errors of ours.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from control_plane.errors import ControlPlaneError, UnavailableError

SOCKET = Path("/run/remoteapp/control-plane.sock")
# It answers when the last session is gone, however many wait for their turn to stop.
_TIMEOUT = httpx.Timeout(10, read=600)


class SilentError(UnavailableError):
    """The service did not answer: it is away, or just ending."""


def post(socket: Path, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
    """Send a request with a JSON body; return the answer. SilentError without one."""
    said = {"Content-Type": "application/json", **headers}
    transport = httpx.HTTPTransport(uds=str(socket))
    try:
        with httpx.Client(transport=transport, timeout=_TIMEOUT) as client:
            answer = client.post(f"http://control-plane{path}", content=body, headers=said)
    except httpx.TransportError as error:
        raise SilentError(
            f"The service does not answer on {socket}: {error}.",
            "See journalctl --unit remoteapp.service.",
        ) from error
    if answer.is_success:
        return answer.json()
    raise _refused(answer)


def _refused(answer: httpx.Response) -> ControlPlaneError:
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    message = told.get("detail", f"The service answered with status {answer.status_code}.")
    is_away = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    return (UnavailableError if is_away else ControlPlaneError)(message, told.get("hint", ""))
