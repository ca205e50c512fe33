"""Tells browsers and clients what happens to sessions, while it happens.

Invariant: ids grow, over restarts too, so that `Last-Event-ID` never points past the present.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from weakref import WeakKeyDictionary

from control_plane.domain.entities import Event, Session
from control_plane.errors import TooManyError

MOST_OF_ONE = 256  # streams of one person: a class that shares an account, not a flood
_KEPT = 500
_UNREAD = 200
_LATER = 30


class EventHub:
    """A bounded memory of what was told, and the queues of those who listen."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], datetime]) -> None:
        """Continue the ids of an earlier process: they start at the time in microseconds."""
        self._loop = loop
        self._clock = clock
        self._latest = time.time_ns() // 1000
        self._forgotten = self._latest
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        # Weak: a stream that is broken off before its first word tells nobody of its end.
        self._listeners: WeakKeyDictionary[asyncio.Queue[Event | None], str] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._is_closed = False

    def tell(self, session: Session, message: str, by: str = "") -> Event:
        """Tell everyone who listens; safe from any thread, never blocks."""
        with self._lock:
            self._latest += 1
            at = self._clock()
            event = Event(self._latest, session.id, session.owner, session.state, message, at, by)
            if len(self._kept) == _KEPT:
                self._forgotten = self._kept[0].id
            self._kept.append(event)
        self._loop.call_soon_threadsafe(self._hand_out, event)
        return event

    def since(self, event_id: int | None) -> list[Event] | None:
        """Return what was told after that id; None when that is not known any more."""
        with self._lock:
            if event_id is None or not self._forgotten <= event_id <= self._latest:
                return None
            return [event for event in self._kept if event.id > event_id]

    def latest(self) -> int:
        """Return the id of what was told last."""
        return self._latest

    def subscribe(self, who: str) -> asyncio.Queue[Event | None]:
        """Return a queue that gets what is told from now on; None means that it ends.

        TooManyError where `who` listens too often already.
        """
        if sum(one == who for one in self._listeners.values()) >= MOST_OF_ONE:
            raise TooManyError(
                f"{MOST_OF_ONE} of your pages and programs listen already.",
                _LATER,
                "Close some of them.",
            )
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_UNREAD)
        if self._is_closed:
            queue.put_nowait(None)
        else:
            self._listeners[queue] = who
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Event | None]) -> None:
        """Forget a queue."""
        self._listeners.pop(queue, None)

    def close(self) -> None:
        """End every stream, and each that begins from now on: none holds a shutdown back.

        Safe from a signal's handler, which may interrupt somebody who subscribes or waits.
        """
        self._is_closed = True
        self._loop.call_soon_threadsafe(self._end_all)

    def _end_all(self) -> None:
        for queue in list(self._listeners):
            self._end(queue)

    def _hand_out(self, event: Event) -> None:
        for queue in list(self._listeners):
            if queue.full():
                self._end(queue)
            else:
                queue.put_nowait(event)

    def _end(self, queue: asyncio.Queue[Event | None]) -> None:
        self._listeners.pop(queue, None)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
