"""The machine below an installation, as far as it is the same everywhere."""

from pathlib import Path

import pytest
from doctor.installations import Place

from control_plane.adapters import machine
from control_plane.adapters.disk import LEAST_BYTES
from control_plane.adapters.machine import Room
from control_plane.doctor.findings import Finding
from control_plane.doctor.host import of_room

GIB = 1024**3
STATE = Path("/var/lib/remoteapp")
REMEDY = f"du -xh --max-depth=2 {STATE} | sort -h | tail; docker image prune"


@pytest.mark.parametrize(
    ("room", "finding"),
    [
        (Room(1, 9 * GIB, 20 * GIB, 0.5), Finding("ok", "9216 MiB of 20480 MiB are left for")),
        (
            Room(1, GIB // 2, 20 * GIB, 0.5),
            Finding(
                "warning", "The disk is nearly full: 512 MiB of 20480 MiB are left for", REMEDY
            ),
        ),
        (
            Room(1, LEAST_BYTES - 1, 20 * GIB, 0.5),
            Finding("failed", "The disk is full: 63 MiB of 20480 MiB are left for", REMEDY),
        ),
        (
            Room(1, 9 * GIB, 20 * GIB, 0.001),
            Finding("failed", "The disk is full: 9216 MiB of 20480 MiB are left for", REMEDY),
        ),
    ],
)
def test_a_disk_is_full_before_it_is(room: Room, finding: Finding) -> None:
    found = of_room(["state", "log"], room, STATE)
    assert (found.status, found.todo) == (finding.status, finding.todo)
    files = ", and 0.1% of its files" if room.files < 0.01 else ""
    assert found.found == f"{finding.found} state, log ({STATE}){files}."


def test_every_place_that_is_written_to_is_looked_at_once_a_file_system(place: Place) -> None:
    told = "".join(one.found for one in place.look("disk"))
    assert [told.count(word) for word in ("state", "backups", "log")] == [1, 1, 1]


def test_room_is_that_of_the_first_directory_that_is_there(tmp_path: Path) -> None:
    there, above = machine.room(tmp_path / "not" / "there"), machine.room(tmp_path)
    assert (there.device, there.whole) == (above.device, above.whole)
    assert 0 < there.free <= there.whole


def test_one_more_session_has_to_fit_into_the_memory(place: Place) -> None:
    place.keys = {"limits": {"memory": 16 * 1024**2}}
    assert place.one("memory").status == "ok"
    place.keys = {"limits": {"memory": machine.memory()["MemTotal"]}}
    found = place.one("memory")
    assert found.status == "warning"
    assert "control-plane sessions stop --all" in found.todo


@pytest.mark.usefixtures("engine_up")
def test_a_clock_that_agrees_with_the_engines_never_fails(place: Place) -> None:
    assert place.one("clock").status in ("ok", "warning")
    assert machine.is_clock_synchronised() == (place.one("clock").status == "ok")
