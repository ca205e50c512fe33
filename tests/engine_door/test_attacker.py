"""A control plane that somebody has taken over asks the door for root, and gets nothing.

The socket, the door and the engine are real; what is sent is what such a process would send, byte
by byte where that matters.
"""

import http.client
import json
import secrets
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import door
import portal as portals
import pytest
import registry
from adapters.fakes_engine import HELLO

from control_plane.adapters import engine_wire
from control_plane.adapters.docker_api import REALM
from control_plane.adapters.engine_client import EngineClient
from control_plane.adapters.pam_host import PamHost
from control_plane.domain import containers
from control_plane.domain.containers import Bounds, ContainerSpec, home_volume
from control_plane.domain.entities import Application, Person, Policy, Session, State
from control_plane.domain.labels import RUN
from control_plane.engine_door.rules import Ceilings, Rules

MIB = 1024**2
ALICE = Person("alice", 70001, 70001, (), "", home_is_volume=True)


@dataclass
class Stage:
    """The door, a container that it would start, and what lies around for an attacker."""

    path: Path
    realm: str
    api: docker.DockerClient
    roots: Path
    dora: Person
    wanted: ContainerSpec
    foreign: str

    def ask(self, path: str, said: object) -> tuple[int, dict[str, Any]]:
        """Send JSON, or bytes as they are; return the status and what was said."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        with closing(http.client.HTTPConnection("engine")) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.path))
            connection.request("POST", path, body)
            answer = connection.getresponse()
            content = answer.read()
        return answer.status, json.loads(content) if content.startswith(b"{") else {}

    def body(self) -> dict[str, Any]:
        """Return the call that starts the container, as it is sent."""
        found: dict[str, Any] = json.loads(engine_wire.sent("engine", "run", {"spec": self.wanted}))
        return found

    def everything(self) -> set[str]:
        """Return all containers and volumes that bear the realm's label."""
        label = {"label": f"{REALM}={self.realm}"}
        there = self.api.containers.list(all=True, filters=label, ignore_removed=True)
        volumes = self.api.volumes.list(filters=label)
        return {one.id for one in there} | {one.name for one in volumes}


@pytest.fixture(scope="module")
def stage(images: None) -> Iterator[Stage]:
    del images
    realm = f"test-{secrets.token_hex(4)}"
    with ExitStack() as undo:
        api = undo.enter_context(closing(docker.from_env()))
        roots = undo.enter_context(portals.mountable())
        (roots / "data").mkdir()
        (roots / "link").symlink_to("/etc")
        (roots / "theirs").mkdir()
        (roots / "theirs").chmod(0o777)
        (roots / "theirs" / "inner").mkdir()
        name = undo.enter_context(portals.system_user("dora-has-a-long-password"))
        subprocess.run(["usermod", "--append", "--groups", "adm", name], check=True)
        dora = PamHost("").person(name)
        assert dora
        rules = Rules(
            realm,
            images=("remoteapp/*",),
            volume_roots=(roots,),
            limits=Ceilings(512 * MIB, 1, 256, 4096),
        )
        undo.callback(_clean, api, realm)
        path = undo.enter_context(door.opened(rules))
        engine = EngineClient(path)
        wanted = _wanted(engine, realm, ALICE, containers.Bounds(1024, 0))
        foreign = f"evil/{secrets.token_hex(4)}:1"
        undo.enter_context(registry.made_image(foreign))
        yield Stage(path, realm, api, roots, dora, wanted, foreign)


def _wanted(engine: EngineClient, realm: str, person: Person, bounds: Bounds) -> ContainerSpec:
    image = engine.image(HELLO)
    session_id = secrets.token_hex(16)
    session = Session(
        id=session_id,
        owner=person.name,
        grant_id="0" * 32,
        application="Hello",
        image=HELLO,
        type="webapp",
        state=State.STARTING,
        created_at=datetime.now(UTC),
        address=engine.range_of("internet").split("/")[0].rsplit(".", 1)[0] + ".9",
        port=8888,
        ready_path="/",
    )
    policy = Policy(allow_home=True, memory=128 * MIB, cpus=0.5, pids=64)
    whole = replace(person, home=person.home or home_volume(realm, person.uid))
    application = Application("0" * 32, HELLO)
    return containers.spec(session, application, policy, image, whole, realm=realm, bounds=bounds)


def _clean(api: docker.DockerClient, realm: str) -> None:
    label = {"label": f"{REALM}={realm}"}
    for one in api.containers.list(all=True, filters=label, ignore_removed=True):
        one.remove(force=True, v=True)
    for one in (*api.networks.list(filters=label), *api.volumes.list(filters=label)):
        one.remove()


