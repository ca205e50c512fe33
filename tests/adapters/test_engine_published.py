"""Containers that are reached at ports which the engine publishes."""

import secrets
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO
from stack.conftest import until

from control_plane.adapters.docker_inside import DockerInside
from control_plane.adapters.docker_place import EnginePlace
from control_plane.adapters.engine import DockerEngine
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.labels import RUN
from control_plane.errors import StartError

HERE = "127.0.0.1"


@pytest.fixture
def engine(images: None, tmp_path: Path) -> Iterator[DockerEngine]:
    del images
    realm, place = f"test-{secrets.token_hex(4)}", EnginePlace(published_on=HERE)
    with (
        closing(DockerEngine(realm, place, directory=tmp_path / "identities")) as made,
        closing(DockerInside(realm)) as inside,
    ):
        try:
            made.session_range()  # which makes the networks
            yield made
        finally:
            inside.sweep()


def free_port() -> int:
    with socket.create_server((HERE, 0)) as one:
        return int(one.getsockname()[1])


def spec(engine: DockerEngine, port: int) -> ContainerSpec:
    session_id = secrets.token_hex(16)
    return ContainerSpec(
        name=f"remoteapp-{engine.realm}-{session_id}",
        image=HELLO,
        command=(),
        environment={
            "JPY_USER": "alice",
            "JPY_BASE_USER_URL": "/user/alice",
            "URL_ID": session_id,
            "HOME": "/home/alice",
            "USER": "alice",
        },
        labels={RUN + "realm": engine.realm, RUN + "url_id": session_id},
        uid=20001,
        gid=20002,
        gids=(),
        login="alice",
        home_directory="/home/alice",
        as_root=False,
        own_directory=False,
        home=None,
        volumes=(),
        network="internet",
        address=HERE,
        port=8888,
        published_port=port,
        memory=128 * 1024**2,
        cpus=0.5,
        pids=64,
        read_only=False,
        open_files=1024,
        disk=0,
    )


def answers(wanted: ContainerSpec) -> bool:
    path = f"/user/alice/containers/{wanted.environment['URL_ID']}/"
    url = f"http://{HERE}:{wanted.published_port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def found(engine: DockerEngine) -> tuple[str, int]:
    (one,) = engine.containers()
    return one.address, one.port


def test_sessions_differ_by_their_ports_alone(engine: DockerEngine) -> None:
    assert engine.session_range() == HERE
    assert [engine.range_of("internet"), engine.range_of("none")] == [HERE, HERE]


def test_a_container_is_reached_at_its_port_and_listed_with_it(engine: DockerEngine) -> None:
    wanted = spec(engine, free_port())
    container = engine.run(wanted)
    until(lambda: answers(wanted))
    assert found(engine) == (HERE, wanted.published_port)
    engine.remove(container)
    assert not answers(wanted)


def test_what_is_cut_off_is_reached_no_more_until_it_is_connected_again(
    engine: DockerEngine,
) -> None:
    wanted = spec(engine, free_port())
    container = engine.run(wanted)
    until(lambda: answers(wanted))
    engine.detach(container)
    assert (found(engine), answers(wanted)) == (("", 0), False)
    engine.attach(container, "internet", HERE)
    assert found(engine) == (HERE, wanted.published_port)
    until(lambda: answers(wanted))


def test_a_port_that_something_else_has_is_told_and_nothing_is_left(engine: DockerEngine) -> None:
    with socket.create_server((HERE, 0)) as taken:
        wanted = spec(engine, int(taken.getsockname()[1]))
        with pytest.raises(StartError, match="address already in use"):
            engine.run(wanted)
    assert list(engine.containers()) == []


def test_nobody_else_reaches_the_port(engine: DockerEngine) -> None:
    wanted = spec(engine, free_port())
    engine.run(wanted)
    until(lambda: answers(wanted))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks for this machine's own address
        mine = probe.getsockname()[0]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((mine, wanted.published_port), timeout=5)


def test_a_closed_network_publishes_nothing(engine: DockerEngine) -> None:
    wanted = replace(spec(engine, free_port()), network="none")
    engine.run(wanted)
    assert found(engine) == ("", 0)
