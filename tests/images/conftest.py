"""Containers started as the portal starts them, on a network of the tests' own, gone afterwards."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import httpx
import pytest
from docker.types import LogConfig
from playwright.sync_api import Browser, BrowserContext, Page
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

UID = 20001
SESSION = "0123456789abcdef0123456789abcdef"
BASE = f"/user/alice%40lab/containers/{SESSION}"
READY = {"hello": "/", "base-vnc": "/", "terminal": "/", "jupyter": "/api"}
ENVIRONMENT = {
    "JPY_USER": "alice@lab",
    "JPY_BASE_USER_URL": "/user/alice%40lab",
    "URL_ID": SESSION,
    "USER": "user",
    "USER_UID": str(UID),
    "USER_GID": str(UID),
    "USER_GIDS": str(UID),
    "HOME": "/workspace",
}


@dataclass(frozen=True)
class Running:
    """A container of an image, and how to ask it things."""

    container: Any
    address: str
    ready_path: str

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for a path of the session, or for any with BASE left out by `whole`."""
        return self.ask("GET", BASE + path, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask for any path of the container."""
        return httpx.request(method, f"http://{self.address}:8888{path}", timeout=10, **options)

    def websocket(self, path: str, *subprotocols: str, **options: Any) -> ClientConnection:
        """Open a WebSocket below the session path."""
        wanted = [Subprotocol(name) for name in subprotocols] or None
        url = f"ws://{self.address}:8888{BASE}{path}"
        opened: ClientConnection = connect(
            url, subprotocols=wanted, compression=None, proxy=None, **options
        )
        return opened

    def run(self, *words: str, **options: Any) -> str:
        """Return what a command in the container prints."""
        status, output = self.container.exec_run(list(words), **options)
        assert status == 0, output
        return str(output.decode())

    def log(self) -> str:
        """Return what the container has printed."""
        return str(self.container.logs().decode())

    def loopback(self) -> str:
        """Return the host and port on loopback."""
        ports = self.container.attrs["NetworkSettings"]["Ports"]
        return f"127.0.0.1:{ports['8888/tcp'][0]['HostPort']}"

    def await_ready(self) -> None:
        """Wait until the ready path answers 2xx."""
        until(self._answers_2xx, 20, "it is not ready")

    def _answers_2xx(self) -> bool:
        try:
            return self.get(self.ready_path).is_success
        except httpx.TransportError:
            return False


Start = Callable[..., Running]
NewPage = Callable[..., Page]


def until(true: Callable[[], object], seconds: float = 10, why: str = "") -> None:
    """Wait for something to come to pass."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why or "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def network(images: None) -> Iterator[Any]:  # noqa: ARG001 - they have to be
    """A network without traffic between its containers, as the portal's."""
    with closing(docker.from_env()) as engine:
        name = f"remoteapp-images-{secrets.token_hex(4)}"
        options = {"com.docker.network.bridge.enable_icc": "false"}
        made = engine.networks.create(name, driver="bridge", options=options)
        yield made
        made.remove()


@contextmanager
def started(network: Any) -> Iterator[Start]:
    """What starts images as the portal does, and removes their containers in the end."""
    containers: list[Any] = []

    def start(
        name: str,
        *,
        ready: bool = True,
        on_loopback: bool = False,
        home: str = "",
        security: tuple[str, ...] = (),
        **environment: str,
    ) -> Running:
        container = network.client.containers.create(
            name if "/" in name else f"remoteapp/{name}",
            user=f"{UID}:{UID}",
            environment=ENVIRONMENT | environment,
            working_dir="/workspace",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges", *security],
            init=True,
            mem_limit="1g",
            pids_limit=512,
            tmpfs={"/workspace": f"uid={UID},gid={UID},mode=0700,nosuid,nodev,{home or 'rw'}"},
            network=network.name,
            ports={"8888/tcp": ("127.0.0.1", None)} if on_loopback else {},
            log_config=LogConfig(type="json-file"),
        )
        containers.append(container)
        container.start()
        container.reload()
        address = container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
        running = Running(container, address, READY.get(name, "/"))
        if ready:
            running.await_ready()
        return running

    try:
        yield start
    finally:
        for container in containers:
            container.remove(force=True, v=True)


@pytest.fixture
def start(network: Any) -> Iterator[Start]:
    """Start an image for one test; `ready=False` does not wait for it.

    `on_loopback=True` serves it there too: browsers call that a secure context. `home` is a mount
    option of its home (`size=1m`), `security` more of the engine's security options.
    """
    with started(network) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def start_shared(network: Any) -> Iterator[Start]:
    """Start an image for all tests of a module that only look at it."""
    with started(network) as start_one:
        yield start_one


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Open a page in a context of its own, closed before the next test's container has its address.

    A desktop's page would come back by itself, to whatever is there.
    """
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()
