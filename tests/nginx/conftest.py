"""A real nginx with the product's own configuration, between stubs."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import trustme
from nginx.clients import Browser, Client
from nginx.stubs import Application, ControlPlane, application

from control_plane.adapters import nginx_host, nginx_site
from control_plane.adapters.gateway import FilesGateway
from control_plane.adapters.nginx_host import Pace, Places
from control_plane.adapters.nginx_site import NginxSite
from control_plane.adapters.nginx_status import Status

TEMPLATES = Path(__file__).parents[2] / "nginx"
RANGE = "127.213.0.0/20"
EAGER = Pace(interval=0.0, look_again=0.0)


@dataclass
class Stack:
    """nginx, the control plane behind it, and the way that routes take to it."""

    site: NginxSite
    plane: ControlPlane
    client: Client
    places: Places
    gateway: FilesGateway
    _nginx: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        config = nginx_site.write(TEMPLATES, self.site)
        self._nginx.append(subprocess.Popen([self.places.nginx, "-c", str(config)]))
        until = time.monotonic() + 5
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.client.port)).close()
            except ConnectionRefusedError:
                assert time.monotonic() < until, "nginx does not listen"
                time.sleep(0.01)

    def stop(self) -> None:
        while self._nginx:
            nginx = self._nginx.pop()
            nginx.terminate()
            nginx.wait(10)

    def kill(self) -> None:
        """As the kernel would: master and workers at once."""
        master = self._nginx.pop()
        children = subprocess.run(
            ["pgrep", "-P", str(master.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        for pid in [master.pid, *map(int, children)]:
            os.kill(pid, 9)
        master.wait(10)
        time.sleep(0.1)

    def install(self, pace: Pace = EAGER) -> Status:
        return nginx_host.install(self.places, IPv4Network(RANGE), os.geteuid(), pace)


def site_in(directory: Path, port: int = 8443) -> NginxSite:
    return NginxSite(
        directory=directory / "conf",
        public_url=f"https://localhost:{port}",
        server_names=("localhost",),
        listen=(f"127.0.0.1:{port}",),
        certificate=directory / "server.pem",
        certificate_key=directory / "server.pem",
        socket=directory / "control-plane.sock",
        forwarder_socket=directory / "forwarder.sock",
        cache=directory / "cache",
        session_range=RANGE,
        routes=directory / "conf" / "routes.conf",
        access_log=str(directory / "access.log"),
        error_log=str(directory / "error.log"),
        http2_directive=nginx_site.has_http2_directive(),
        pid=directory / "nginx.pid",
        temporary=directory / "temporary",
        worker_user="www-data" if os.geteuid() == 0 else "",
        worker_processes="2",
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def place(authority: trustme.CA) -> Iterator[Path]:
    """A directory that nginx's workers may enter, with a certificate."""
    directory = Path(tempfile.mkdtemp(prefix="remoteapp-nginx-"))
    directory.chmod(0o755)
    (directory / "temporary").mkdir()
    (directory / "one-shot").mkdir(mode=0o755)
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def resting(place: Path) -> Iterator[Stack]:
    """Everything but nginx, which a test starts with what it wants changed in `site`."""
    site = site_in(place, free_port())
    plane = ControlPlane(site.socket)
    plane.start()
    status = place / "one-shot" / "status.json"
    places = Places(
        spool=place / "routes" / "spool",
        installed=site.routes,
        status=status,
        pid=site.pid,
        config=site.directory / "nginx.conf",
    )
    gateway = FilesGateway(places.spool, status, RANGE)
    places.spool.mkdir(parents=True)
    client = Client(int(site.listen[0].rpartition(":")[2]), place / "ca.pem")
    made = Stack(site, plane, client, places, gateway)
    yield made
    made.stop()
    plane.die()


@pytest.fixture
def stack(resting: Stack) -> Stack:
    resting.start()
    return resting


@pytest.fixture
def limited(resting: Stack) -> Stack:
    resting.site = replace(resting.site, signin_rate="1r/m", hsts_seconds=600)
    resting.start()
    return resting


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


@pytest.fixture
def desktop() -> Iterator[Application]:
    with application("127.213.0.5", name="desktop") as made:
        yield made


@pytest.fixture
def notebook() -> Iterator[Application]:
    with application("127.213.0.6", name="notebook") as made:
        yield made
