"""A look into a container ends, whatever the container does meanwhile."""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing

import docker
import pytest
from adapters.fakes_engine import HELLO

from control_plane.adapters.docker_inside import DockerInside

PATIENCE = 5.0


@pytest.fixture(scope="module")
def inside(images: None) -> Iterator[DockerInside]:
    del images
    with closing(DockerInside(secrets.token_hex(4), patience=PATIENCE)) as found:
        yield found


@pytest.fixture(scope="module")
def container(images: None) -> Iterator[str]:
    """A container that does nothing."""
    del images
    with closing(docker.APIClient()) as api:
        made = api.create_container(HELLO, ["600"], entrypoint="sleep")["Id"]
        try:
            api.start(made)
            yield made
        finally:
            api.remove_container(made, force=True)


@pytest.mark.parametrize(
    ("command", "succeeds"), [("true", True), ("false", False), ("/no/such/program", None)]
)
def test_a_command_succeeds_fails_or_is_not_there(
    inside: DockerInside, container: str, command: str, *, succeeds: bool | None
) -> None:
    assert inside.run(container, [command], "20001:20001") is succeeds


def test_a_command_that_prints_for_ever_did_not_succeed(
    inside: DockerInside, container: str
) -> None:
    begun = time.monotonic()
    assert inside.run(container, ["yes"], "20001:20001") is False
    assert time.monotonic() - begun >= PATIENCE


def test_the_owner_of_a_file_is_told_without_reading_it(
    inside: DockerInside, container: str
) -> None:
    # A terabyte, of which nothing is on the disk.
    assert inside.run(container, ["truncate", "-s", "1T", "/tmp/large"], "3000000:20002")
    assert inside.owner(container, "/tmp/large") == (3_000_000, 20002)
    assert inside.owner(container, "/tmp/missing") is None
