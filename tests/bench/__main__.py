"""`make bench`: ratios of one run, side by side, with the machine and the date; no pass or fail."""

import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import accounting, desktops, memory, pages, passing, provisioning, shares, starts
from bench.figures import Figure

from control_plane.trial import engine
from control_plane.trial.places import CLONE

RUNS = 15


@click.command()
@click.option("--runs", default=RUNS, show_default=True, help="Of each start; medians are shown.")
@click.option("--only", multiple=True, help="A figure's name.")
def main(runs: int, only: tuple[str, ...]) -> None:
    """Run the benchmarks and print a table."""
    logs = CLONE / "var" / "log"
    logs.mkdir(parents=True, exist_ok=True)
    with engine.provided(logs):
        found = [
            figure
            for name, measured in FIGURES.items()
            if not only or name in only
            for figure in _measured(name, measured, runs)
        ]
    _print(found)


FIGURES: dict[str, Callable[[int], Sequence[Figure]]] = {
    "start": starts.alone,
    "start slow application": starts.of_a_slow_application,
    "start beside a hanging stop": starts.beside_a_hanging_stop,
    "start twenty at once": starts.twenty_at_once,
    "login while slow images start": starts.login_while_starting,
    "desktop start": desktops.starts,
    "desktops": desktops.looked_at,
    "requests": passing.requests,
    "frames": passing.frames,
    "ten viewers": shares.of_one_desktop,
    "catalogue": accounting.catalogue,
    "first paint": pages.first_paint,
    "weight": pages.weight,
    "shifts": pages.shifts,
    "apply": accounting.declaration,
    "memory": memory.of_a_full_house,
    "site.yml": provisioning.of_a_host,
}


def _measured(
    name: str, measured: Callable[[int], Sequence[Figure]], runs: int
) -> Sequence[Figure]:
    click.echo(f"==> {name}", err=True)
    return measured(runs)


def _print(found: Sequence[Figure]) -> None:
    processor = f"{os.cpu_count()} CPUs, {platform.machine()}, Linux {platform.release()}"
    click.echo(f"\n{datetime.now(UTC):%Y-%m-%d}, {processor}\n")
    click.echo("| figure | reach | measured | from |")
    click.echo("|---|---|---|---|")
    for one in found:
        click.echo(f"| {one.name} | {one.reach} | {one.value} | {one.source} |")


if __name__ == "__main__":
    main()
