"""The engine, the images of what is granted, and the way to each session."""

import io
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import pytest
from doctor.installations import Place

from control_plane.adapters.engine_facts import filters_calls
from control_plane.adapters.nginx_status import Status
from control_plane.doctor.examining import examine
from control_plane.doctor.findings import Finding
from control_plane.doctor.running import of_facts, of_status
from control_plane.domain.engine_facts import Facts
from control_plane.domain.entities import Policy, Session, State
from control_plane.domain.labels import RUN

HELLO = "remoteapp/hello:latest"
ID, ADDRESS, PORT = "0" * 31 + "a", "10.213.0.9", 8888
RECONCILE = "control-plane reconcile"


FACTS = Facts(
    version="26.1.5",
    live_restore=True,
    lacking=(),
    root=Path("/"),
    ahead=0.0,
    networks=(),
    subnets=(),
    filters_calls=True,
    bounds_disk=True,
)


@contextmanager
def silent() -> Iterator[Path]:
    """Take connections, and never say anything."""
    with TemporaryDirectory() as made, socket.socket(socket.AF_UNIX) as listener:
        path = Path(made) / "docker.sock"
        listener.bind(str(path))
        listener.listen()
        yield path


@contextmanager
def made(dockerfile: str) -> Iterator[str]:
    """Build an image while the block runs."""
    name = f"remoteapp-test/made:{secrets.token_hex(4)}"
    with closing(docker.from_env()) as api:
        api.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True)
        try:
            yield name
        finally:
            api.images.remove(name, force=True)


def engine_at(place: Place, path: Path) -> None:
    place.keys = {"engine": {"host": f"unix://{path}"}}


@pytest.mark.usefixtures("engine_up")
def test_an_engine_that_answers_is_described(place: Place) -> None:
    ours = [one for one in place.look("engine") if one.status == "ok" or "group" in one.found]
    # The account that stands in for the service's is not in the group of the socket.
    assert [one.found for one in ours if one.status == "failed"] == [
        "Permission denied on the socket /var/run/docker.sock: daemon is not in group docker."
    ]
    assert ours[0].todo == ("usermod --append --groups docker daemon; systemctl restart remoteapp")


@pytest.mark.parametrize(
    ("options", "filters"),
    [
        (["name=apparmor", "name=seccomp,profile=default"], True),
        (["name=seccomp,profile=builtin", "name=cgroupns"], True),
        (["name=seccomp,profile=/etc/docker/ours.json"], True),
        (["name=seccomp,profile=unconfined"], False),
        (["name=apparmor"], False),
    ],
)
def test_an_engine_without_seccomp_is_told_of(options: list[str], *, filters: bool) -> None:
    assert filters_calls(options) is filters
    found = [one.found for one in of_facts(replace(FACTS, filters_calls=filters_calls(options)))]
    told = "Seccomp bars no system call: containers may try every hole of the kernel."
    assert found == ([] if filters else [told])


def test_an_engine_that_does_not_run_is_to_be_started(place: Place, tmp_path: Path) -> None:
    engine_at(place, tmp_path / "docker.sock")
    told = f"The engine does not run: nobody answers at unix://{tmp_path / 'docker.sock'}."
    todo = "systemctl status docker; systemctl start docker"
    assert place.one("engine") == Finding("failed", told, todo)
    place.remoteappdb("user create alice")
    behind = f"Not looked at: {told}"
    assert place.one("clock") == Finding("warning", behind, "control-plane doctor --only engine")


def test_an_engine_that_times_out_is_waited_for_once(place: Place) -> None:
    with silent() as path, place.opened() as one:
        path.chmod(0o666)
        engine_at(place, path)
        found = dict(examine(one, ["engine", "clock", "images"]))
    told = f"The engine times out: unix://{path} takes connections and said nothing for 5 s."
    assert found["engine"].found == told
    assert found["engine"].todo.startswith("journalctl -u docker")
    assert [found[name].found for name in ("clock", "images")] == [f"Not looked at: {told}"] * 2


