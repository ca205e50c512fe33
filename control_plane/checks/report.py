"""What a check has to say: one point for each promise of the image contract.

Invariant: a report holds every point of NAMES once, in their order.
"""

from collections.abc import Iterable

from control_plane.domain.image_checks import Point, Report
from control_plane.domain.labels import Kind
from control_plane.domain.names import shown

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
    "application",
    "user",
    "workspace",
    "listeners",
    "capabilities",
    "read-only",
    "sigterm",
    "resources",
)


def passed(name: str, seen: str) -> Point:
    """Return a promise that is kept."""
    return Point(name, "pass", seen)


def broken(name: str, seen: str, todo: str) -> Point:
    """Return a promise that is not kept."""
    return Point(name, "fail", seen, todo)


def beside_the_point(name: str, seen: str) -> Point:
    """Return a promise that this image need not keep, or that nothing in it can show."""
    return Point(name, "not applicable", seen)


def unreached(name: str, why: str) -> Point:
    """Return a promise that was not looked at, because one before it is broken."""
    return Point(name, "not looked at", why)


def last_words(output: str) -> str:
    """Return the end of an output as a sentence that follows another."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f" Its last words: {shown(lines[-1], 200)}" if lines else " It said nothing."


def complete(image: str, kind: Kind, points: Iterable[Point], why: str) -> Report:
    """Return the report; the points that lack were not looked at, and `why` is the sentence."""
    found = {one.name: one for one in points}
    left = {name: unreached(name, why) for name in NAMES if name not in found}
    return Report(image, kind, tuple((found | left)[name] for name in NAMES))
