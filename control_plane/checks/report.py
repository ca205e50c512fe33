"""What a check has to say: one point for each promise of the image contract.

Invariant: a report holds every point of NAMES once, in their order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from control_plane.domain.labels import Kind

Result = Literal["pass", "fail", "not applicable"]
NAMES = (
    "contract",
    "labels",
    "icon",
    "start",
    "port",
    "ready",
    "base-path",
    "websocket",
    "resize",
    "clipboard",
    "user",
    "workspace",
    "listeners",
    "capabilities",
    "sigterm",
    "resources",
)


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


def passed(name: str, seen: str) -> Point:
    """Return a promise that is kept."""
    return Point(name, "pass", seen)


def broken(name: str, seen: str, todo: str) -> Point:
    """Return a promise that is not kept."""
    return Point(name, "fail", seen, todo)


def beside_the_point(name: str, seen: str) -> Point:
    """Return a promise that this image need not keep, or that could not be looked at."""
    return Point(name, "not applicable", seen)


def complete(image: str, kind: Kind, points: Iterable[Point], why: str) -> Report:
    """Return the report; the points that lack were not looked at, for this reason."""
    found = {one.name: one for one in points}
    left = {name: beside_the_point(name, f"Not looked at: {why}") for name in NAMES}
    return Report(image, kind, tuple(found.get(name, left[name]) for name in NAMES))
