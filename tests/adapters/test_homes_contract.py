"""What the homes of virtual users do: the engine's volumes, and the fake that stands for them."""

import gzip
import io
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import door
import pytest
from adapters.fakes_engine import HELLO, FakeHomes

from control_plane.adapters.docker_api import REALM
from control_plane.adapters.docker_homes import DockerHomes
from control_plane.adapters.images_client import HomesClient
from control_plane.domain.ports import Homes
from control_plane.engine_door.rules import Rules
from control_plane.errors import ConflictError, EngineUnavailableError, UnavailableError

CONTENT = {"workspace/notes": b"a line\n", "workspace/.hidden/deep": bytes(3 * 1024**2)}


@dataclass
class House:
    """Homes, one of which is there with something in it."""

    homes: Homes
    volume: str
    use: Callable[[], object]


@pytest.fixture(params=["fake", "docker", "door"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    if request.param == "fake":
        fake = FakeHomes({"home": _archive()})
        yield House(fake, "home", lambda: fake.used.add("home"))
        return
    real: Real = request.getfixturevalue("real")
    if request.param == "docker":
        yield House(real.homes, real.volume, real.use)
        return
    with door.opened(Rules(real.realm)) as socket:
        yield House(HomesClient(socket), real.volume, real.use)


@dataclass
class Real:
    """A realm's home in the engine."""

    homes: DockerHomes
    api: docker.DockerClient
    realm: str
    volume: str

    def use(self) -> Any:
        """Have a container on the home."""
        mount = docker.types.Mount("/workspace", self.volume, type="volume")
        labels = {REALM: self.realm}
        return self.api.containers.create(HELLO, mounts=[mount], labels=labels)

    def containers(self) -> list[Any]:
        return list(
            self.api.containers.list(
                all=True, filters={"label": f"{REALM}={self.realm}"}, ignore_removed=True
            )
        )


@pytest.fixture
def real(images: None) -> Iterator[Real]:
    del images
    realm = f"test-{secrets.token_hex(4)}"
    with ExitStack() as undo:
        api = undo.enter_context(closing(docker.from_env()))
        homes = undo.enter_context(closing(DockerHomes(realm)))
        made = Real(homes, api, realm, f"remoteapp-{realm}-home-70000")
        undo.callback(_clean, made)
        api.volumes.create(made.volume, labels={REALM: realm})
        holder = made.use()
        holder.put_archive("/", gzip.decompress(_archive()))
        holder.remove()
        yield made


def test_a_home_is_archived_whole_for_its_owner_alone(house: House, tmp_path: Path) -> None:
    path = tmp_path / "new" / "home.tar.gz"
    assert house.homes.archive(house.volume, path) is True
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
    with tarfile.open(path) as tar:
        files = {one.name: (tar.extractfile(one), one.uid) for one in tar if one.isreg()}
        assert {name: file.read() for name, (file, _) in files.items() if file} == CONTENT
        assert {uid for _, uid in files.values()} == {70000}
    assert house.homes.exists(house.volume)


def test_a_home_is_removed_and_once_more_is_no_error(house: House, tmp_path: Path) -> None:
    house.homes.remove(house.volume)
    assert house.homes.exists(house.volume) is False
    house.homes.remove(house.volume)
    assert house.homes.archive(house.volume, tmp_path / "x") is False
    assert list(tmp_path.iterdir()) == []


def test_a_home_in_use_is_archived_and_not_removed(house: House, tmp_path: Path) -> None:
    house.use()
    assert house.homes.archive(house.volume, tmp_path / "home.tar.gz") is True
    with pytest.raises(ConflictError, match="in use"):
        house.homes.remove(house.volume)
    assert house.homes.exists(house.volume)


def test_no_holder_is_left_and_one_that_was_left_is_in_nobodys_way(
    real: Real, tmp_path: Path
) -> None:
    def left_behind() -> None:
        real.use().rename(f"{real.volume}-archiving")

    left_behind()
    assert real.homes.archive(real.volume, tmp_path / "home.tar.gz") is True
    assert real.containers() == []
    left_behind()
    real.homes.remove(real.volume)
    assert real.containers() == []


def test_no_image_leads_an_archive_astray(real: Real, tmp_path: Path) -> None:
    text = b"FROM remoteapp/hello\nRUN ln -s /tmp /workspace\n"
    real.api.images.build(fileobj=io.BytesIO(text), tag="remoteapp-test/astray", rm=True)
    path = tmp_path / "home.tar.gz"
    try:
        assert real.homes.archive(real.volume, path) is True  # by the newest image there is
    finally:
        real.api.images.remove("remoteapp-test/astray", force=True)
    with tarfile.open(path) as tar:
        assert {one.name for one in tar if one.isreg()} == set(CONTENT)


def test_a_volume_without_this_realms_label_is_never_touched(real: Real, tmp_path: Path) -> None:
    for labels in ({}, {REALM: f"{real.realm}-other"}):
        other = real.api.volumes.create(f"{real.volume}-other", labels=labels)
        try:
            for call in (
                real.homes.exists,
                lambda name: real.homes.archive(name, tmp_path / "x"),
                real.homes.remove,
            ):
                with pytest.raises(ConflictError, match="does not bear the label"):
                    call(other.name)
            assert real.api.volumes.get(other.name)
        finally:
            other.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_leaves_nothing_half_written(real: Real, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(small)], check=True)
    try:
        path = small / "home.tar.gz"
        path.write_bytes(b"earlier")
        with pytest.raises(UnavailableError, match="No space left"):
            real.homes.archive(real.volume, path)
        assert {one.name: one.read_bytes() for one in small.iterdir()} == {path.name: b"earlier"}
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert real.containers() == []


def test_an_engine_that_is_away_says_so(tmp_path: Path) -> None:
    homes = DockerHomes("test", "unix:///nowhere.sock")
    for call in (
        lambda: homes.exists("x"),
        lambda: homes.archive("x", tmp_path / "x"),
        lambda: homes.remove("x"),
    ):
        with pytest.raises(EngineUnavailableError):
            call()


def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in CONTENT.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid = len(content), 70000
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _clean(made: Real) -> None:
    for container in made.containers():
        container.remove(force=True)
    for volume in made.api.volumes.list(filters={"label": f"{REALM}={made.realm}"}):
        volume.remove()
