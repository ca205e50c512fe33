"""The forwarder as the control plane reaches it: its control socket, one line a call.

Invariant: a forwarder that we reach anew, since one of the two has restarted or did not answer, is
told everything before anything else; without any `replace` yet we do not know what everything is.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from control_plane.domain import forwarding_json
from control_plane.domain.forwarding import Passage, Watcher
from control_plane.errors import ForwarderUnavailableError

SOCKET = Path("/run/remoteapp/forwarder-control.sock")
_SECONDS = 1.0
_LONGEST_ANSWER = 16 * 1024**2
_BARRED_FOR = timedelta(days=1)


class ForwarderClient:
    """The port `Forwarder` over a unix socket; calls of several threads take turns."""

    def __init__(
        self, path: Path, clock: Callable[[], datetime], seconds: float = _SECONDS
    ) -> None:
        """Connect at the first call; each takes `seconds` at most, or it counts as away."""
        self._path, self._clock, self._seconds = path, clock, seconds
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._passages: dict[str, Passage] | None = None
        self._barred: dict[str, datetime] = {}

    def replace(self, passages: Sequence[Passage]) -> None:
        """Make these the passages, all of them; nothing is sent while the forwarder has them."""
        wanted = {one.share_id: one for one in passages}
        with self._lock:
            if self._line and wanted == self._passages:
                return
            self._passages = wanted
            # A new connection begins with it.
            self._ask(self._everything() if self._line else {"verb": "check"})

    def put(self, passage: Passage) -> None:
        """Add one passage, or replace that of its share."""
        with self._lock:
            if self._passages is not None:
                self._passages[passage.share_id] = passage
            self._ask({"verb": "put", "passage": forwarding_json.written(passage)})

    def drop(self, share_id: str) -> None:
        """Take a passage back: its connections have ended when it returns."""
        with self._lock:
            if self._passages is not None:
                self._passages.pop(share_id, None)
            self._ask({"verb": "drop", "share": share_id})

    def cut(self, viewer: str) -> None:
        """End the connections of a sign-in or a token, and let it in nowhere for a day."""
        now = self._clock()
        with self._lock:
            self._barred = {who: until for who, until in self._barred.items() if until > now}
            until = self._barred[viewer] = now + _BARRED_FOR
            self._ask({"verb": "bar", "viewer": viewer, "until": until.isoformat()})

    def watching(self) -> Sequence[Watcher]:
        """Return who watches now, each viewer of each share once, with the earliest `since`."""
        with self._lock:
            said = self._ask({"verb": "watching"})
        try:
            return [forwarding_json.watcher(one) for one in said["watching"]]
        except (LookupError, TypeError, ValueError) as error:
            raise _away(f"it says {type(error).__name__}") from error

    def check(self) -> None:
        """Raise ForwarderUnavailableError when it does not answer."""
        with self._lock:
            self._ask({"verb": "check"})

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._hang_up()

    def _ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask on the line there is, or on a new one where a forwarder that has restarted let go."""
        try:
            if self._line:
                with suppress(ConnectionError):
                    return self._line.ask(wanted)
                self._hang_up()
            self._line = _Line(self._path, self._seconds)
            if self._passages is not None:
                self._line.ask(self._everything())
            return self._line.ask(wanted)
        except (OSError, ValueError) as error:
            self._hang_up()
            raise _away(str(error)) from error

    def _everything(self) -> Mapping[str, Any]:
        return {
            "verb": "replace",
            "passages": [forwarding_json.written(one) for one in (self._passages or {}).values()],
            "barred": {viewer: until.isoformat() for viewer, until in self._barred.items()},
        }

    def _hang_up(self) -> None:
        if self._line:
            self._line.close()
            self._line = None


class _Line:
    """One connection; whatever goes wrong on it is an OSError or a ValueError."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._answers = self._socket.makefile("rb")

    def ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a line and return the answer; ConnectionError when the other side let go."""
        self._socket.sendall(json.dumps(wanted).encode() + b"\n")
        line = self._answers.readline(_LONGEST_ANSWER)
        if not line:
            raise ConnectionResetError("it hung up")
        answer = json.loads(line)
        if not isinstance(answer, dict) or "error" in answer:
            raise ValueError(f"it does not understand: {str(answer)[:200]}")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()


def _away(why: str) -> ForwarderUnavailableError:
    return ForwarderUnavailableError(
        f"The forwarder does not answer: {why}.",
        "See journalctl --unit remoteapp-forwarder.service.",
    )
