"""Passwords judged by another process: one bounded line of JSON there, one back.

Invariant: a password stands in no message, no log and no `repr`, and whatever fails lets nobody in.
"""

import json
import logging
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

from control_plane.domain.names import shown

log = logging.getLogger(__name__)

# A name of 255 characters and a password of 1024, each of them 12 bytes when it is escaped.
LONGEST = 16 * 1024
# Longer than the other process gives PAM, so that it is the one to say what was the matter.
PATIENCE = 45.0


@dataclass(frozen=True, slots=True)
class Question:
    """Whether PAM lets somebody in; `service` is the PAM service that the asker believes in."""

    service: str
    name: str
    password: str = field(repr=False)


class PamSocket:
    """The process that listens at `path`, where `authenticate` is as PAM's."""

    def __init__(self, path: Path, service: str, patience: float = PATIENCE) -> None:
        """Connect at each question; give it up after that many seconds."""
        self._path = path
        self._service = service
        self._patience = patience

    def authenticate(self, name: str, password: str) -> bool:
        """Ask; False for every failure alike."""
        line = written(asdict(Question(self._service, name, password)))
        if len(line) > LONGEST:
            return False
        try:
            return self._asked(line) is True
        except (OSError, ValueError) as error:
            log.warning("passwords are not judged path=%s error=%s", self._path, shown(str(error)))
            return False

    def _asked(self, line: bytes) -> object:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(self._patience)
            one.connect(str(self._path))
            one.sendall(line)
            answer = json.loads(read_line(one))
        return answer["ok"] if isinstance(answer, dict) and "ok" in answer else None


def question(line: bytes, service: str) -> Question:
    """Return what is asked of a PAM service; ValueError says nothing of what was sent."""
    try:
        found = json.loads(line)
    except ValueError:
        raise ValueError("it is not JSON") from None
    names = ("service", "name", "password")
    if not isinstance(found, dict) or {*found} != {*names}:
        raise ValueError(f"it must hold {', '.join(names)} and nothing else")
    if not all(isinstance(value, str) for value in found.values()):
        raise ValueError("a value is no text")
    if found["service"] != service:
        raise ValueError(f"it is for another PAM service than {service}")
    return Question(**found)


def written(message: dict[str, object]) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"


def read_line(one: socket.socket) -> bytes:
    """Return a line of at most LONGEST bytes; ValueError where it is longer, or breaks off."""
    found = b""
    while not found.endswith(b"\n"):
        more = one.recv(LONGEST + 1 - len(found))
        if not more:
            raise ValueError("it breaks off")
        found += more
        if len(found) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} bytes")
    return found
