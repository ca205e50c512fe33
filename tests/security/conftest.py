"""One world for all tests of a file: what they make is made anew for every request."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from security.world import World, world_in


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A portal in memory with everybody in it."""
    place = tmp_path_factory.mktemp("world")
    with tempfile.TemporaryDirectory(dir="/srv") as root, world_in(place, Path(root)) as made:
        yield made
