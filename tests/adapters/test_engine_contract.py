"""What every engine does: the Docker engine, and the fake that stands for it in unit tests."""

import io
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker
import pytest
from adapters.fakes_engine import HELLO, FakeEngine

from control_plane.adapters.engine import DockerEngine
from control_plane.domain.containers import ContainerSpec, HomeMount
from control_plane.domain.labels import RUN
from control_plane.domain.ports import Engine
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError


@pytest.fixture(params=["fake", "docker"])
def realm_and_engine(request: pytest.FixtureRequest) -> Iterator[tuple[str, Engine]]:
    realm = f"test-{secrets.token_hex(4)}"
    if request.param == "fake":
        yield realm, FakeEngine()
        return
    request.getfixturevalue("images")
    yield from ((realm, engine) for engine in _docker_engine(realm))


@pytest.fixture
def realm(realm_and_engine: tuple[str, Engine]) -> str:
    return realm_and_engine[0]


@pytest.fixture
def engine(realm_and_engine: tuple[str, Engine]) -> Any:
    return realm_and_engine[1]


@pytest.fixture
def docker_engine(images: None) -> Iterator[DockerEngine]:
    del images
    yield from _docker_engine(f"test-{secrets.token_hex(4)}")


@pytest.fixture
def api() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as client:
        yield client


