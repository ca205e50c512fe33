"""Checks of images in processes of their own, by programs that say what the real one might."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from adapters.fakes_engine import hello

from control_plane.adapters.image_checks import Bounds, ProcessChecks
from control_plane.domain.entities import Application
from control_plane.domain.image_checks import Check, Point, Report
from control_plane.errors import ConflictError

IMAGE = hello()
APPLICATION = Application("a" * 32, IMAGE.name, port=80, environment={"KEY": "secret"})
TELLS = """
import json, os, sys
fields = json.load(sys.stdin)
seen = f"{sys.argv[1:]} {fields['environment']} {os.environ['TMPDIR']}"
points = [{"name": "start", "result": "pass", "seen": seen, "todo": ""}]
print(json.dumps({"image": sys.argv[1], "kind": "older", "points": points}))
sys.exit(1)
"""
WAITS = "import time; time.sleep(60)"
STAYS = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"

PATIENT = Bounds(30)

Checks = Callable[..., ProcessChecks]


@pytest.fixture
def checks(tmp_path: Path) -> Iterator[Checks]:
    """Return who makes what checks by a program in Python."""
    made: list[ProcessChecks] = []

    def make(program: str, bounds: Bounds = PATIENT) -> ProcessChecks:
        command: Sequence[str] = (sys.executable, "-ISc", program)
        one = ProcessChecks(tmp_path / "files", 1, lambda: datetime.now(UTC), command, bounds)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def ended(checks: ProcessChecks) -> Check:
    """Wait for the end of the check."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = checks.last(IMAGE.id)
        assert found
        if not found.under_way:
            return found
        time.sleep(0.01)
    pytest.fail("it does not end")


def test_the_fields_reach_the_check_and_its_report_is_kept(checks: Checks, tmp_path: Path) -> None:
    one = checks(TELLS)
    assert one.last(IMAGE.id) is None
    begun = one.begin(IMAGE, APPLICATION)
    assert (begun.under_way, begun.application) == (True, APPLICATION)
    words = [IMAGE.name, "--json", "--fields", "-"]
    seen = f"{words} {dict(APPLICATION.environment)} {tmp_path / 'files'}"
    report = Report(IMAGE.name, "older", (Point("start", "pass", seen),))
    assert ended(one).report == report
    assert one.last("sha256:another") is None


def test_one_image_is_checked_at_a_time(checks: Checks) -> None:
    one = checks(WAITS)
    one.begin(IMAGE, APPLICATION)
    with pytest.raises(ConflictError, match=f"{IMAGE.name} is being checked"):
        one.begin(IMAGE, APPLICATION)
    one.close()
    assert ended(one).report is None
    assert one.begin(IMAGE, APPLICATION).under_way


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("print('no JSON')", "What the check said cannot be read."),
        ("print('{}')", "What the check said cannot be read."),
        ("pass", "It ended without a word."),
        ("import sys; sys.exit('control-plane: It is away.')", "It is away."),
    ],
)
def test_a_check_that_fails_says_why(checks: Checks, program: str, problem: str) -> None:
    one = checks(program)
    one.begin(IMAGE, APPLICATION)
    found = ended(one)
    assert (found.report, found.problem) == (None, problem)


@pytest.mark.parametrize("program", [WAITS, STAYS])
def test_a_check_without_end_is_ended(checks: Checks, program: str) -> None:
    one = checks(program, Bounds(0.5, 0.2))
    one.begin(IMAGE, APPLICATION)
    assert ended(one).problem == "It was broken off, for it took more than 0 s."


def test_a_program_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    one = ProcessChecks(tmp_path, 1, lambda: datetime.now(UTC), ("/nonexistent/program",))
    one.begin(IMAGE, APPLICATION)
    assert "No such file or directory" in ended(one).problem
