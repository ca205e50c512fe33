"""What a benchmark finds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: a name, what is aimed at, what came out, and what it was made of."""

    name: str
    reach: str
    value: str
    source: str


def ratio(name: str, reach: str, ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Return the ratio of two medians, in seconds."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Figure(name, reach, f"{mine / other:.2f}", f"{mine:.3f} s : {other:.3f} s")


def p95(found: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(found, n=20)[-1]
