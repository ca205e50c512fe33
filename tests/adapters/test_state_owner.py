"""Root acts as the account that decides what a path leads to."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from apart import apart

from control_plane.adapters.state_owner import acting_as_caller, acting_as_owner, owner

NOBODYS = 61234  # an uid without an account


@pytest.fixture
def state() -> Iterator[Path]:
    """The directory of somebody who is not root, below one of root's."""
    with tempfile.TemporaryDirectory(prefix="state-owner-") as place:
        Path(place).chmod(0o755)
        made = Path(place) / "state"
        made.mkdir(mode=0o700)
        os.chown(made, NOBODYS, NOBODYS)
        yield made


def test_the_first_on_the_way_who_is_not_root_decides(state: Path) -> None:
    (state / "roots").mkdir()
    assert [owner(state / name) for name in ("file", "roots/file", "gone/file")] == [NOBODYS] * 3
    assert [owner(one) for one in (state, Path("/etc/shadow"), Path("/gone/file"))] == [0, 0, 0]


def test_a_link_of_roots_leads_to_whoever_decides_there(state: Path) -> None:
    link = state.parent / "link"
    link.symlink_to(state)
    assert owner(link / "file") == NOBODYS


@apart
def test_root_reaches_no_further_than_the_owner_and_is_root_again(state: Path) -> None:
    victim, before = state.parent / "victim", (os.geteuid(), os.getegid(), os.getgroups())
    victim.write_text("root's")
    victim.chmod(0o600)
    (state / "link").symlink_to(victim)
    with acting_as_owner(state / "link"):
        with pytest.raises(PermissionError):
            (state / "link").read_text()
        (state / "made").touch()
        with acting_as_caller():
            assert victim.read_text() == "root's"
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (NOBODYS, NOBODYS, [])
    assert (state / "made").stat().st_uid == NOBODYS
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@apart
def test_an_error_makes_root_of_root_again_too(state: Path) -> None:
    with pytest.raises(FileNotFoundError), acting_as_owner(state / "file"):
        (state / "file").read_text()
    assert os.geteuid() == 0


def test_what_is_roots_alone_is_opened_as_root(tmp_path: Path) -> None:
    with acting_as_owner(tmp_path / "file"), acting_as_caller():
        assert os.geteuid() == 0