def volume(source: str, mode: str = "rw", target: str = "/data") -> dict[str, Any]:
    return {"volumes": [{"source": source, "target": target, "mode": mode}]}


def home(source: str, *, is_volume: bool = False) -> dict[str, Any]:
    return {"home": {"source": source, "is_volume": is_volume}, "home_directory": "/workspace"}


def as_dora(stage: Stage, **changes: Any) -> dict[str, Any]:
    """Return what makes the container that of a user of this host, who is in group adm."""
    labels = dict(stage.wanted.labels)
    session_id = labels[RUN + "url_id"]
    name, numbers = stage.dora.name, {"uid": stage.dora.uid, "gid": stage.dora.gid}
    labels |= {RUN + "user": name, RUN + "urlpath": f"/user/{name}/containers/{session_id}"}
    own = {"labels": labels, "login": name, "environment": {}, "gids": list(stage.dora.gids)}
    nothing = {"home": None, "home_directory": f"/home/{name}"}
    return {**own, **numbers, **nothing, **changes}


# What is put over a container that would pass, to become root on the host by it.
ATTACKS: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "the host's root": lambda _: volume("/"),
    "the engine's socket": lambda _: volume("/var/run/docker.sock"),
    "the engine's own files": lambda _: volume("/var/lib/docker"),
    "the host's configuration": lambda _: volume("/etc"),
    "root's home, to be read": lambda _: volume("/root", "ro"),
    "a link out of the roots": lambda stage: volume(str(stage.roots / "link")),
    "a way out of the roots": lambda stage: volume(f"{stage.roots}/../../etc"),
    "a way that others can turn": lambda stage: volume(str(stage.roots / "theirs" / "inner")),
    "a target over what the container trusts": lambda stage: volume(
        str(stage.roots / "data"), target="/etc"
    ),
    "a propagated mount": lambda stage: volume(str(stage.roots / "data"), "rw,shared"),
    "an option behind a colon": lambda stage: volume(f"{stage.roots}/data:/x"),
    "the root as home": lambda _: home("/"),
    "somebody's home": lambda stage: home(stage.dora.home),
    "another user's volume": lambda stage: home(home_volume(stage.realm, 70002), is_volume=True),
    "another realm's volume": lambda _: home("remoteapp-other-home-70001", is_volume=True),
    "a volume by a path": lambda _: home("../../../etc", is_volume=True),
    "uid 0": lambda _: {"uid": 0, "gid": 0},
    "uid 0 of an image that keeps the contract": lambda _: {"as_root": True},
    "the group of the engine": lambda _: {"gids": [999]},
    "group 0": lambda _: {"gid": 0},
    "a uid of the host": lambda stage: {"uid": stage.dora.uid, "gid": stage.dora.gid},
    "a name with a line of passwd": lambda _: {"login": "x:x:0:0::/:/bin/sh\ny"},
    "the home of who can become root": lambda stage: as_dora(stage, **home(stage.dora.home)),
    "a writable volume of who can become root": lambda stage: as_dora(
        stage, **volume(str(stage.roots / "data"))
    ),
    "the groups of who can become root": lambda stage: as_dora(stage, gids=[4]),
    "the host's network": lambda _: {"network": "host"},
    "another container's network": lambda _: {"network": "container:x"},
    "an address of the host": lambda _: {"address": "127.0.0.1"},
    "the gateway's address": lambda stage: {
        "address": stage.wanted.address.rsplit(".", 1)[0] + ".1"
    },
    "another realm's name": lambda _: {"name": "remoteapp-other-" + "0" * 32},
    "a label that hides it": lambda stage: {
        "labels": {**stage.wanted.labels, RUN + "holder": ""}
    },
    "another realm's label": lambda stage: {
        "labels": {**stage.wanted.labels, RUN + "realm": "other"}
    },
    "no bound of memory": lambda _: {"memory": 0},
    "all memory": lambda _: {"memory": 2**40},
    "no bound of processes": lambda _: {"pids": -1},
    "no bound of open files": lambda _: {"open_files": 2**31},
    "an image that is not let in, by its id": lambda stage: {
        "image": stage.api.images.get(stage.foreign).id, "own_directory": True, "read_only": False,
    },
    "an image by its name": lambda _: {"image": HELLO},
    "a host configuration": lambda _: {"HostConfig": {"Privileged": True}},
    "a privileged container": lambda _: {"privileged": True},
    "a device": lambda _: {"devices": ["/dev/sda"]},
    "a mount beside the volumes": lambda _: {"mounts": [{"Source": "/", "Target": "/x"}]},
    "a capability": lambda _: {"cap_add": ["SYS_ADMIN"]},
    "an option hidden in a volume": lambda stage: {
        "volumes": [{**volume(str(stage.roots / "data"))["volumes"][0], "propagation": "shared"}]
    },
    "a number as text": lambda _: {"uid": "70001"},
    "an endless number": lambda _: {"cpus": float("inf")},
}  # fmt: skip