def spec(engine: Engine, realm: str, **changes: object) -> ContainerSpec:
    session_id = secrets.token_hex(16)
    network = engine.session_range().removesuffix("0/20")
    made = ContainerSpec(
        name=f"remoteapp-{realm}-{session_id}",
        image=HELLO,
        command=(),
        environment={
            "JPY_USER": "alice",
            "JPY_BASE_USER_URL": "/user/alice",
            "URL_ID": session_id,
            "HOME": "/home/alice",
            "USER": "alice",
        },
        labels={RUN + "realm": realm, RUN + "url_id": session_id},
        uid=20001,
        gid=20002,
        gids=(20003,),
        login="alice",
        home_directory="/home/alice",
        home=None,
        address=f"{network}9",
        memory=128 * 1024**2,
        cpus=0.5,
        pids=64,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def test_an_engine_that_is_there_checks_well(engine: Engine) -> None:
    engine.check()


def test_an_image_is_found_by_name_and_by_id(engine: Engine) -> None:
    image = engine.image(HELLO)
    assert image.name == HELLO
    assert engine.image(image.id).id == image.id
    assert engine.images()[HELLO].id == image.id
    assert image.labels["eu.simphony-project.docker.contract"] == "1"


def test_a_missing_image_is_named(engine: Engine, realm: str) -> None:
    with pytest.raises(ImageMissingError, match="no/such:image"):
        engine.image("no/such:image")
    with pytest.raises(ImageMissingError):
        engine.run(spec(engine, realm, image="no/such:image"))
    assert engine.containers() == []


def test_a_container_runs_is_listed_ends_and_is_removed(engine: Engine, realm: str) -> None:
    wanted = spec(engine, realm)
    container = engine.run(wanted)
    (found,) = engine.containers()
    assert (found.id, found.running, found.started) == (container, True, True)
    assert found.address == wanted.address
    assert dict(wanted.labels).items() <= dict(found.labels).items()
    engine.signal(container, "SIGTERM")
    _until(lambda: not engine.containers()[0].running)
    assert engine.exit_status(container) == 0
    engine.remove(container)
    assert engine.containers() == []


def test_what_is_gone_is_no_error(engine: Engine) -> None:
    engine.signal("f" * 64, "SIGTERM")
    engine.remove("f" * 64)
    assert engine.log("f" * 64, 10) == ""
    assert engine.exit_status("f" * 64) == 0


def test_the_end_of_a_container_is_told(engine: Any, realm: str) -> None:
    since = datetime.now(UTC)
    container = engine.run(spec(engine, realm))
    engine.signal(container, "SIGTERM")
    with closing(engine.ends(since)) as ends:
        assert next(ends) == container


def test_containers_of_another_realm_are_never_seen(docker_engine: DockerEngine) -> None:
    for other in _docker_engine(f"test-{secrets.token_hex(4)}"):
        other.run(spec(other, other.realm))
        assert docker_engine.containers() == []
        assert other.session_range() != docker_engine.session_range()


def test_a_container_has_the_limits_and_nothing_more(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    container = docker_engine.run(spec(docker_engine, docker_engine.realm))
    host = api.containers.get(container).attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 128 * 1024**2
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 64
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not host["PortBindings"]
    assert not host["Privileged"]
    assert host["GroupAdd"] == ["20003"]
    status = api.containers.get(container).exec_run("cat /proc/self/status").output.decode()
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status


def test_the_user_inside_is_known_by_name(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    container = docker_engine.run(spec(docker_engine, docker_engine.realm))
    inside = api.containers.get(container)
    assert inside.exec_run("id").output.decode().startswith("uid=20001(alice) gid=20002(alice)")
    assert b"20003" in inside.exec_run("id -G").output
    assert inside.exec_run(["sh", "-c", "touch $HOME/mine && stat -c %u $HOME"]).output == (
        b"20001\n"
    )


def test_a_volume_becomes_the_users_home_and_keeps_its_files(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    home = HomeMount(f"{docker_engine.realm}-home", is_volume=True)
    for turn in (1, 2):
        wanted = spec(docker_engine, docker_engine.realm, home=home, home_directory="/workspace")
        container = docker_engine.run(wanted)
        inside = api.containers.get(container)
        assert inside.exec_run("stat -c %u:%g:%a /workspace").output == b"20001:20002:700\n"
        assert inside.exec_run(["sh", "-c", "echo x >> /workspace/file"]).exit_code == 0
        assert inside.exec_run("cat /workspace/file").output == b"x\n" * turn
        docker_engine.remove(container)


def test_no_volume_is_left_of_an_image_that_declares_some(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    text = b"FROM remoteapp/hello\nVOLUME /data\n"
    image, _ = api.images.build(fileobj=io.BytesIO(text), tag="remoteapp-test/volume")
    before = {one.name for one in api.volumes.list()}
    try:
        wanted = spec(docker_engine, docker_engine.realm, image=image.id)
        docker_engine.remove(docker_engine.run(wanted))
        assert {one.name for one in api.volumes.list()} == before
    finally:
        api.images.remove("remoteapp-test/volume")


def test_a_directory_of_the_host_is_mounted_and_never_made(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    missing = HomeMount(str(tmp_path / "missing"), is_volume=False)
    with pytest.raises(StartError, match="missing"):
        docker_engine.run(spec(docker_engine, docker_engine.realm, home=missing))
    assert not (tmp_path / "missing").exists()
    assert docker_engine.containers() == []


def test_containers_do_not_reach_each_other(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    network = docker_engine.session_range().removesuffix("0/20")
    docker_engine.run(spec(docker_engine, docker_engine.realm, address=f"{network}20"))
    second = docker_engine.run(spec(docker_engine, docker_engine.realm, address=f"{network}21"))
    code = (
        "import socket; s = socket.socket(); s.settimeout(1); "
        f"print(s.connect_ex(('{network}20', 8888)))"
    )
    output = api.containers.get(second).exec_run(["python3", "-c", code]).output
    assert output.strip() != b"0"


def test_an_engine_that_is_away_says_so() -> None:
    engine = DockerEngine("test", "unix:///nowhere.sock")
    for call in (engine.check, engine.session_range, engine.images, engine.containers):
        with pytest.raises(EngineUnavailableError):
            call()


def _until(true: object, seconds: float = 15) -> None:
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def _docker_engine(realm: str) -> Iterator[DockerEngine]:
    with TemporaryDirectory() as directory:
        engine = DockerEngine(realm, directory=Path(directory))
        yield engine
        engine.close()
    with closing(docker.from_env()) as api:
        _clean(api, {"label": f"{RUN}realm={realm}"})


def _clean(api: docker.DockerClient, wanted: dict[str, str]) -> None:
    for container in api.containers.list(all=True, filters=wanted):
        container.remove(force=True, v=True)
    for network in api.networks.list(filters=wanted):
        network.remove()
    for volume in api.volumes.list(filters=wanted):
        volume.remove()
