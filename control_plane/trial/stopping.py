"""The wish to end: a signal is seen at the next wait, and a second one changes nothing.

Invariant: no signal interrupts a step in the middle, so whatever began is known to the clean-up.
"""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import FrameType

from control_plane.errors import ControlPlaneError
from control_plane.trial import processes

_POLL = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(ControlPlaneError):
    """Somebody wants the launcher to end."""


class Stop:
    """Whether somebody has asked to end: Ctrl-C, SIGTERM, or a terminal that closed."""

    def __init__(self) -> None:
        """Wait for nothing yet: `listen` does."""
        # No threading.Event: a handler that sets one can meet the lock it is waiting with.
        self._asked = False

    def listen(self) -> None:
        """Take the signals from now on, for good."""
        for number in _SIGNALS:
            signal.signal(number, self._ask)

    def check(self) -> None:
        """Raise StoppedError when somebody has asked."""
        if self._asked:
            raise StoppedError("Stopped.")

    def wait(self) -> None:
        """Return when somebody asks."""
        while not self._asked:
            time.sleep(_POLL)

    def run(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Run a long child, its output ours, out of the reach of Ctrl-C; return its status.

        It is ended when somebody asks: then StoppedError.
        """
        child = subprocess.Popen(  # noqa: S603 - words of our own
            words, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )
        with ExitStack() as stack:
            stack.callback(child.wait)
            stack.callback(_end, child)
            while child.poll() is None:
                self.check()
                time.sleep(_POLL)
        return child.returncode

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None and (leader := processes.identify(child.pid)):
        processes.end(leader, 5)
