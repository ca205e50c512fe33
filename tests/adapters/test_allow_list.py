"""The file of those who may sign in."""

import logging
import os
from pathlib import Path

import pytest

from control_plane.adapters.allow_list import AllowList
from control_plane.errors import UnavailableError


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "allowed"
    made.write_text("# the lab\nAlice\n  bob@example.org  # since May\n\n#charlie\n")
    return made


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def test_the_names_of_the_file_are_let_in_and_nobody_else(path: Path) -> None:
    admits = AllowList(path)
    assert [name for name in ("alice", "ALICE", "bob@example.org") if not admits(name)] == []
    assert [name for name in ("charlie", "the lab", "#charlie", "", "#") if admits(name)] == []
    admits.check()


def test_a_change_counts_a_second_later(path: Path, seconds: Seconds) -> None:
    admits = AllowList(path, seconds)
    path.write_text("charlie\n")
    seconds.now = 0.9
    assert (admits("alice"), admits("charlie")) == (True, False)
    seconds.now = 1.0
    assert (admits("alice"), admits("charlie")) == (False, True)


def test_a_file_that_is_replaced_by_one_of_the_same_age_and_size_counts(
    path: Path, seconds: Seconds
) -> None:
    admits = AllowList(path, seconds)
    found, fresh = path.stat(), path.with_name("fresh")
    fresh.write_text(path.read_text().replace("Alice", "Carol"))
    os.utime(fresh, ns=(found.st_atime_ns, found.st_mtime_ns))
    fresh.replace(path)
    seconds.now = 1.0
    assert (admits("alice"), admits("carol")) == (False, True)


@pytest.mark.parametrize("content", ["", "\n", "# nobody\n", "\xff"])
def test_an_empty_or_broken_file_lets_no_one_in_and_says_so(path: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    admits = AllowList(path)
    assert not admits("alice")
    assert not admits("")
    with pytest.raises(UnavailableError, match="lets no one in"):
        admits.check()


def test_a_file_that_goes_lets_no_one_in_until_it_is_back(
    path: Path, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    admits, content = AllowList(path, seconds), path.read_text()
    path.unlink()
    for seconds.now in (1.0, 2.0):
        assert not admits("alice")
    assert [one.levelno for one in caplog.records] == [logging.WARNING]
    with pytest.raises(UnavailableError, match="No such file"):
        admits.check()
    path.write_text(content)
    seconds.now = 3.0
    assert admits("alice")
    admits.check()
