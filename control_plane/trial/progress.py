"""What the launcher tells people while they wait.

Invariant: an output that has gone (a closed terminal, a broken pipe) never stops a clean-up.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TELL_EVERY = 10.0


def say(text: str = "") -> None:
    """Print a line at once."""
    try:
        print(text, flush=True)  # noqa: T201 - it is what a person reads
    except OSError:
        # Nobody reads any more: the interpreter must not stumble over what it still buffers.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, how long it has been going on every ten seconds, and when it is done."""
    say(f"==> {text}")
    begun = time.monotonic()
    over = threading.Event()
    ticker = threading.Thread(target=_tick, args=(text, begun, over), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        over.set()
        ticker.join()
    if (seconds := time.monotonic() - begun) >= 1:
        say(f"    done after {seconds:.0f} s")


def _tick(text: str, begun: float, over: threading.Event) -> None:
    while not over.wait(_TELL_EVERY):
        say(f"    {text}: {time.monotonic() - begun:.0f} s")
