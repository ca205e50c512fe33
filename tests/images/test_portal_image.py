"""images/portal: the whole portal in one container, as its compose file runs it on this engine."""

import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from images.conftest import until
from portal import HELLO, free_port
from websockets.sync.client import connect

from control_plane.adapters import certificates
from control_plane.trial import leftovers
from control_plane.trial.places import CLONE

FOLDER = CLONE / "images" / "portal"
SECONDS = 120
PASSWORD = "alice-has-a-long-password"
SETTINGS = "[limits]\ncpus = 0.5\n[auth]\nauto_create_users = false\n"


@dataclass(frozen=True)
class Contained:
    """A portal of the tests' own: its compose project, its address, its places on this host."""

    project: str
    realm: str
    port: int
    apps_port: int
    directory: Path
    engine: docker.DockerClient

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def configuration(self) -> Path:
        return self.directory / "configuration"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def container(self) -> Any:
        label = f"com.docker.compose.project={self.project}"
        (found,) = self.engine.containers.list(
            all=True, filters={"label": label}, ignore_removed=True
        )
        return found

    def compose(self, *words: str, line: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command that reads compose files, with ours and what a site adds."""
        files = (
            "--file",
            str(FOLDER / "compose.yaml"),
            "--file",
            str(self.directory / "more.yaml"),
        )
        return subprocess.run(
            [*compose(), "--project-name", self.project, *files, *words],
            input=line,
            env=os.environ | self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> Mapping[str, str]:
        return {
            "REMOTEAPP_PUBLIC_URL": self.url,
            "STATE_DIRECTORY": str(self.state),
            "CONFIGURATION_DIRECTORY": str(self.configuration),
        }

    def done(self, *words: str, line: str = "") -> str:
        """Run it and return what it prints."""
        answer = self.compose(*words, line=line)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    def inside(self, *words: str, line: str = "") -> str:
        """Run a command in the portal's container and return what it prints."""
        return self.done("exec", "-T", "portal", *words, line=line)

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.configuration / "tls" / "ca.pem")

    def client(self, **headers: str) -> httpx.Client:
        """Return a client that trusts the portal's authority alone."""
        return httpx.Client(
            base_url=self.url, verify=self.trust(), trust_env=False, timeout=60, headers=headers
        )

    def api(self, name: str, password: str) -> httpx.Client:
        """Return a client with a token of that person's."""
        with self.client() as guest:
            answer = guest.post("/api/v1/tokens", json={"name": "test"}, auth=(name, password))
        assert answer.status_code == 201, answer.text
        return self.client(Authorization=f"Bearer {answer.json()['token']}")

    def is_ready(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/readyz").status_code == 200
        except (httpx.TransportError, OSError):
            return False

    def wait_until_ready(self) -> None:
        until(self.is_ready, SECONDS, "the portal is not ready")


@dataclass(frozen=True)
class Desk:
    """A running hello of alice's, and a client with her token."""

    portal: Contained
    api: httpx.Client
    session: Mapping[str, Any]

    @property
    def container(self) -> Any:
        label = f"eu.simphony-project.docker.runinfo.url_id={self.session['id']}"
        (found,) = self.portal.engine.containers.list(filters={"label": label}, ignore_removed=True)
        return found

    def state(self) -> str:
        return str(self.api.get(f"/api/v1/sessions/{self.session['id']}").json()["state"])


def compose() -> list[str]:
    """Return the command that this machine has for compose files."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


@pytest.fixture(scope="module")
def image(images: None) -> None:  # noqa: ARG001 - the applications
    subprocess.run([sys.executable, str(CLONE / "images" / "build"), "portal"], check=True)


@pytest.fixture(scope="module")
def portal(image: None) -> Iterator[Contained]:  # noqa: ARG001 - it has to be
    """The portal, started; in the end nothing of it is left."""
    with ExitStack() as undo:
        directory = Path(tempfile.mkdtemp(prefix="remoteapp-contained-", dir="/var/tmp"))
        undo.callback(shutil.rmtree, directory)
        engine = undo.enter_context(closing(docker.from_env()))
        name = f"test-{secrets.token_hex(4)}"
        one = Contained(name, name, free_port(), free_port(), directory, engine)
        prepare(one)
        undo.callback(leftovers.sweep, one.realm, volumes=True)
        undo.callback(one.compose, "down", "--timeout", "30")
        one.done("up", "--detach")
        one.wait_until_ready()
        yield one


def prepare(one: Contained) -> None:
    """Lay down what an operator does: a settings file, and more variables of the container."""
    one.configuration.mkdir()
    (one.configuration / "settings.toml").write_text(SETTINGS)
    variables = {
        "REMOTEAPP_REALM": one.realm,
        "REMOTEAPP_APPS_PORT": str(one.apps_port),
        "PORTAL_LISTEN": f"127.0.0.1:{one.port}",
    }
    more = {"services": {"portal": {"environment": variables}}}
    (one.directory / "more.yaml").write_text(json.dumps(more))


@pytest.fixture(scope="module")
def desk(portal: Contained) -> Iterator[Desk]:
    """Alice and her hello, which runs."""
    portal.inside("remoteappdb", "app", "create", HELLO)
    portal.inside("remoteappdb", "user", "create", "alice")
    portal.inside("remoteappdb", "user", "password", "alice", "--stdin", line=PASSWORD)
    grant = portal.inside("remoteappdb", "app", "grant", HELLO, "alice", "--allow-home")
    with portal.api("alice", PASSWORD) as api:
        answer = api.post("/api/v1/sessions", json={"grant_id": grant})
        assert answer.status_code == 202, answer.text
        yield Desk(portal, api, ready(api, answer.json()["id"]))


def ready(api: httpx.Client, session: str) -> Mapping[str, Any]:
    deadline = time.monotonic() + SECONDS
    while (found := dict(api.get(f"/api/v1/sessions/{session}").json()))["state"] != "ready":
        assert found["state"] != "failed", found["failure"]
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_the_first_administrator_s_password_lies_in_a_file_and_in_no_log(portal: Contained) -> None:
    file = portal.configuration / "admin-password"
    assert file.stat().st_mode & 0o777 == 0o600
    password = file.read_text().strip()
    with portal.client(Origin=portal.url) as client:
        answer = client.post("/login", data={"name": "admin", "password": password})
        assert answer.status_code == 303, answer.text
        assert client.get("/api/v1/me").json()["admin"] is True
    log = portal.container.logs().decode()
    assert "The first administrator is admin" in log
    assert password not in log


def test_it_has_few_rights_and_works_as_accounts_that_are_not_root(portal: Contained) -> None:
    programs = portal.container.top(ps_args="-eo uid,pid,args")["Processes"]
    control_plane = [uid for uid, _, words in programs if words.endswith("control-plane serve")]
    workers = {uid for uid, _, words in programs if words == "nginx: worker process"}
    assert (control_plane, workers) == (["64990"], {"33"})  # remoteapp's and www-data's
    limits = portal.inside("cat", "/proc/1/status").splitlines()
    bounding = next(line.split()[1] for line in limits if line.startswith("CapBnd"))
    # CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, NET_BIND_SERVICE (linux/capability.h).
    assert int(bounding, 16) == sum(1 << number for number in (0, 1, 5, 6, 7, 10))
    assert "NoNewPrivs:\t1" in limits
    refused = portal.compose("exec", "-T", "portal", "touch", "/opt/remoteapp/one")
    assert "Read-only file system" in refused.stderr


def test_an_application_runs_and_answers_through_nginx(desk: Desk) -> None:
    page = desk.api.get(desk.session["url"])
    assert page.status_code == 200
    assert "Hello" in page.text
    assert desk.container.attrs["HostConfig"]["NanoCpus"] == 500_000_000  # as the settings say
    with desk.portal.client() as stranger:
        assert stranger.get(desk.session["url"]).status_code == 401


def test_a_websocket_reaches_the_application(desk: Desk) -> None:
    address = desk.session["url"].replace("https://", "wss://") + "ws"
    headers = {"Authorization": desk.api.headers["Authorization"]}
    trust = desk.portal.trust()
    with connect(address, ssl=trust, additional_headers=headers, proxy=None) as socket:
        socket.send("to and fro")
        assert socket.recv(timeout=10) == "to and fro"


def test_a_stop_leaves_sessions_running_and_the_next_start_takes_them_up(desk: Desk) -> None:
    before = desk.container.id
    started = desk.container.attrs["State"]["StartedAt"]
    desk.portal.done("stop")
    assert desk.portal.container.attrs["State"]["ExitCode"] == 0
    assert desk.container.attrs["State"]["StartedAt"] == started
    desk.portal.done("start")
    desk.portal.wait_until_ready()
    assert (desk.container.id, desk.state()) == (before, "ready")
    assert desk.api.get(desk.session["url"]).status_code == 200


def test_a_kill_leaves_sessions_running_too(desk: Desk) -> None:
    before = desk.container.id
    desk.portal.container.kill()
    until(lambda: desk.portal.container.status == "exited", 30)
    desk.portal.done("start")
    desk.portal.wait_until_ready()
    assert (desk.container.id, desk.state()) == (before, "ready")
    assert desk.api.get(desk.session["url"]).status_code == 200


def test_the_engine_learns_that_it_is_healthy(portal: Contained) -> None:
    until(lambda: portal.container.attrs["State"]["Health"]["Status"] == "healthy", SECONDS)
    (last, *_) = reversed(portal.container.attrs["State"]["Health"]["Log"])
    assert json.loads(last["Output"])["ready"] is True


def test_a_session_is_stopped_by_its_owner(desk: Desk) -> None:
    container = desk.container
    assert desk.api.delete(f"/api/v1/sessions/{desk.session['id']}").status_code == 204
    assert container.id not in {
        one.id for one in desk.portal.engine.containers.list(all=True, ignore_removed=True)
    }
    assert desk.api.get(desk.session["url"]).status_code == 404


def test_after_a_restart_of_the_host_sessions_are_ended_with_that_reason(desk: Desk) -> None:
    grant = {"grant_id": desk.session["grant_id"]}
    session = desk.api.post("/api/v1/sessions", json=grant).json()["id"]
    one = replace(desk, session=ready(desk.api, session))
    one.portal.done("stop")
    one.container.stop(timeout=0)
    # What a boot leaves: nothing runs, and the kernel has another number.
    (boot,) = one.portal.state.glob("boot-*")
    boot.rename(boot.with_name("boot-before"))
    one.portal.done("start")
    one.portal.wait_until_ready()
    until(lambda: one.state() == "stopped", SECONDS)
    found = one.api.get(f"/api/v1/sessions/{session}").json()
    assert found["ends_because"] == "host restarted"
    assert list(one.portal.state.glob("boot-*")) == [boot]


def test_a_certificate_of_the_operator_s_is_shown_without_a_restart(portal: Contained) -> None:
    tls = portal.configuration / "tls"
    elsewhere = portal.directory / "elsewhere"
    elsewhere.mkdir()
    signer = certificates.authority(elsewhere, ("localhost",), "Elsewhere")
    (tls / "ca.key").unlink()
    certificates.put(tls, certificates.issued(signer, ("localhost",)))
    wanted = (tls / "server.pem").read_text()
    place = ("localhost", portal.port)
    until(lambda: ssl.get_server_certificate(place) == wanted, 30, "nginx shows the old one")


def said_by_a_second_one(portal: Contained, *words: str) -> str:
    """Return what another container of the same places says, which has to fail."""
    second = replace(portal, project=f"{portal.project}-second")
    answer = second.compose("run", "--rm", "-T", *words, "portal")
    assert answer.returncode == 1
    return answer.stdout + answer.stderr


def test_system_users_are_refused_for_there_are_none(portal: Contained) -> None:
    methods = 'REMOTEAPP_AUTH__METHODS=["pam","virtual"]'
    said = said_by_a_second_one(portal, "-e", methods)
    assert "portal: auth.methods = ['pam', 'virtual']: pam would ask for users of this" in said


def test_the_state_of_another_portal_is_left_alone(portal: Contained) -> None:
    other = portal.directory / "other"
    other.mkdir()
    os.chown(other, 12345, 12345)
    said = said_by_a_second_one(portal, "-e", f"STATE_DIRECTORY={other}", "-v", f"{other}:{other}")
    assert f"portal: {other} belongs to the uid 12345, so another portal uses it." in said
    assert list(other.iterdir()) == []
