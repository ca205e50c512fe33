"""The spool belongs to a process that is not trusted: nothing in it is followed or waited for."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.adapters.nginx_spool import Taken, take
from control_plane.errors import GatewayError

MINE = os.geteuid()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    made = tmp_path / "precious"
    made.mkdir()
    (made / "file").write_text("kept")
    return made


def test_the_candidate_is_taken_out(spool: Path) -> None:
    (spool / "candidate").write_bytes(b"lines")
    assert take(spool, MINE) == Taken(b"lines", ())
    assert take(spool, MINE) == Taken(None, ())


def test_an_interrupted_runs_candidate_is_taken_unless_there_is_a_newer_one(spool: Path) -> None:
    (spool / "taken").write_bytes(b"old")
    assert take(spool, MINE) == Taken(b"old", ())
    (spool / "taken").write_bytes(b"old")
    (spool / "candidate").write_bytes(b"new")
    assert take(spool, MINE) == Taken(b"new", ())
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize("name", ["candidate", "taken", "other", "-rf", "a\nb"])
def test_whatever_else_lies_there_is_removed_and_named(
    spool: Path, precious: Path, name: str
) -> None:
    def directory() -> None:
        (spool / name / "deep" / "deeper").mkdir(parents=True)
        (spool / name / "deep" / "link").symlink_to(precious)

    def bound() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(spool / name))

    makers: list[Callable[[], object]] = [
        directory,
        bound,
        lambda: (spool / name).symlink_to(precious),
        lambda: (spool / name).symlink_to(precious / "file"),
        lambda: (spool / name).symlink_to("nowhere"),
        lambda: os.mkfifo(spool / name),
    ]
    for make in makers:
        make()
        taken = take(spool, MINE)
        assert taken.content is None
        assert len(taken.junk) == 1
        assert list(spool.iterdir()) == []
    assert (precious / "file").read_text() == "kept"


def test_a_file_over_the_bound_is_not_read(spool: Path) -> None:
    (spool / "candidate").write_bytes(b"")
    os.truncate(spool / "candidate", 5 << 20)
    assert take(spool, MINE) == Taken(None, ("candidate: more than 4194304 bytes",))


def test_junk_does_not_hide_the_candidate(spool: Path) -> None:
    (spool / "junk").mkdir()
    (spool / "taken").mkdir()
    (spool / "candidate").write_bytes(b"lines")
    taken = take(spool, MINE)
    assert taken.content == b"lines"
    assert sorted(taken.junk) == ["'junk': not a candidate", "'taken': not a candidate"]


def test_somebody_elses_file_is_not_read_even_by_a_hard_link(spool: Path) -> None:
    (spool / "candidate").write_bytes(b"secret")
    os.chown(spool / "candidate", 4321, -1)
    taken = take(spool, MINE)
    assert taken.content is None
    assert "secret" not in str(taken.junk)


def test_a_directory_of_somebody_else_is_left_alone(spool: Path, tmp_path: Path) -> None:
    (spool / "file").write_text("kept")
    with pytest.raises(GatewayError, match="does not belong to uid 4321"):
        take(spool, 4321)
    (tmp_path / "link").symlink_to(spool)
    with pytest.raises(GatewayError):
        take(tmp_path / "link", MINE)
    with pytest.raises(GatewayError):
        take(tmp_path / "missing", MINE)
    assert (spool / "file").read_text() == "kept"
