"""What of the host may be mounted, on a real file system."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.adapters.folders import HostFolders
from control_plane.domain.entities import Volume
from control_plane.errors import InvalidError


@pytest.fixture
def root() -> Iterator[Path]:
    """A root whose every directory above is root's alone."""
    with tempfile.TemporaryDirectory(dir="/srv") as made:
        path = Path(made)
        path.chmod(0o755)
        yield path


@pytest.fixture
def folders(root: Path) -> HostFolders:
    return HostFolders([root], [root / "state"])


def directory(path: Path, mode: int = 0o755, uid: int = 0) -> Path:
    path.mkdir()
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def resolved(folders: HostFolders, source: Path | str) -> str:
    return folders.resolved(Volume(str(source), "/data", "ro")).source


def why_not(folders: HostFolders, source: Path | str) -> str:
    with pytest.raises(InvalidError) as caught:
        resolved(folders, source)
    (error,) = caught.value.errors
    assert error.field == "volumes"
    return error.message


def test_a_directory_or_a_file_under_a_root_may_be_mounted(
    folders: HostFolders, root: Path
) -> None:
    data = directory(root / "data")
    (data / "file").touch()
    assert resolved(folders, data) == str(data)
    assert resolved(folders, data / "file") == str(data / "file")
    assert resolved(HostFolders([root], []), root) == str(root)


def test_the_source_itself_may_belong_to_anyone(folders: HostFolders, root: Path) -> None:
    data = directory(root / "data", 0o777, uid=12345)
    assert resolved(folders, data) == str(data)


def test_a_directory_on_the_way_that_somebody_can_write_to_is_refused(
    folders: HostFolders, root: Path
) -> None:
    theirs = directory(root / "theirs", uid=12345)
    shared = directory(root / "shared", 0o775)
    sticky = directory(root / "sticky", 0o1777)
    for way in (theirs, shared, sticky):
        source = directory(way / "data")
        assert f"lies in {way}, which must be root's" in why_not(folders, source)


def test_links_are_followed_before_anything_is_judged(
    folders: HostFolders, root: Path, tmp_path: Path
) -> None:
    data = directory(root / "data")
    (root / "link").symlink_to(data)
    (root / "way-out").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    assert resolved(folders, root / "link") == str(data)
    assert "does not lie under one of [volumes] roots" in why_not(folders, root / "way-out")
    assert "cannot be looked at" in why_not(folders, root / "circle")


def test_a_link_that_somebody_else_could_lead_elsewhere_is_refused(
    folders: HostFolders, root: Path
) -> None:
    data, theirs = directory(root / "data"), directory(root / "theirs", 0o1777)
    (theirs / "link").symlink_to(data)
    (theirs / "deep").symlink_to("../data")
    (root / "round").symlink_to("theirs/../data")
    (root / "twice").symlink_to(theirs / "link")
    (root / "near").symlink_to("data/../data")
    for source in (theirs / "link", theirs / "deep", root / "round", root / "twice"):
        assert f"lies in {theirs}, which must be root's" in why_not(folders, source)
    assert resolved(folders, root / "near") == str(data)


def test_a_missing_source_is_refused_and_never_made(folders: HostFolders, root: Path) -> None:
    assert "No such file or directory" in why_not(folders, root / "nothing")
    assert not (root / "nothing").exists()


def test_without_a_root_nothing_may_be_mounted(root: Path) -> None:
    assert "none is set" in why_not(HostFolders([], []), root)


def test_our_own_state_and_what_holds_it_are_refused(folders: HostFolders, root: Path) -> None:
    state = directory(root / "state")
    inside = directory(state / "routes")
    for source in (state, inside, root):
        assert "would open" in why_not(folders, source)


@pytest.mark.parametrize(
    "source", ["/", "/etc", "/etc/ssl", "/run", "/proc", "/dev", "/var/lib", "/var/lib/docker"]
)
def test_what_gives_away_the_host_is_refused_even_under_a_root(source: str) -> None:
    everything = HostFolders([Path("/")], [])
    assert "would open" in why_not(everything, source)


def test_a_socket_is_refused(folders: HostFolders, root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(root / "engine.sock"))
        message = why_not(folders, root / "engine.sock")
    assert "is neither a directory nor a file" in message