def test_the_container_that_all_attacks_begin_with_is_started(stage: Stage) -> None:
    status, _ = stage.ask("/engine/run", stage.body())
    assert status == 200
    engine = EngineClient(stage.path)
    (found,) = engine.containers()
    inside = stage.api.containers.get(found.id)
    assert inside.exec_run("id -u").output == b"70001\n"
    assert inside.attrs["HostConfig"]["Privileged"] is False
    assert inside.attrs["HostConfig"]["Binds"] is None
    engine.remove(found.id)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_container_makes_anybody_root(stage: Stage, attack: str) -> None:
    before, body = stage.everything(), stage.body()
    body["spec"] |= ATTACKS[attack](stage)
    status, said = stage.ask("/engine/run", body)
    assert (
        status,
        said["error"]["kind"] in ("StartError", "InvalidError", "ImageMissingError"),
    ) == (
        422,
        True,
    )
    assert stage.everything() == before


def test_a_field_that_lacks_has_no_default(stage: Stage) -> None:
    for name in stage.body()["spec"]:
        body = stage.body()
        del body["spec"][name]
        assert stage.ask("/engine/run", body)[0] == 422
    for odd in (b"", b"{", b"[]", b"null", b'{"spec": null}', b"[" * 100_000, b'{"x": 1}'):
        assert stage.ask("/engine/run", odd)[0] == 422
    assert stage.ask("/engine/run", b" " * (MIB + 1))[0] == 422


@pytest.mark.parametrize(
    "path",
    ["/engine/exec", "/engine/create", "/containers/create", "/v1.41/info", "/engine/_api", "/"],
)
def test_there_is_no_other_verb(stage: Stage, path: str) -> None:
    assert stage.ask(path, {})[0] in (404, 405)


@pytest.fixture
def others(stage: Stage) -> Iterator[Any]:
    """A container of another realm, with a home of that realm's."""
    labels = {REALM: f"{stage.realm}-other", RUN + "url_id": "0" * 32}
    made = stage.api.containers.run(HELLO, ["sleep", "60"], entrypoint="", labels=labels,
                                    detach=True, network_mode="none")  # fmt: skip
    yield made
    made.remove(force=True)


def test_a_container_of_another_realm_is_out_of_reach(stage: Stage, others: Any) -> None:
    one = {"container_id": others.id}
    place = {"network": "internet", "address": stage.wanted.address}
    limits = {"memory": 128 * MIB, "cpus": 0.1, "pids": 10}
    before = others.attrs["HostConfig"]["PidsLimit"]
    for verb, said, answer in (
        ("signal", {**one, "name": "SIGKILL"}, 200),
        ("remove", one, 200),
        ("limit", {**one, **limits}, 200),
        ("detach", one, 200),
        ("attach", {**one, **place}, 422),
        ("log", {**one, "tail": 10}, 200),
    ):
        assert stage.ask(f"/engine/{verb}", said)[0] == answer
    assert EngineClient(stage.path).log(others.id, 10) == ""
    others.reload()
    assert (others.status, others.attrs["HostConfig"]["PidsLimit"]) == ("running", before)
    assert list(others.attrs["NetworkSettings"]["Networks"]) == ["none"]


@pytest.mark.parametrize("verb", ["remove", "detach"])
@pytest.mark.parametrize("odd", ["", "../volumes/x", "x?force=1", "remoteapp-other", "f" * 12])
def test_what_is_no_whole_id_is_no_container(stage: Stage, verb: str, odd: str) -> None:
    assert stage.ask(f"/engine/{verb}", {"container_id": odd}) == (200, {})


def test_an_own_container_gets_no_more_than_the_rules_give(stage: Stage) -> None:
    engine = EngineClient(stage.path)
    container = engine.run(stage.wanted)
    one = {"container_id": container}
    for verb, said in (
        ("limit", {"memory": 0, "cpus": 0.1, "pids": 10}),
        ("limit", {"memory": 128 * MIB, "cpus": 0.1, "pids": -1}),
        ("limit", {"memory": 2**40, "cpus": 0.1, "pids": 10}),
        ("attach", {"network": "host", "address": stage.wanted.address}),
        ("attach", {"network": "internet", "address": "172.17.0.2"}),
        ("signal", {"name": "SIGSTOP"}),
    ):
        assert stage.ask(f"/engine/{verb}", {**one, **said})[0] == 422
    engine.remove(container)


