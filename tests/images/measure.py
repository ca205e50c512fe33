"""Print the table of images/README.md: size, start and memory of each image, on this machine.

`python tests/images/measure.py`, the images built and the machine otherwise idle. A start lasts
from asking the engine for the container until the ready path answers 2xx (median of RUNS); memory
is what `docker stats` calls usage, 5 s later, nobody connected.
"""

import statistics
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker

sys.path.insert(0, str(Path(__file__).parents[1]))
from images.conftest import READY, started

RUNS = 15
MB = 1e6


def main() -> None:
    """Measure each image and print one row of it."""
    with closing(docker.from_env()) as engine:
        base = engine.images.get("remoteapp/debian").attrs["Size"]
        sys.stdout.write(
            "| image | size, of it its own | start to ready | memory |\n|---|---|---|---|\n"
        )
        for name in READY:
            row(engine, name, base)


def row(engine: Any, name: str, base: int) -> None:
    """Print one image's row."""
    size = engine.images.get(f"remoteapp/{name}").attrs["Size"]
    starts = [start_once(engine, name) for _ in range(RUNS)]
    seconds = statistics.median(lasted for lasted, _ in starts)
    memory = start_once(engine, name, settle=5)[1]
    cells = (
        f"`{name}`",
        f"{size / MB:.0f} MB, {(size - base) / MB:.0f} MB",
        f"{seconds:.2f} s",
        f"{memory / MB:.0f} MB",
    )
    sys.stdout.write(f"| {' | '.join(cells)} |\n")


def start_once(engine: Any, name: str, settle: float = 0) -> tuple[float, int]:
    """Return the seconds until it was ready, and the bytes used `settle` seconds later."""
    bridge = SimpleNamespace(client=engine, name="bridge")
    with started(bridge) as start:
        begin = time.monotonic()
        running = start(name)
        lasted = time.monotonic() - begin
        time.sleep(settle)
        usage = running.container.stats(stream=False)["memory_stats"]
    files = usage["stats"]
    return lasted, usage["usage"] - files.get("total_inactive_file", files.get("inactive_file", 0))


if __name__ == "__main__":
    main()
