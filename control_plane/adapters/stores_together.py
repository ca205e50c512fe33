"""Several stores that are noticed as one."""

from collections.abc import Sequence

from control_plane.domain.stores import Stores


class Together:
    """The port `Stores` over the stores of accounting and of records."""

    def __init__(self, parts: Sequence[Stores]) -> None:
        """Keep them."""
        self._parts = tuple(parts)

    def version(self) -> object:
        """Return a value that differs after a write to any of them."""
        return tuple(part.version() for part in self._parts)

    def check(self) -> None:
        """Raise the first problem of the first that has one."""
        for part in self._parts:
            part.check()