@pytest.mark.parametrize(
    "name",
    [
        "remoteapp-other-home-70001",
        "{realm}-home-70001",
        "remoteapp-{realm}-home-../x",
        "remoteapp-{realm}-home-70001/../../x",
        "../../etc",
        "/etc",
        "",
    ],
)
def test_no_volume_is_a_home_but_this_realms(stage: Stage, name: str) -> None:
    said = {"volume": name.format(realm=stage.realm)}
    for path in ("/homes/exists", "/homes/remove", "/homes/archive"):
        assert stage.ask(path, said)[0] == 422


def test_a_name_of_an_image_is_no_way_into_the_engine(stage: Stage, others: Any) -> None:
    for name in (f"../containers/{others.id}", f"x/../../containers/{others.id}", "x?a=b", "a//b"):
        assert stage.ask("/engine/image", {"name": name})[1]["error"]["kind"] == "ImageMissingError"


def test_no_image_comes_or_goes_that_the_rules_do_not_name(stage: Stage) -> None:
    assert stage.ask("/image_library/pull", {"name": "localhost:1/evil:1"})[0] == 422
    assert stage.ask("/image_library/remove", {"name": stage.foreign})[0] == 422
    status, said = stage.ask("/image_library/load", registry.saved(stage.foreign))
    assert (status, "are not let in on this host" in said["error"]["message"]) == (422, True)
    check = {"fields": {"image": stage.foreign}, "start_timeout": 1}
    assert stage.ask("/image/check", check)[0] == 422
    assert stage.api.images.get(stage.foreign)


@pytest.mark.parametrize(
    "changes",
    [
        {"home": {"source": "/", "is_volume": False}},
        {"home": {"source": "/root", "is_volume": False}},
        {"person": {"uid": 0}},
        {"person": {"gids": [0]}},
        {"person": {"home": "/etc"}},
        {"key": "../x"},
        {"image": HELLO},
    ],
)
def test_nobody_looks_into_what_is_not_his_home(stage: Stage, changes: dict[str, Any]) -> None:
    volume_name = home_volume(stage.realm, 70001)
    person = {
        "name": "alice", "uid": 70001, "gid": 70001, "gids": [], "home": volume_name,
        "home_is_volume": True,
    }  # fmt: skip
    look = {
        "key": "look-70001", "image": stage.wanted.image, "path": "", "person": person,
        "home": {"source": volume_name, "is_volume": True},
    }  # fmt: skip
    assert stage.ask("/files/listed", {"look": look})[0] == 200
    changed = {**look, **changes, "person": {**person, **changes.get("person", {})}}
    assert stage.ask("/files/listed", {"look": changed})[0] == 422


def test_who_can_become_root_has_no_home_to_look_into(stage: Stage) -> None:
    dora = stage.dora
    person = {
        "name": dora.name, "uid": dora.uid, "gid": dora.gid, "gids": list(dora.gids),
        "home": dora.home, "home_is_volume": False,
    }  # fmt: skip
    look = {
        "key": "look", "image": stage.wanted.image, "path": "", "person": person,
        "home": {"source": dora.home, "is_volume": False},
    }  # fmt: skip
    status, said = stage.ask("/files/listed", {"look": look})
    assert (status, "can become root" in said["error"]["message"]) == (422, True)


def test_a_check_of_an_image_gives_root_no_command(stage: Stage) -> None:
    fields = {"image": HELLO, "run_as": "root", "command": ["sh"]}
    for said in (
        {"fields": fields, "start_timeout": 1},
        {"fields": {"image": "--help"}, "start_timeout": 1},
        {"fields": {"image": HELLO, "volumes": ["/:/x:rw"]}, "start_timeout": 1},
        {"fields": {"image": HELLO}, "start_timeout": 1e9},
        {"fields": {"image": HELLO}, "start_timeout": 1, "command": "sh"},
    ):
        assert stage.ask("/image/check", said)[0] == 422


def test_streams_take_what_they_take_and_no_more(stage: Stage) -> None:
    for said in ({"since": "x"}, {"since": 1}, {}, {"since": "2026-01-01", "filters": {}}, b"["):
        assert stage.ask("/engine/ends", said)[0] == 422
