"""Two realms on one engine, an engine that goes away, applications that end by themselves."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import httpx
import portal as portals
from portal import HELLO, RunningPortal
from stack.conftest import Realm, until

ENGINE = "/var/run/docker.sock"


def test_two_realms_on_one_engine_never_see_count_or_stop_each_others_containers(
    portal: RunningPortal, realm: Realm, engine_api: docker.DockerClient
) -> None:
    ours = portal.start("alice")
    with portals.running() as other:
        theirs = other.start("alice")
        there = Realm(other, engine_api)
        assert set(realm.containers()) == {ours["id"]}
        assert set(there.containers()) == {theirs["id"]}
        assert other.api("alice").get("/api/v1/sessions").json()["total"] == 1
        assert other.api("alice").delete(f"/api/v1/sessions/{ours['id']}").status_code == 404
        assert other.client("alice").get(_theirs(other, ours)).status_code == 404
        other.portal.kill_control_plane()
        until(lambda: other.portal.control_plane_pid is None)
        other.mend()
    assert portal.api("alice").get(ours["url"]).status_code == 200


def test_a_container_that_ends_by_itself_is_noticed_within_two_seconds(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    api = portal.api("alice")
    realm.containers()[session["id"]].kill("SIGKILL")
    path = f"/api/v1/sessions/{session['id']}"
    until(lambda: api.get(path).json()["state"] == "failed", 2)
    assert "137" in api.get(path).json()["failure"]["message"]
    until(realm.holds_only)


def test_an_engine_that_goes_away_is_said_and_all_goes_on_when_it_is_back(
    images: None, tmp_path: Path, engine_api: docker.DockerClient
) -> None:
    del images, tmp_path
    with (
        engine_that_comes_and_goes() as engine,
        portals.running(settings={"engine": {"host": f"unix://{engine.path}"}}) as live,
    ):
        realm = Realm(live, engine_api)
        api = live.api("alice")
        session = live.start("alice")
        engine.go()
        body = {"grant_id": live.grants["alice", HELLO], "replace": True}
        refused = api.post("/api/v1/sessions", json=body)
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert refused.json()["type"] == "urn:remoteapp:engine-unavailable"
        ready = api.get("/readyz")
        assert ready.status_code == 503
        assert "does not answer" in ready.json()["checks"]["engine"]
        assert api.get(session["url"]).status_code == 200
        stopping = api.delete(f"/api/v1/sessions/{session['id']}")
        assert stopping.status_code == 503
        engine.come()
        until(realm.holds_only, 30)
        until(lambda: api.get("/api/v1/sessions").json()["items"] == [], 30)
        again = live.start("alice")
        realm.containers()[again["id"]].kill("SIGKILL")
        path = f"/api/v1/sessions/{again['id']}"
        until(lambda: api.get(path).json()["state"] == "failed", 4)


def test_a_control_plane_whose_engine_is_away_still_signs_people_in(
    portal: RunningPortal, realm: Realm
) -> None:
    with (
        engine_that_comes_and_goes() as engine,
        portals.running(settings={"engine": {"host": f"unix://{engine.path}"}}) as live,
    ):
        engine.go()
        live.portal.kill_control_plane()
        until(lambda: live.portal.control_plane_pid is None)
        live.portal.start_control_plane()
        until(lambda: _status(live.guest(), "/healthz") == httpx.codes.OK)
        assert live.client("alice").get("/api/v1/me").json()["name"] == "alice"
        assert live.client("alice").get("/api/v1/applications").status_code == 503
        engine.come()
        live.portal.wait_until_ready()
    del portal, realm


class Engine:
    """A socket in front of the engine's that can refuse."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[socket.socket] = []
        self._listener = self._listen()

    def go(self) -> None:
        """Cut every connection, and refuse new ones."""
        self._shut(self._listener)
        self.path.unlink()
        for one in self._open:
            self._shut(one)

    def come(self) -> None:
        """Answer again."""
        self._listener = self._listen()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        self.path.chmod(0o666)
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(ENGINE)
            self._open += [client, engine]
            for one, other in ((client, engine), (engine, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        self._shut(other)

    @staticmethod
    def _shut(one: socket.socket) -> None:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def engine_that_comes_and_goes() -> Iterator[Engine]:
    """Give the engine behind a socket of our own."""
    path = Path(f"/run/remoteapp-test-engine-{os.getpid()}.sock")
    path.unlink(missing_ok=True)
    engine = Engine(path)
    try:
        yield engine
    finally:
        if path.exists():
            engine.go()


def _theirs(portal: RunningPortal, session: dict[str, str]) -> str:
    """Return where a session of another portal would be in this one."""
    return f"{portal.home(session['id'])}/user/alice/containers/{session['id']}/"


def _status(client: httpx.Client, path: str) -> int:
    try:
        return client.get(path, timeout=2).status_code
    except httpx.TransportError:
        return 0
