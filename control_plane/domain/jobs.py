"""Long work and what people are told of it, as the use cases see both."""

from asyncio import Queue
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from control_plane.domain.entities import Event, Session

T = TypeVar("T")


class Outcome(Enum):
    """How a wait ended."""

    CAME = "came"
    ENDED = "ended"
    TIMED_OUT = "timed out"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Answer:
    """Wait until the application answers 2xx on its ready path, or its container ends."""

    container_id: str
    address: str
    port: int
    path: str
    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """Wait until the container ends."""

    container_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class After:
    """Wait until other work is done, however it ended."""

    work: Future[Any]


Wait = Answer | End | After
Job = Generator[Wait, Outcome, None]


class Jobs(Protocol):
    """Long work: one job a session at a time, steps on a bounded executor, waits on none."""

    def submit(self, session_id: str, job: Job) -> Future[None]:
        """Run a job after the one under way for that session, which is interrupted."""

    def aside(self, work: Callable[[], T]) -> Future[T]:
        """Run something that may take a second beside the jobs, a few at a time."""

    def busy(self, session_id: str) -> bool:
        """Whether a job is under way or waiting for that session."""

    def ended(self, container_id: str) -> None:
        """Tell the waits that a container has ended."""

    def close(self) -> None:
        """Let the steps under way finish; what waits is continued by the next process."""


class Events(Protocol):
    """What people are told while it happens."""

    def tell(self, session: Session, message: str, by: str = "") -> Event:
        """Tell everyone who listens; safe from any thread. `by`: the administrator who says it."""

    def since(self, event_id: int | None) -> Sequence[Event] | None:
        """Return what was told after that id; None when that is not known any more."""

    def latest(self) -> int:
        """Return the id of what was told last."""

    def subscribe(self, who: str) -> Queue[Event | None]:
        """Return a queue that gets what is told from now on; None means that it ends.

        TooManyError where `who` listens too often already.
        """

    def unsubscribe(self, queue: Queue[Event | None]) -> None:
        """Forget a queue."""

    def close(self) -> None:
        """End every stream."""
