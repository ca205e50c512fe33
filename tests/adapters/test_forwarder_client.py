"""A forwarder that hangs, or says what nobody understands, is one that is away."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from forwarder.running import now

from control_plane.adapters.forwarder_client import ForwarderClient
from control_plane.errors import ForwarderUnavailableError


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """Answer one connection's first line so."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer_one() -> None:
            one, _ = server.accept()
            with one:
                one.recv(65536)
                one.sendall(answer)
                one.recv(1)  # until the client hangs up

        thread = threading.Thread(target=answer_one)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"nonsense\n", b"[]\n", b'{"error": "what?"}\n', b'{"watching": [{}]}\n', b"{}\n"],
    ids=["nothing", "half", "no JSON", "a list", "an error", "no watcher", "nobody"],
)
def test_it_says_that_the_forwarder_is_away(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "control.sock"
    client = ForwarderClient(path, now, seconds=0.2)
    begun = time.monotonic()
    with answering(path, answer):
        with pytest.raises(ForwarderUnavailableError, match="The forwarder does not answer"):
            client.watching()
        client.close()
    assert time.monotonic() - begun < 2
