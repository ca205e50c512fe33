"""Print the table of images/README.md: size, start and memory of each image, on this machine.

`python tests/images/measure.py [NAME]...`, by default all that the engine has, the machine
otherwise idle. A start lasts from asking the engine for the container until the ready path answers
2xx (median of RUNS); memory is what `docker stats` calls usage, 5 s later, nobody connected. Of
what is no application there is only the size.
"""

import statistics
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker

sys.path.insert(0, str(Path(__file__).parents[1]))
from images.conftest import started

RUNS = 15
MB = 1e6
LABEL = "eu.simphony-project.docker."


def main() -> None:
    """Measure each image and print one row of it."""
    with closing(docker.from_env()) as engine:
        base = engine.images.get("remoteapp/debian").attrs["Size"]
        sys.stdout.write(
            "| image | size, of it its own | start to ready | memory |\n|---|---|---|---|\n"
        )
        for name in sys.argv[1:] or names(engine):
            row(engine, name, base)


def names(engine: Any) -> list[str]:
    """Return the names of the images that the engine has, the smallest first."""
    found = engine.images.list(filters={"reference": "remoteapp/*:latest"})
    tags = [tag for one in sorted(found, key=lambda one: one.attrs["Size"]) for tag in one.tags]
    latest = (tag for tag in tags if tag.startswith("remoteapp/") and tag.endswith(":latest"))
    return [tag.removeprefix("remoteapp/").removesuffix(":latest") for tag in latest]


def row(engine: Any, name: str, base: int) -> None:
    """Print one image's row."""
    image = engine.images.get(f"remoteapp/{name}")
    size = image.attrs["Size"]
    cells = [f"`{name}`", f"{size / MB:.0f} MB, {(size - base) / MB:.0f} MB", "", ""]
    if f"{LABEL}ui_name" in image.labels:
        ready = "/" + image.labels.get(f"{LABEL}ready-path", "")
        starts = [start_once(engine, name, ready)[0] for _ in range(RUNS)]
        memory = start_once(engine, name, ready, settle=5)[1]
        cells[2:] = f"{statistics.median(starts):.2f} s", f"{memory / MB:.0f} MB"
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def start_once(engine: Any, name: str, ready: str, settle: float = 0) -> tuple[float, int]:
    """Return the seconds until it was ready, and the bytes used `settle` seconds later."""
    bridge = SimpleNamespace(client=engine, name="bridge")
    with started(bridge) as start:
        begin = time.monotonic()
        running = replace(start(name, ready=False), ready_path=ready)
        running.await_ready()
        lasted = time.monotonic() - begin
        time.sleep(settle)
        usage = running.container.stats(stream=False)["memory_stats"]
    files = usage["stats"]
    return lasted, usage["usage"] - files.get("total_inactive_file", files.get("inactive_file", 0))


if __name__ == "__main__":
    main()
