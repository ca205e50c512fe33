"""What comes into the engine: under which names, and how many at once.

Invariant: only a reference that keeps the grammar below reaches the engine.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from control_plane.domain.names import shown
from control_plane.errors import ConflictError, FieldError, InvalidError

# Each holds a thread for as long as it takes.
MOST_AT_ONCE = 4
# Before the first slash stands a host only if it cannot be a name.
_HOST = r"(?=localhost[:/]|[^/]*[.:])[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
# The engine's own grammar, without digests: what has no name could not be granted or removed.
_REFERENCE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(:\w[\w.-]{{0,127}})?", re.ASCII)
_LONGEST = 255


def reference(name: str) -> str:
    """Return an image's whole reference, with its tag; InvalidError."""
    match = _REFERENCE.fullmatch(name) if len(name) <= _LONGEST else None
    if match is None:
        rule = "[REGISTRY/]NAME[:TAG], the name in lower case"
        raise InvalidError(f"{shown(name)} is no image.", [FieldError("name", rule)])
    return name if match[1] else f"{name}:latest"


class UnderWayError(ConflictError):
    """That name is on its way already, or there is no room for one more."""


class Transfers:
    """What is being pulled or taken in: one of a name at a time, and a few in all."""

    def __init__(self) -> None:
        """Begin with none."""
        self._names: set[object] = set()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, name: object) -> Iterator[None]:
        """Hold a place while it is under way; UnderWayError."""
        with self._lock:
            if name in self._names:
                raise UnderWayError(f"The image {name} is being pulled already.")
            if len(self._names) >= MOST_AT_ONCE:
                raise UnderWayError(
                    f"{MOST_AT_ONCE} images are under way already.", "Wait until one is there."
                )
            self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)