@pytest.mark.usefixtures("engine_up")
def test_permission_denied_on_the_socket_names_the_group() -> None:
    words = [str(Path(sys.executable).parent / "control-plane"), "doctor", "--json"]
    done = subprocess.run(
        [*words, "--only", "engine"],
        env={"PATH": os.environ["PATH"], "REMOTEAPP_PUBLIC_URL": "https://localhost"},
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    last = json.loads(done.stdout)[-1]
    assert last["found"] == (
        "Permission denied on the engine's socket unix:///var/run/docker.sock. "
        "Whoever asks must be root or in the socket's group, which is docker."
    )
    assert last["todo"] == ("sudo control-plane doctor, or: usermod --append --groups docker NAME")


@pytest.mark.usefixtures("images")
def test_an_image_that_may_fill_the_disk_is_told_of_where_nothing_bounds_it(place: Place) -> None:
    with made("FROM remoteapp/hello\nLABEL eu.simphony-project.docker.read-only=0") as image:
        place.remoteappdb("user create alice")
        place.remoteappdb(f"app create {image}")
        place.remoteappdb(f"app grant {image} alice")
        with place.opened() as one:
            is_bounded = one.facts.bounds_disk  # as this machine's storage is
        told = f"{image} may fill the engine's disk: its storage bounds no container."
        found = [one.found for one in place.look("images") if one.status != "ok"]
        assert found == ([] if is_bounded else [told])
        place.keys = {"limits": {"disk": 0}}
        assert place.one("images").status == "ok"


@pytest.mark.usefixtures("images")
def test_images_that_are_granted_have_to_be_there(place: Place) -> None:
    place.remoteappdb("user create alice")
    place.remoteappdb(f"app create {HELLO}")
    place.remoteappdb(f"app grant {HELLO} alice")
    assert place.one("images") == Finding("ok", "1 images are granted, all of them there.")
    place.remoteappdb("app create nobody/has:this --no-verify")
    place.remoteappdb("app grant nobody/has:this alice --no-verify")
    told = "The image nobody/has:this is granted, and the engine does not have it."
    assert place.one("images") == Finding("failed", told, "docker pull nobody/has:this")


@pytest.mark.usefixtures("engine_up")
def test_a_session_that_is_ready_has_a_container_and_a_route(place: Place) -> None:
    assert place.one("routes").found == (
        "0 sessions are ready, each with its container and its route."
    )
    _record(place)
    gone = f"The session {ID} is ready and has no container that runs."
    without = f"nginx has no line for the session {ID} yet, which works all the same."
    assert place.look("routes") == [
        Finding("failed", gone, RECONCILE),
        Finding("warning", without, RECONCILE),
    ]
    _route(place, ID)
    assert place.look("routes") == [Finding("failed", gone, RECONCILE)]


@pytest.mark.usefixtures("engine_up")
def test_a_route_of_a_session_that_is_over_is_told_of(place: Place) -> None:
    _route(place, ID)
    told = f"nginx has a line for the session {ID}, which is over; it leads nowhere."
    assert place.one("routes") == Finding("warning", told, RECONCILE)


@pytest.mark.usefixtures("images")
def test_a_container_that_belongs_to_no_session_is_named(place: Place) -> None:
    with closing(docker.from_env()) as api:
        labels = {RUN + "realm": "doctor", RUN + "url_id": ID}
        container = api.containers.create(HELLO, labels=labels)
        try:
            told = f"The container {container.id[:12]} belongs to no session of the records."
            assert place.one("routes") == Finding("failed", told, RECONCILE)
        finally:
            container.remove()


def test_what_nginx_refused_is_told_of() -> None:
    status = Status(error="unknown directive", refused=("line 1: no",))
    assert list(of_status(status)) == [
        Finding("failed", "nginx refuses its configuration: unknown directive", "nginx -t"),
        Finding(
            "failed", "Routes were left out: line 1: no.", "journalctl -u remoteapp-routes.service"
        ),
    ]


def _record(place: Place) -> None:
    now = datetime.now(UTC)
    session = Session(
        id=ID,
        owner="alice",
        grant_id="b" * 32,
        application="Hello",
        image=HELLO,
        type="webapp",
        port=PORT,
        ready_path="/",
        address=ADDRESS,
        created_at=now,
        state=State.READY,
        policy=Policy(),
    )
    with place.opened() as one:
        one.stores.records.add_session(replace(session, ready_at=now))


def _route(place: Place, session_id: str) -> None:
    place.places.nginx.mkdir(exist_ok=True)
    line = f'    "{session_id}|{ADDRESS}:{PORT}" s_{session_id};\n'
    (place.places.nginx / "routes.conf").write_text(line)
