"""Where the engine's storage bounds what a container writes."""

from pathlib import Path

import pytest

from control_plane.adapters.docker_place import EnginePlace
from control_plane.adapters.docker_storage import can_bound

ROOT = "/var/lib/docker"
HERE, ELSEWHERE = EnginePlace(), EnginePlace("tcp://10.1.2.3:2376")
XFS = [["Backing Filesystem", "xfs"], ["Supports d_type", "true"]]
LINE = "{} 25 8:1 / {} rw,relatime shared:1 - xfs /dev/sda1 rw,attr2,inode64,{}\n"


def mounts(tmp_path: Path, **options: str) -> Path:
    """Write what proc(5) calls mountinfo: the file systems by their places."""
    file = tmp_path / "mountinfo"
    places = {"root": "/", "lib": "/var/lib", "docker": ROOT, "beside": "/var/lib/docker2"}
    rows = [LINE.format(number, places[name], said) for number, (name, said) in
            enumerate(options.items())]  # fmt: skip
    file.write_text("".join(rows))
    return file


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        ({"root": "noquota", "docker": "prjquota"}, True),
        ({"root": "pquota"}, True),
        ({"root": "prjquota", "lib": "noquota"}, False),
        ({"root": "noquota", "beside": "prjquota"}, False),
        ({"docker": "prjquota", "root": "noquota"}, True),
        ({"lib": "usrquota"}, False),
        ({}, False),
    ],
)
def test_overlay2_bounds_it_on_xfs_that_counts_projects(
    tmp_path: Path, options: dict[str, str], *, bounds: bool
) -> None:
    info = {"Driver": "overlay2", "DriverStatus": XFS, "DockerRootDir": ROOT}
    assert can_bound(HERE, info, mounts(tmp_path, **options)) is bounds


def test_what_cannot_be_known_counts_as_no(tmp_path: Path) -> None:
    file = mounts(tmp_path, root="prjquota")
    xfs = {"Driver": "overlay2", "DriverStatus": XFS, "DockerRootDir": ROOT}
    assert not can_bound(ELSEWHERE, xfs, file)
    ext4 = {**xfs, "DriverStatus": [["Backing Filesystem", "extfs"]]}
    assert not can_bound(HERE, ext4, file)
    assert not can_bound(HERE, {**xfs, "Driver": "vfs", "DriverStatus": None}, file)


@pytest.mark.parametrize("driver", ["btrfs", "zfs"])
def test_a_driver_with_a_file_system_a_container_bounds_it(driver: str, tmp_path: Path) -> None:
    info = {"Driver": driver, "DriverStatus": None, "DockerRootDir": ROOT}
    assert can_bound(HERE, info, mounts(tmp_path))
    assert can_bound(ELSEWHERE, info, mounts(tmp_path))
