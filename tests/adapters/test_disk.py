"""Whether the state can still be written."""

import re
from pathlib import Path

import pytest

from control_plane.adapters.disk import StateDisk
from control_plane.errors import StoreUnavailableError


def test_a_directory_with_room_is_fine_and_left_as_it_was(tmp_path: Path) -> None:
    StateDisk(tmp_path, least=1).check()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_with_too_little_room_is_full_by_that_name(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as raised:
        StateDisk(tmp_path, least=2**60).check()
    said = rf"The disk is full: \d+ MiB are left below {tmp_path}, at least \d+ MiB are needed\."
    assert re.fullmatch(said, raised.value.message)
    assert raised.value.hint == "Make room; control-plane doctor --only disk says where."


@pytest.mark.parametrize("place", ["/proc", "/nonexistent"])
def test_what_cannot_be_written_is_told_of(place: str) -> None:
    with pytest.raises(StoreUnavailableError, match=f"{place} cannot be written"):
        StateDisk(Path(place), least=0).check()
