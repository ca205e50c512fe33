"""A part of a list, as the query asks for it."""

from collections.abc import Sequence
from typing import TypeVar

from control_plane.web.schemas import Page

T = TypeVar("T")


def part(page: Page, found: Sequence[T]) -> Sequence[T]:
    """Return the part of what was found that the page shows."""
    return found[page.offset : page.offset + page.limit]
