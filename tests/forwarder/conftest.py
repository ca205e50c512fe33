"""One forwarder for all of these tests; each starts with a table that lets nobody in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from forwarder.running import Desktop, Forwarding, desktop, forwarding


@pytest.fixture(scope="module")
def process() -> Iterator[Forwarding]:
    """The one process."""
    # A socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="remoteapp-forwarder-") as made,
        forwarding(Path(made)) as running,
    ):
        yield running


@pytest.fixture
def through(process: Forwarding) -> Forwarding:
    """The process with nobody in its table."""
    process.client.replace([])
    return process


@pytest.fixture
def alices() -> Iterator[Desktop]:
    """The desktop that is shared."""
    with desktop() as one:
        yield one
