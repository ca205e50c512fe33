"""What the running service sees of its machine and installation."""

import time
from collections.abc import Callable

from doctor.installations import Place

from control_plane.doctor.watching import Watch
from control_plane.domain.condition import Examined


def test_figures_are_the_machines_own(place: Place) -> None:
    figures = Watch(place.load(), place.places).figures()
    assert figures
    assert figures.cpus >= 1
    assert 0.0 <= figures.busy <= 1.0
    assert 0 < figures.memory.used < figures.memory.whole
    (disk,) = figures.disks  # the engine's place is not known before the first look
    assert disk.what == "data"
    assert 0 < disk.used <= disk.whole


def test_whoever_asks_first_waits_for_nothing_and_a_look_begins(place: Place) -> None:
    watch = Watch(place.load(), place.places)
    assert watch.examined() == Examined()
    until(lambda: watch.examined().at is not None)
    found = watch.examined()
    told = {one.check: one for one in found.notices}
    assert told["people"].todo == "remoteappdb user create NAME; remoteappdb user password NAME"
    assert told["people"].status == "warning"


def test_a_look_is_kept_for_a_while(place: Place) -> None:
    watch = Watch(place.load(), place.places)
    watch.look()
    found = watch.examined()
    assert found.at is not None
    place.remoteappdb("user create ann")
    assert watch.examined() is found


def test_an_engine_that_is_away_is_told_and_leaves_the_rest(place: Place) -> None:
    place.keys["engine"] = {"host": f"unix://{place.directory}/nowhere.sock"}
    watch = Watch(place.load(), place.places)
    watch.look()
    found = watch.examined()
    assert found.images is None
    assert [one.status for one in found.notices if one.check == "engine"] == ["failed"]
    assert "people" in {one.check for one in found.notices}


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)
