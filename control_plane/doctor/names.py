"""Lists of names in a sentence: a few, and how many more there are."""

from collections.abc import Sequence

_MOST = 5


def some(names: Sequence[str]) -> str:
    """Return the first few, and the number of the others."""
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
