"""A portal on this machine, its containers on the engine of another one, reached over TLS."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import portal as portals
import pytest
import trustme
from deploy import hosts, remote_engine
from deploy.hosts import until
from deploy.remote_engine import RemoteEngine
from portal import HELLO, TERMINAL, RunningPortal
from stack.conftest import cookie_of, websocket

from control_plane.adapters.docker_place import Certificates, EnginePlace
from control_plane.adapters.engine import DockerEngine
from control_plane.domain.labels import RUN
from control_plane.domain.routes import PUBLISHED
from control_plane.errors import EngineUnavailableError
from control_plane.trial import fit
from control_plane.trial.account import ENGINE, beside

HOME = "The engine is on another machine, where the homes of system users are not"


@pytest.fixture(scope="module")
def engine(host_images: None) -> Iterator[RemoteEngine]:  # noqa: ARG001 - they have to be
    with remote_engine.running() as found:
        yield found


@pytest.fixture(scope="module")
def live(engine: RemoteEngine) -> Iterator[RunningPortal]:
    """A portal with the whole cast, whose applications run elsewhere."""
    # Not pytest's own directory: the service's account could not enter it.
    files = Path(tempfile.mkdtemp(prefix="remoteapp-test-", dir="/var/tmp"))
    try:
        files.chmod(0o755)
        section = engine.settings(files)
        with portals.service_account():
            # As the playbook leaves it: the engine's door alone reads it.
            shutil.chown(section["tls_key"], group=beside(fit.chosen()[0], ENGINE).gid)
            Path(section["tls_key"]).chmod(0o640)
            settings = {"engine": {"start_timeout": 60, **section}}
            with portals.running(settings=settings, session_range=engine.address) as found:
                yield found
    finally:
        shutil.rmtree(files)


@pytest.fixture
def place(engine: RemoteEngine, tmp_path: Path) -> Callable[..., EnginePlace]:
    """Give the engine as a client with those certificates sees it."""

    def given(**trusted: trustme.CA) -> EnginePlace:
        section = engine.settings(tmp_path, **trusted)
        files = (Path(section[f"tls_{name}"]) for name in ("ca", "cert", "key"))
        return EnginePlace(section["host"], Certificates(*files), engine.address)

    return given


def in_container(engine: RemoteEngine, session_id: str, line: str) -> str:
    """Return what a line prints in a session's container, as the user."""
    label = f"label={RUN}url_id={session_id}"
    (found,) = engine.host.out(f"docker ps --quiet --filter {label}").split()
    return engine.host.out(f"docker exec {found} sh -c {line!r}")


def target(live: RunningPortal, session_id: str) -> str:
    """Return where nginx finds a session, once the installed routes have it."""
    routes, head = live.portal.places.nginx / "routes.conf", f"upstream s_{session_id} "

    def lines() -> list[str]:
        return [one for one in routes.read_text().splitlines() if one.startswith(head)]

    until(lines)
    return lines()[0].split()[4].rstrip(";")


def test_a_virtual_user_works_on_a_desktop_elsewhere_and_keeps_the_files(
    live: RunningPortal, engine: RemoteEngine
) -> None:
    session = live.start("alice", TERMINAL)
    address, _, port = target(live, session["id"]).partition(":")
    assert (address, int(port) in PUBLISHED) == (engine.address, True)
    client = live.client("alice")
    assert client.get(session["url"]).status_code == 200
    with websocket(live, session["url"] + "websockify", Cookie=cookie_of(client)) as socket:
        assert socket.recv(timeout=20)[:4] == b"RFB "
    who = in_container(engine, session["id"], "id -un && id -u && echo kept > /workspace/note")
    assert who.split() == ["alice", "70000"]
    live.stop("alice", session["id"])
    assert engine.host.out(f"docker ps --all --quiet --filter label={RUN}url_id") == ""
    assert client.get(session["url"]).status_code == 404
    again = live.start("alice", TERMINAL)
    assert target(live, again["id"]) != f"{address}:{port}"
    assert in_container(engine, again["id"], "cat /workspace/note") == "kept"
    live.stop("alice", again["id"])


def test_what_it_uses_is_counted_and_what_it_prints_is_shown(live: RunningPortal) -> None:
    session = live.start("bob", HELLO)
    log = live.api("bob").get(f"/api/v1/sessions/{session['id']}/log").text
    live.stop("bob", session["id"])
    lines = live.api("admin").get("/api/v1/admin/usage").json()["items"]
    (counted,) = [one for one in lines if one["name"] == "bob"]
    assert (counted["sessions"], counted["cpu_seconds"] > 0) == (1, True), log


