"""What a look into a home tells: through a container, and by the fake that stands for it."""

import io
import os
import pwd
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker
import door
import pytest
from adapters.fakes_engine import HELLO, FakeEngine, FakeFiles

from control_plane.adapters.docker_api import REALM
from control_plane.adapters.docker_files import MOST_ENTRIES, DockerFiles
from control_plane.adapters.engine import DockerEngine
from control_plane.adapters.engine_client import FilesClient
from control_plane.adapters.pam_host import PamHost
from control_plane.domain.containers import HomeMount
from control_plane.domain.entities import Person
from control_plane.domain.files import Found, Listing, Look
from control_plane.domain.labels import RUN
from control_plane.domain.ports import HomeFiles
from control_plane.engine_door.rules import Rules
from control_plane.errors import (
    ConflictError,
    EngineUnavailableError,
    NotFoundError,
    UnavailableError,
)

ALICE = Person("alice", 20001, 20002, (20003,), "home-of-alice", home_is_volume=True)
REALM_NAME = f"test-{secrets.token_hex(4)}"


@pytest.fixture
def home() -> Iterator[Path]:
    """A home on this machine that every account may enter."""
    with TemporaryDirectory(dir="/srv") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@dataclass
class ThroughDoor:
    """Looks as the control plane asks the engine's door for them: by an image's whole id."""

    client: FilesClient
    image: str

    def listed(self, asked: Look) -> Listing:
        person = replace(asked.person, gids=(), home=asked.home.source, home_is_volume=False)
        return self.client.listed(replace(asked, image=self.image, person=person))


@pytest.fixture(params=["fake", "docker", "door"])
def files(request: pytest.FixtureRequest, home: Path) -> Iterator[HomeFiles]:
    if request.param == "fake":
        yield FakeFiles(FakeEngine(), {str(home): home})
        return
    docker_files = request.getfixturevalue("docker_files")
    if request.param == "docker":
        yield docker_files
        return
    numbers = (ALICE.uid, ALICE.gid, "", str(home), "")
    people = PamHost("", look_up=lambda name: pwd.struct_passwd((name, "x", *numbers)))
    image = request.getfixturevalue("api").images.get(HELLO).id
    with door.opened(Rules(REALM_NAME), people) as socket:
        yield ThroughDoor(FilesClient(socket), image)


@pytest.fixture
def docker_files(images: None) -> Iterator[DockerFiles]:
    del images
    with closing(DockerFiles(REALM_NAME)) as made:
        yield made


@pytest.fixture
def api() -> Iterator[Any]:
    with closing(docker.from_env()) as client:
        yield client


def look(home: Path | str, path: str = "", image: str = HELLO) -> Look:
    mount = HomeMount(str(home), is_volume=isinstance(home, str))
    return Look("look-20001", image, ALICE, mount, path)


def containers(api: Any) -> list[Any]:
    label = {"label": f"{REALM}={REALM_NAME}"}
    return list(api.containers.list(all=True, filters=label))


def test_a_home_is_told_directories_first_and_hidden_things_not_at_all(
    files: HomeFiles, home: Path
) -> None:
    for name in ("Data", "src", ".cache"):
        (home / name).mkdir()
    for name in ("b.txt", "A.py", ".profile", "Data/run 1.csv"):
        (home / name).touch()
    os.mkfifo(home / "pipe")
    assert files.listed(look(home)) == Listing(
        "",
        (
            Found("Data", "directory"),
            Found("src", "directory"),
            Found("A.py", "file"),
            Found("b.txt", "file"),
            Found("pipe", "other"),
        ),
    )
    assert files.listed(look(home, "Data")) == Listing("Data", (Found("run 1.csv", "file"),))
    assert files.listed(look(home, "src")) == Listing("src", ())


def test_no_name_is_taken_for_anything_else(files: HomeFiles, home: Path) -> None:
    hostile = ["-n", "$(reboot)", "a\nfile\0"[:-1], "*", "é 😀", "'\"\\", "\x1b[31m", " x "]
    for name in hostile:
        (home / name).touch()
    (home / os.fsdecode(b"\xff.txt")).touch()
    (home / "* $(x)\n").mkdir()
    (home / "* $(x)\n" / "in").touch()
    found = {one.name: one for one in files.listed(look(home)).entries}
    assert set(found) == {*hostile, "\ufffd.txt", "* $(x)\n"}
    assert {one.kind for one in found.values()} == {"file", "directory"}
    unfit = {name for name, one in found.items() if not one.plain}
    assert unfit == {"a\nfile", "\x1b[31m", "\ufffd.txt", "* $(x)\n"}
    assert files.listed(look(home, "* $(x)\n")).entries == (Found("in", "file"),)


