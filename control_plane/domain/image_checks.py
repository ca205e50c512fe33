"""Images judged by the image contract, as the use cases see it.

Invariant: at most one image is checked at a time; what came of a check lasts as long as the
process.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from control_plane.domain.entities import Application, Image
from control_plane.domain.labels import Kind

Result = Literal["pass", "fail", "not applicable", "not looked at"]


@dataclass(frozen=True, slots=True)
class Point:
    """One promise: `seen` is a sentence on what was found, `todo` what to do about a fail."""

    name: str
    result: Result
    seen: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found out about one image."""

    image: str
    kind: Kind
    points: tuple[Point, ...]

    @property
    def failed(self) -> bool:
        """Whether any promise is broken."""
        return any(one.result == "fail" for one in self.points)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an image for an application: under way until it has ended.

    Then there is a report, or a `problem` says why there is none.
    """

    image: Image
    application: Application
    begun_at: datetime
    ended_at: datetime | None = None
    report: Report | None = None
    problem: str = ""

    @property
    def under_way(self) -> bool:
        """Whether it still runs."""
        return self.ended_at is None


class ImageChecks(Protocol):
    """Who boots images and judges them, one at a time and beside everything else."""

    def begin(self, image: Image, application: Application) -> Check:
        """Begin to check an image, served as the application says.

        ConflictError while another one is under way.
        """

    def last(self, image_id: str) -> Check | None:
        """Return the check of that image that is under way, or the last one of this process."""

    def close(self) -> None:
        """End what is under way, in order."""
