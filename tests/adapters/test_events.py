"""The hub of events: who listens, and how often."""

import asyncio
import gc
from datetime import UTC, datetime

import pytest

from control_plane.adapters.events import MOST_OF_ONE, EventHub
from control_plane.errors import TooManyError


@pytest.fixture
def hub() -> EventHub:
    loop = asyncio.new_event_loop()
    loop.close()
    return EventHub(loop, lambda: datetime.now(UTC))


def test_nobody_listens_without_end_and_others_are_not_kept_out(hub: EventHub) -> None:
    queues = [hub.subscribe("alice") for _ in range(MOST_OF_ONE)]
    with pytest.raises(TooManyError):
        hub.subscribe("alice")
    assert hub.subscribe("bob")
    hub.unsubscribe(queues.pop())
    assert hub.subscribe("alice")


def test_a_stream_that_never_began_does_not_count(hub: EventHub) -> None:
    for _ in range(MOST_OF_ONE):
        hub.subscribe("alice")
    gc.collect()
    assert hub.subscribe("alice")
