"""Books whose owner dies after so many calls: a use case is cut short at every step in turn."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from control_plane.domain.ports import Books


class _DeadError(BaseException):
    """What a process sees of its own death: nothing after it."""


class Dying:
    """A port that ends the process before its nth call, counted over all that share `left`."""

    def __init__(self, port: Any, left: list[int]) -> None:
        self._port = port
        self._left = left

    def __getattr__(self, name: str) -> Any:
        def call(*words: Any, **named: Any) -> Any:
            if not self._left[0]:
                raise _DeadError
            self._left[0] -= 1
            return getattr(self._port, name)(*words, **named)

        return call


def dies(books: Books, calls: int, act: Callable[[Books], object]) -> bool:
    """Let `act` die after so many calls of accounting and records; whether it did."""
    left = [calls]
    accounting, records = Dying(books.accounting, left), Dying(books.records, left)
    try:
        act(replace(books, accounting=accounting, records=records))
    except _DeadError:
        return True
    return False
