"""What was used over time, ready to be drawn: bars of one height for all, the largest names first.

Invariant: whatever was used stands in a plot: what has no plot of its own is among the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from control_plane import usage
from control_plane.domain.entities import UsageRow
from control_plane.usage import By, Measure

HOUR = 3600
_MOST_BARS = 62
_MOST_PLOTS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """Hours in each step; an empty name is all the others'."""

    name: str
    hours: Sequence[float]

    @property
    def total(self) -> float:
        """The hours of all steps."""
        return sum(self.hours)


@dataclass(frozen=True, slots=True)
class Plots:
    """`days` are the first day of each step, `width` the days of one; `most` is the highest bar."""

    days: Sequence[date]
    width: int
    together: Series
    apart: Sequence[Series]

    @property
    def most(self) -> float:
        """The hours of the highest bar of the names."""
        return max((hours for one in self.apart for hours in one.hours), default=0.0)


def of(rows: Sequence[UsageRow], by: By, what: Measure, since: datetime, until: datetime) -> Plots:
    """Return the plots of a period of whole days (the last one may end earlier)."""
    days = -(-(until - since) // timedelta(days=1))
    width = -(-days // _MOST_BARS)
    begins = [since + timedelta(days=at) for at in range(0, days, width)]
    steps = [*begins[1:], until]
    whole = usage.over_time(rows, "user", what, since, steps)
    found = usage.over_time(rows, by, what, since, steps)
    together = _sum("", whole, len(steps))
    return Plots([one.date() for one in begins], width, together, _apart(found, len(steps)))


def _apart(found: Mapping[str, Sequence[float]], steps: int) -> Sequence[Series]:
    ordered = sorted(found, key=lambda name: (-sum(found[name]), name))
    # One name alone takes no more room than the others would.
    most = _MOST_PLOTS + (len(ordered) == _MOST_PLOTS + 1)
    shown = [_sum(name, {name: found[name]}, steps) for name in ordered[:most]]
    left = {name: found[name] for name in ordered[most:]}
    return [*shown, _sum("", left, steps)] if left else shown


def _sum(name: str, found: Mapping[str, Sequence[float]], steps: int) -> Series:
    return Series(name, [sum(one[at] for one in found.values()) / HOUR for at in range(steps)])