def test_links_are_followed_within_the_home_only(files: HomeFiles, home: Path) -> None:
    (home / "real").mkdir()
    (home / "real" / "file").touch()
    links = {"dir": "real", "file": "real/file", "up": "..", "etc": "/etc", "passwd": "/etc/passwd"}
    for name, target in {**links, "broken": "nowhere", "loop": "loop"}.items():
        (home / name).symlink_to(target)
    assert {one.name: one.kind for one in files.listed(look(home)).entries} == {
        "real": "directory",
        "dir": "directory",
        "file": "file",
        **dict.fromkeys(("up", "etc", "passwd", "broken", "loop"), "link"),
    }
    assert files.listed(look(home, "dir")).entries == (Found("file", "file"),)
    for out in ("up", "etc", "etc/ssl", "real/../.."):
        with pytest.raises(NotFoundError):
            files.listed(look(home, out))


def test_what_is_no_directory_is_said(files: HomeFiles, home: Path) -> None:
    (home / "file").touch()
    for path in ("nothing", "file", "-P", "$(id)"):
        with pytest.raises(NotFoundError):
            files.listed(look(home, path))


def test_a_directory_of_very_many_is_cut(files: HomeFiles, home: Path) -> None:
    for number in range(MOST_ENTRIES + 3):
        (home / f"{number:04}{'ü' * 100}").touch()
    found = files.listed(look(home))
    assert found.cut
    assert [one.name[:4] for one in found.entries] == [f"{one:04}" for one in range(MOST_ENTRIES)]
    assert all(one.plain for one in found.entries)


def test_a_home_that_was_never_used_is_empty_and_is_not_made(
    docker_files: DockerFiles, api: Any
) -> None:
    name = f"{REALM_NAME}-never"
    assert docker_files.listed(look(name)) == Listing("", ())
    with pytest.raises(NotFoundError):
        docker_files.listed(look(name, "data"))
    with pytest.raises(docker.errors.NotFound):
        api.volumes.get(name)


def test_a_home_of_somebody_else_with_the_same_uid_is_not_told(
    docker_files: DockerFiles, api: Any
) -> None:
    labels = {REALM: REALM_NAME, RUN + "user": "bob"}
    volume = api.volumes.create(f"{REALM_NAME}-bobs", labels=labels)
    (Path(volume.attrs["Mountpoint"]) / "secret").touch()
    assert docker_files.listed(look(volume.name)).entries == ()
    labels[RUN + "user"] = "alice"
    volume.remove()
    volume = api.volumes.create(f"{REALM_NAME}-bobs", labels=labels)
    (Path(volume.attrs["Mountpoint"]) / "mine").touch()
    Path(volume.attrs["Mountpoint"]).chmod(0o755)
    assert docker_files.listed(look(volume.name)).entries == (Found("mine", "file"),)
    volume.remove()


def test_what_the_user_may_not_read_is_not_told(docker_files: DockerFiles, home: Path) -> None:
    (home / "private").mkdir(mode=0o700)
    for path in ("private", "private/deep"):
        with pytest.raises(NotFoundError):
            docker_files.listed(look(home, path))


def test_an_image_without_a_shell_is_said(docker_files: DockerFiles, home: Path, api: Any) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    name = f"{REALM_NAME}/bare"
    api.api.import_image_from_data(archive.getvalue(), name)
    try:
        with pytest.raises(ConflictError, match="no shell"):
            docker_files.listed(look(home, image=name))
    finally:
        api.images.remove(name, force=True)  # a home may be in a holder of it just now
    assert containers(api) == []


def test_a_look_that_takes_too_long_is_given_up_and_leaves_nothing(
    images: None, home: Path, api: Any
) -> None:
    del images
    hasty = DockerFiles(REALM_NAME, seconds=0.001)
    with closing(hasty), pytest.raises(UnavailableError, match="took too long"):
        hasty.listed(look(home))
    assert containers(api) == []


def test_what_a_killed_process_left_is_known_to_the_engine_of_the_realm(
    docker_files: DockerFiles, home: Path
) -> None:
    with closing(DockerEngine(REALM_NAME)) as engine:
        with docker_files._container(look(home)):  # noqa: SLF001 - where a process may be killed
            (left,) = engine.containers()
            assert (left.labels[RUN + "url_id"], left.address) == ("look-20001", "")
        assert engine.containers() == []


def test_a_look_may_do_nothing_but_read(docker_files: DockerFiles, home: Path, api: Any) -> None:
    with docker_files._container(look(home)) as made:  # noqa: SLF001 - what the engine was told
        found = api.api.inspect_container(made)
    host = found["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (128 << 20, 128 << 20, 16)
    assert [(one["Destination"], one["RW"]) for one in found["Mounts"]] == [("/workspace", False)]
    assert found["Config"]["User"] == "20001:20002"


def test_an_engine_that_is_away_is_said(home: Path, tmp_path: Path) -> None:
    away = DockerFiles(REALM_NAME, f"unix://{tmp_path}/nothing")
    with closing(away), pytest.raises(EngineUnavailableError):
        away.listed(look(home))