def test_a_system_users_home_is_refused_with_the_reason(live: RunningPortal) -> None:
    api = live.api("dora")
    shown = api.get("/api/v1/applications").json()["items"]
    assert len(shown) == len([one for one in shown if HOME in one["problem"]]) == 2
    answer = api.post("/api/v1/sessions", json={"grant_id": live.grants["dora", HELLO]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "allow_home")
    assert HOME in answer.json()["errors"][0]["message"]


def test_a_system_user_without_a_home_is_let_in(live: RunningPortal, engine: RemoteEngine) -> None:
    grant = live.remoteappdb("app", "grant", HELLO, live.dora)
    answer = live.api("dora").post("/api/v1/sessions", json={"grant_id": grant})
    session = live.wait_for(live.api("dora"), answer.json()["id"], "ready")
    assert in_container(engine, session["id"], "id -un") == live.dora
    live.stop("dora", session["id"])


def test_a_volume_of_this_machine_is_refused_with_the_reason(live: RunningPortal) -> None:
    admin = live.api("admin")
    listed = admin.get("/api/v1/admin/applications").json()["items"]
    (hello,) = [one["id"] for one in listed if one["image"] == HELLO]
    policy = {"volumes": [f"{live.volumes}:/data:ro"]}
    body = {"user": "alice", "application": hello, "policy": policy}
    answer = admin.post("/api/v1/admin/grants", json=body)
    why = f"{live.volumes} lies on this machine, and the engine is on another one"
    problem = {"field": "policy.volumes", "message": why}
    assert (answer.status_code, answer.json()["errors"]) == (422, [problem])


def test_a_closed_network_is_refused_with_the_reason(live: RunningPortal) -> None:
    grant = live.remoteappdb("app", "grant", HELLO, "bob", "--network", "none")
    answer = live.api("bob").post("/api/v1/sessions", json={"grant_id": grant})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "network")
    live.remoteappdb("app", "revoke", HELLO, "bob", "--network", "none")


def test_the_rules_of_the_guide_close_the_ports_to_all_but_the_portal(
    live: RunningPortal, engine: RemoteEngine
) -> None:
    session, other = live.start("alice", HELLO), live.start("bob", TERMINAL)
    port = target(live, session["id"]).replace(":", "/")
    line = f"timeout 3 bash -c ': </dev/tcp/{port}' 2>/dev/null && echo in || echo out"

    def seen() -> list[str]:
        return [
            in_container(engine, other["id"], line),
            engine.host.out(line, user="nobody"),
            _on_another_machine(line),
        ]

    assert seen() == ["in", "in", "in"]
    engine.close_ports(engine.host.out("ip route show default").split()[2])
    try:
        assert seen() == ["out", "out", "out"]
        assert live.client("alice").get(session["url"]).status_code == 200
    finally:
        engine.open_ports()
    live.stop("alice", session["id"])
    live.stop("bob", other["id"])


def _on_another_machine(line: str) -> str:
    """Return what a shell line prints in a container of this machine."""
    words = ["run", "--rm", "--entrypoint", "bash", TERMINAL, "-c", line]
    return hosts.docker(*words).stdout.strip()


def test_an_engine_of_another_authority_is_not_believed(
    place: Callable[..., EnginePlace],
) -> None:
    with (
        closing(DockerEngine("test", place(trusted=trustme.CA()))) as stranger,
        pytest.raises(EngineUnavailableError) as caught,
    ):
        stranger.check()
    assert "CERTIFICATE_VERIFY_FAILED" in caught.value.message
    assert caught.value.hint == "See engine.tls_ca, engine.tls_cert and engine.tls_key."
    with closing(DockerEngine("test", place())) as known:
        known.check()


def test_while_the_engine_is_away_the_portal_says_so_and_it_comes_back(
    live: RunningPortal, engine: RemoteEngine
) -> None:
    guest = live.guest()
    engine.stop()
    try:
        answer = guest.get("/readyz")
        said = answer.json()["checks"]["engine"]
        assert (answer.status_code, said.split(".")[0]) == (
            503,
            "The container engine does not answer",
        )
    finally:
        engine.start()
    until(lambda: guest.get("/readyz").status_code == 200)
    session = live.start("alice", HELLO)
    assert live.client("alice").get(session["url"]).status_code == 200
    live.stop("alice", session["id"])
