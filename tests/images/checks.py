"""`control-plane image check` as people run it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from control_plane.trial.places import CLONE

COMMAND = (str(Path(sys.executable).parent / "control-plane"), "image", "check")
DESKTOP = ("websocket", "resize", "clipboard", "application")


def built(name: str) -> str:
    """Build an image of tests/images and return its name; what is there stays."""
    build, folder = CLONE / "images" / "build", CLONE / "tests" / "images" / name
    subprocess.run([sys.executable, str(build), str(folder)], check=True)
    return f"remoteapp-test/{name}"


def checked(*words: str) -> dict[str, dict[str, str]]:
    """Check an image and return the points of the report by their names."""
    answer = subprocess.run(
        [*COMMAND, *words, "--json"], capture_output=True, text=True, check=False
    )
    report: dict[str, Any] = json.loads(answer.stdout)
    points = {one.pop("name"): one for one in report["points"]}
    failed = any(one["result"] == "fail" for one in points.values())
    assert (answer.returncode, answer.stderr) == (1 if failed else 0, "")
    return points


def failures(*words: str) -> dict[str, str]:
    """Check an image and return what was seen of each point that it fails."""
    points = checked(*words)
    return {name: one["seen"] for name, one in points.items() if one["result"] == "fail"}


def aside(points: dict[str, dict[str, str]]) -> list[str]:
    """Return the points that were not applicable; all others have to be kept."""
    assert {one["result"] for one in points.values()} <= {"pass", "not applicable"}, points
    return [name for name, one in points.items() if one["result"] == "not applicable"]
