"""The engine's door for tests: the real application and engine on a socket of their own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from control_plane.adapters.pam_host import PamHost
from control_plane.engine_door import serving
from control_plane.engine_door.app import create
from control_plane.engine_door.rules import Rules


@contextmanager
def opened(rules: Rules, people: PamHost | None = None) -> Iterator[Path]:
    """Serve in a thread until the end; yield the socket. `people` stand for the host's."""
    with TemporaryDirectory(prefix="door-") as made, socket.socket(socket.AF_UNIX) as listener:
        path = Path(made) / "engine.sock"
        listener.bind(str(path))
        listener.listen(128)
        app = create(serving.door(rules, Path(made), people))
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield path
        finally:
            server.should_exit = True
            thread.join()
