"""Tests in a process of their own: what they change of it, nobody else in the run has."""

import functools
import multiprocessing
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def apart(test: Callable[P, None]) -> Callable[P, None]:
    """Run a test in a copy of the process: it becomes another user, which all threads would.

    What fails there is told with its traceback on stderr.
    """

    @functools.wraps(test)
    def in_a_copy(*args: P.args, **words: P.kwargs) -> None:
        copy = multiprocessing.get_context("fork").Process(target=test, args=args, kwargs=words)
        copy.start()
        copy.join()
        assert copy.exitcode == 0

    return in_a_copy
