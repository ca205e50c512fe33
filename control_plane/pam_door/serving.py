"""Passwords judged on a socket: each question in a process of its own, so many at once, so long.

Invariant: only the one account and root are answered; a PAM module that hangs is ended with its
process, and the next question gets its place. Nothing here logs what was sent.
"""

import ctypes
import logging
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from control_plane.adapters import pam_socket
from control_plane.adapters.pam_socket import Question

log = logging.getLogger(__name__)

_READ_SECONDS = 5.0
_LONGEST_SAID = 16 * 1024  # bytes
_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children")
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Terms:
    """Who is answered and how: `at_once` questions, `seconds` each.

    `idle` seconds without a question end the process; 0 never does.
    """

    service: str
    judge: Callable[[str, str], bool]
    uid: int
    seconds: float
    idle: float = 0.0
    at_once: int = 4


@dataclass(frozen=True, slots=True)
class _Check:
    pid: int
    until: float
    says: int


class Door:
    """One listening socket, and the checks that run."""

    def __init__(self, listener: socket.socket, terms: Terms) -> None:
        """Take the socket; nothing is accepted before `serve`."""
        listener.setblocking(False)  # noqa: FBT003 - its only argument
        self._listener = listener
        self._terms = terms
        self._running: dict[int, _Check] = {}  # by what the kernel says their end on
        _adopt_orphans()
        self._selector = selectors.DefaultSelector()
        self._used_at = time.monotonic()

    def serve(self) -> None:
        """Answer until nobody has asked for `idle` seconds."""
        with self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ)
            while not self._is_idle():
                for key, _ in self._selector.select(self._pause()):
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._reap(key.fd)
                self._end_overdue()

    def _accept(self) -> None:
        with suppress(BlockingIOError):  # whoever came has gone
            connection, _ = self._listener.accept()
            with connection:
                self._used_at = time.monotonic()
                if self._may_ask(connection):
                    self._begin(connection)

    def _may_ask(self, connection: socket.socket) -> bool:
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(packed)
        if uid in (0, self._terms.uid):
            return True
        log.warning("refused to answer uid=%s", uid)
        return False

    def _begin(self, connection: socket.socket) -> None:
        says, saying = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pid = os.fork()
        if pid == 0:
            os.dup2(saying, sys.stderr.fileno())
            _judge_and_end(connection, self._terms)
        os.close(saying)
        ends = os.pidfd_open(pid)
        self._running[ends] = _Check(pid, time.monotonic() + self._terms.seconds, says)
        self._selector.register(ends, selectors.EVENT_READ)
        if len(self._running) == self._terms.at_once:  # the next ones wait in the socket
            self._selector.unregister(self._listener)

    def _reap(self, ends: int) -> None:
        check = self._running.pop(ends)
        self._selector.unregister(ends)
        os.close(ends)
        os.waitpid(check.pid, 0)
        _repeat(check.says)
        _end_all_but({one.pid for one in self._running.values()})
        self._used_at = time.monotonic()
        if len(self._running) == self._terms.at_once - 1:
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for ends, check in tuple(self._running.items()):
            if now >= check.until:
                log.error("pam gave no answer, is ended seconds=%g", self._terms.seconds)
                os.kill(check.pid, signal.SIGKILL)
                self._reap(ends)

    def _pause(self) -> float | None:
        """Return for how many seconds nothing but a question or an answer has to be done."""
        moments = [check.until for check in self._running.values()]
        if self._terms.idle and not moments:
            moments = [self._used_at + self._terms.idle]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _is_idle(self) -> bool:
        is_quiet = bool(self._terms.idle) and not self._running
        return is_quiet and time.monotonic() - self._used_at >= self._terms.idle


def _repeat(says: int) -> None:
    """Log what a check has said: of a process that is gone the journal knows no unit."""
    with suppress(BlockingIOError):  # it said nothing, and something it started lives
        sys.stderr.write(os.read(says, _LONGEST_SAID).decode(errors="replace"))
        sys.stderr.flush()
    os.close(says)


def _adopt_orphans() -> None:
    """Become the parent of whatever a PAM module starts and does not wait for (prctl(2))."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_all_but(kept: set[int]) -> None:
    """Kill the children that are no check, and theirs, which are ours then."""
    while others := _children() - kept:
        for pid in others:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _children() -> set[int]:
    return {int(one) for one in _CHILDREN.read_text().split()}


def _judge_and_end(connection: socket.socket, terms: Terms) -> NoReturn:
    """Answer one question, in a process that ends with it."""
    try:
        if asked := _question(connection, terms.service):
            answer = terms.judge(asked.name, asked.password)
            connection.sendall(pam_socket.written({"ok": answer}))
    except Exception:  # the top of a process
        log.exception("a question was not answered")
    finally:
        os._exit(0)  # nothing of the parent's is undone here


def _question(connection: socket.socket, service: str) -> Question | None:
    connection.settimeout(_READ_SECONDS)
    try:
        return pam_socket.question(pam_socket.read_line(connection), service)
    except (OSError, ValueError) as error:
        log.warning("a question cannot be read: %s", error)
        return None
