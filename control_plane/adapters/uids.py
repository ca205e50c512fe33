"""Which uid the next virtual user gets.

Invariant: none is given twice.
"""

from collections.abc import Callable, Collection

from control_plane.errors import ConflictError


def free_uid(given: Collection[int], first: int, last: int, taken: Callable[[int], bool]) -> int:
    """Return the first that was never given and nobody else has; ConflictError."""
    for uid in range(first, last + 1):
        if uid not in given and not taken(uid):
            return uid
    raise ConflictError(
        f"Every uid from {first} to {last} was given before.",
        "Widen [auth] virtual_uids in the settings.",
    )
