"""What every engine does: the Docker engine, and the fake that stands for it in unit tests."""

import io
import re
import secrets
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker
import door
import pytest
from adapters.beyond import beyond
from adapters.fakes_engine import HELLO, FakeEngine

from control_plane.adapters import docker_networks, docker_usage
from control_plane.adapters.docker_api import HOLDER
from control_plane.adapters.engine import DockerEngine
from control_plane.adapters.engine_client import EngineClient
from control_plane.domain import labels
from control_plane.domain.containers import ContainerSpec, HomeMount
from control_plane.domain.entities import Network, Sample, Volume
from control_plane.domain.labels import RUN
from control_plane.domain.ports import Engine
from control_plane.engine_door.rules import Rules
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError

MIB = 1024**2
BOTH: tuple[Network, ...] = ("internet", "none")


@pytest.fixture(params=["fake", "docker", "door"])
def realm_and_engine(request: pytest.FixtureRequest) -> Iterator[tuple[str, Engine]]:
    realm = f"test-{secrets.token_hex(4)}"
    if request.param == "fake":
        yield realm, FakeEngine()
        return
    request.getfixturevalue("images")
    if request.param == "docker":
        with _docker_engine(realm) as engine:
            yield realm, engine
        return
    with ExitStack() as undo:
        undo.callback(_clean, realm)
        yield realm, EngineClient(undo.enter_context(door.opened(Rules(realm))))


@pytest.fixture
def realm(realm_and_engine: tuple[str, Engine]) -> str:
    return realm_and_engine[0]


@pytest.fixture
def engine(realm_and_engine: tuple[str, Engine]) -> Any:
    return realm_and_engine[1]


@pytest.fixture
def docker_engine(images: None) -> Iterator[DockerEngine]:
    del images
    with _docker_engine(f"test-{secrets.token_hex(4)}") as engine:
        yield engine


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a machine beyond this one, which takes connections on port 80."""
    with beyond() as address:
        yield address


@pytest.fixture
def realms(images: None) -> Iterator[str]:
    """A realm's name; all that bears it is removed again."""
    del images
    name = f"test-{secrets.token_hex(4)}"
    yield name
    _clean(name)


@pytest.fixture
def api() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as client:
        yield client


def address(engine: Engine, place: int = 9, network: Network = "internet") -> str:
    return str(IPv4Network(engine.range_of(network))[place])


def spec(engine: Engine, realm: str, **changes: object) -> ContainerSpec:
    session_id = secrets.token_hex(16)
    made = ContainerSpec(
        name=f"remoteapp-{realm}-{session_id}",
        image=HELLO,
        command=(),
        environment={
            "JPY_USER": "alice",
            "JPY_BASE_USER_URL": "/user/alice",
            "URL_ID": session_id,
            "HOME": "/home/alice",
            "USER": "alice",
        },
        labels={RUN + "realm": realm, RUN + "url_id": session_id},
        uid=20001,
        gid=20002,
        gids=(20003,),
        login="alice",
        home_directory="/home/alice",
        as_root=False,
        own_directory=False,
        home=None,
        volumes=(),
        network="internet",
        address=address(engine),
        port=8888,
        published_port=8888,
        memory=128 * MIB,
        cpus=0.5,
        pids=64,
        read_only=False,
        open_files=1024,
        disk=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def of_alice(engine: Engine, realm: str, **changes: object) -> ContainerSpec:
    """Return the container of a virtual user's session, as the engine's door lets it pass."""
    image = engine.image(HELLO)
    made = spec(engine, realm, image=image.id, uid=70001, gid=70001, gids=())
    session_id = made.labels[RUN + "url_id"]
    own = {
        RUN + "user": "alice",
        RUN + "mapping_id": session_id,
        RUN + "urlpath": f"/user/alice/containers/{session_id}",
        RUN + "session": "{}",
    }
    whole = replace(made, labels={**made.labels, **own}, read_only=labels.is_read_only(image))
    return replace(whole, **changes)  # type: ignore[arg-type]  # fields by name


def test_an_engine_that_is_there_checks_well(engine: Engine) -> None:
    engine.check()


def test_an_image_is_found_by_name_and_by_id(engine: Engine) -> None:
    image = engine.image(HELLO)
    assert image.name == HELLO
    assert engine.image(image.id).id == image.id
    assert engine.images()[HELLO].id == image.id
    assert image.labels["eu.simphony-project.docker.contract"] == "1"


@pytest.mark.parametrize("beside", [0, 1, 40])
def test_images_are_found_by_their_names_however_many(engine: Engine, beside: int) -> None:
    missing = {f"no/such:{number}" for number in range(beside)}
    found = engine.images_named({HELLO, *missing})
    image = engine.image(HELLO)
    assert [(one.id, name, one.labels) for name, one in found.items()] == [
        (image.id, HELLO, image.labels)
    ]
    assert engine.images_named(()) == {}


def test_a_missing_image_is_named(engine: Engine, realm: str) -> None:
    with pytest.raises(ImageMissingError, match="no/such:image"):
        engine.image("no/such:image")
    with pytest.raises(ImageMissingError):
        engine.run(of_alice(engine, realm, image="no/such:image"))
    assert engine.containers() == []


def test_a_container_runs_is_listed_ends_and_is_removed(engine: Engine, realm: str) -> None:
    wanted = of_alice(engine, realm)
    container = engine.run(wanted)
    (found,) = engine.containers()
    assert (found.id, found.running, found.started) == (container, True, True)
    assert found.address == wanted.address
    assert dict(wanted.labels).items() <= dict(found.labels).items()
    if not isinstance(engine, FakeEngine):
        _until(lambda: _answers(wanted))  # before, nothing in it minds the signal
    engine.signal(container, "SIGTERM")
    _until(lambda: not engine.containers()[0].running)
    assert engine.exit_status(container) == 0
    engine.remove(container)
    assert engine.containers() == []


def test_what_is_gone_is_no_error(engine: Engine) -> None:
    engine.signal("f" * 64, "SIGTERM")
    engine.remove("f" * 64)
    engine.detach("f" * 64)
    engine.limit("f" * 64, 64 * MIB, 1, 64)
    assert engine.sample("f" * 64) is None
    assert engine.log("f" * 64, 10) == ""
    assert engine.exit_status("f" * 64) == 0
    with pytest.raises(StartError):
        engine.attach("f" * 64, "internet", address(engine))


def test_each_network_has_its_own_half_of_the_session_range(engine: Engine) -> None:
    whole = IPv4Network(engine.session_range())
    parts = [IPv4Network(engine.range_of(network)) for network in BOTH]
    assert parts == list(whole.subnets())
    assert whole.prefixlen == 20


@pytest.mark.parametrize("network", BOTH)
def test_what_is_cut_off_runs_on_and_comes_back_at_another_address(
    engine: Engine, realm: str, network: Network
) -> None:
    first, second = (address(engine, place, network) for place in (9, 10))
    container = engine.run(of_alice(engine, realm, network=network, address=first))
    for _ in range(2):
        engine.detach(container)
        (found,) = engine.containers()
        assert (found.running, found.address) == (True, "")
    for _ in range(2):  # the second time it is connected already
        engine.attach(container, network, second)
        (found,) = engine.containers()
        assert (found.running, found.address) == (True, second)


def test_a_volume_whose_source_is_missing_is_an_error_and_leaves_nothing(
    engine: Engine, realm: str, tmp_path: Path
) -> None:
    missing = Volume(str(tmp_path / "missing"), "/data", "ro")
    with pytest.raises(StartError, match=r"missing|cannot be looked at"):
        engine.run(of_alice(engine, realm, volumes=(missing,)))
    assert not (tmp_path / "missing").exists()
    assert engine.containers() == []


def test_a_sample_is_there_while_a_container_runs_and_not_after(engine: Engine, realm: str) -> None:
    container = engine.run(of_alice(engine, realm))
    found = engine.sample(container)
    assert found
    assert found.memory > 0
    assert found.cpu_seconds > 0
    engine.signal(container, "SIGTERM")
    _until(lambda: not engine.containers()[0].running)
    assert engine.sample(container) is None


def test_the_end_of_a_container_is_told(engine: Any, realm: str) -> None:
    since = datetime.now(UTC)
    wanted = of_alice(engine, realm)
    container = engine.run(wanted)
    if not isinstance(engine, FakeEngine):
        _until(lambda: _answers(wanted))  # before, nothing in it minds the signal
    engine.signal(container, "SIGTERM")
    with closing(engine.ends(since)) as ends:
        assert next(ends) == container


def test_containers_of_another_realm_are_never_seen(docker_engine: DockerEngine) -> None:
    with _docker_engine(f"test-{secrets.token_hex(4)}") as other:
        other.run(spec(other, other.realm))
        assert docker_engine.containers() == []
        assert other.session_range() != docker_engine.session_range()


def test_a_container_has_the_limits_and_nothing_more(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    container = docker_engine.run(spec(docker_engine, docker_engine.realm))
    host = api.containers.get(container).attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 128 * 1024**2
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 64
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not host["PortBindings"]
    assert not host["Privileged"]
    assert host["GroupAdd"] == ["20003"]
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("private", "private")
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1024, "Hard": 1024}]
    assert not host["Devices"]
    assert not host["DeviceRequests"]
    assert not host["DeviceCgroupRules"]
    assert not host.get("Sysctls")
    assert not host["ReadonlyRootfs"]
    status = api.containers.get(container).exec_run("cat /proc/self/status").output.decode()
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status


def test_a_read_only_root_leaves_three_directories_in_memory_to_write_to(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    wanted = spec(docker_engine, docker_engine.realm, read_only=True)
    inside = api.containers.get(docker_engine.run(wanted))
    written = "for d in /run /tmp /var/tmp $HOME; do echo x >$d/mine && stat -fc %T $d; done"
    assert inside.exec_run(["sh", "-c", written]).output == b"tmpfs\n" * 4
    status, why = inside.exec_run(["sh", "-c", "echo x >/mine"], user="0")
    assert (status != 0, b"Read-only file system" in why) == (True, True)
    assert inside.exec_run("id -un").output == b"alice\n"
    half = wanted.memory // 2 // 1024
    sizes = inside.exec_run("df --output=size /tmp /run /var/tmp").output.decode().split()[1:]
    assert sizes == [str(half)] * 3


def test_what_starts_as_root_has_six_capabilities_and_makes_the_user_itself(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    home = HomeMount(f"{docker_engine.realm}-apart", is_volume=True)
    apart = spec(docker_engine, docker_engine.realm, home_directory="", home=home)
    wanted = replace(apart, as_root=True, own_directory=True)
    inside = api.containers.get(docker_engine.run(wanted))
    assert inside.exec_run("id").output == b"uid=0(root) gid=0(root) groups=0(root)\n"
    status = inside.exec_run("cat /proc/1/status").output.decode()
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t00000000000000eb" in status
    assert inside.exec_run("getent passwd 20001").output == b""
    assert inside.exec_run("useradd --uid 30001 alice").exit_code == 0
    assert inside.exec_run("stat -c %u:%g:%a /workspace").output == b"20001:20002:700\n"
    assert inside.exec_run("chmod 777 /workspace").exit_code == 0


def test_the_user_inside_is_known_by_name(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    container = docker_engine.run(spec(docker_engine, docker_engine.realm))
    inside = api.containers.get(container)
    assert inside.exec_run("id").output.decode().startswith("uid=20001(alice) gid=20002(alice)")
    assert b"20003" in inside.exec_run("id -G").output
    assert inside.exec_run(["sh", "-c", "touch $HOME/mine && stat -c %u $HOME"]).output == (
        b"20001\n"
    )


def test_a_volume_becomes_the_users_home_and_keeps_its_files(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    home = HomeMount(f"{docker_engine.realm}-home", is_volume=True)
    for turn in (1, 2):
        wanted = spec(docker_engine, docker_engine.realm, home=home, home_directory="/workspace")
        container = docker_engine.run(wanted)
        inside = api.containers.get(container)
        assert inside.exec_run("stat -c %u:%g:%a /workspace").output == b"20001:20002:700\n"
        assert inside.exec_run(["sh", "-c", "echo x >> /workspace/file"]).exit_code == 0
        assert inside.exec_run("cat /workspace/file").output == b"x\n" * turn
        docker_engine.remove(container)


def test_a_home_is_nobodys_who_was_given_the_same_uid_again(
    docker_engine: DockerEngine,
) -> None:
    home = HomeMount(f"{docker_engine.realm}-home", is_volume=True)
    wanted = spec(docker_engine, docker_engine.realm, home=home)
    docker_engine.remove(docker_engine.run(replace(wanted, labels=_of("alice", wanted))))
    with pytest.raises(StartError, match="is that of alice, who had the same uid"):
        docker_engine.run(replace(wanted, labels=_of("bob", wanted)))
    assert docker_engine.containers() == []


def _of(owner: str, wanted: ContainerSpec) -> dict[str, str]:
    return {**wanted.labels, RUN + "user": owner}


def test_no_volume_is_left_of_an_image_that_declares_some(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    text = b"FROM remoteapp/hello\nVOLUME /data\n"
    image, _ = api.images.build(fileobj=io.BytesIO(text), tag="remoteapp-test/volume", rm=True)
    try:
        container = docker_engine.run(spec(docker_engine, docker_engine.realm, image=image.id))
        mounts = api.containers.get(container).attrs["Mounts"]
        (name,) = (one["Name"] for one in mounts if one["Destination"] == "/data")
        docker_engine.remove(container)
        assert name not in {one.name for one in api.volumes.list()}
    finally:
        api.images.remove("remoteapp-test/volume")


def test_no_image_hides_its_containers_nor_leads_a_home_astray(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    text = f"FROM remoteapp/hello\nLABEL {HOLDER}=1\nRUN ln -s /tmp /workspace\n".encode()
    image, _ = api.images.build(fileobj=io.BytesIO(text), tag="remoteapp-test/odd", rm=True)
    home = HomeMount(f"{docker_engine.realm}-home", is_volume=True)
    try:
        odd = docker_engine.run(spec(docker_engine, docker_engine.realm, image=image.id, home=home))
        assert [one.id for one in docker_engine.containers()] == [odd]
        docker_engine.remove(odd)
        usual = docker_engine.run(spec(docker_engine, docker_engine.realm, home=home))
        looked = api.containers.get(usual).exec_run("stat -c %u:%g:%a /workspace")
        assert looked.output == b"20001:20002:700\n"
    finally:
        api.images.remove("remoteapp-test/odd", force=True)


def test_an_image_whose_accounts_would_fill_the_memory_is_refused(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    text = b"FROM remoteapp/hello\nRUN dd if=/dev/zero of=/etc/passwd bs=1M count=8\n"
    image, _ = api.images.build(fileobj=io.BytesIO(text), tag="remoteapp-test/accounts", rm=True)
    try:
        with pytest.raises(StartError, match="/etc/passwd is larger than"):
            docker_engine.run(spec(docker_engine, docker_engine.realm, image=image.id))
        assert docker_engine.containers() == []
    finally:
        # Nothing of it is left, and what goes has gone.
        used = {"ancestor": image.id}
        _until(lambda: not api.containers.list(all=True, filters=used, ignore_removed=True))
        api.images.remove("remoteapp-test/accounts")


def test_a_directory_of_the_host_is_mounted_and_never_made(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    missing = HomeMount(str(tmp_path / "missing"), is_volume=False)
    with pytest.raises(StartError, match="missing"):
        docker_engine.run(spec(docker_engine, docker_engine.realm, home=missing))
    assert not (tmp_path / "missing").exists()
    assert docker_engine.containers() == []


@pytest.mark.parametrize("one", BOTH)
@pytest.mark.parametrize("other", BOTH)
def test_containers_do_not_reach_each_other(
    docker_engine: DockerEngine, api: docker.DockerClient, one: Network, other: Network
) -> None:
    places = {20: one, 21: other}
    addresses = [address(docker_engine, place, network) for place, network in places.items()]
    specs = [
        spec(docker_engine, docker_engine.realm, network=network, address=where)
        for where, network in zip(addresses, places.values(), strict=True)
    ]
    containers = [docker_engine.run(wanted) for wanted in specs]
    for wanted in specs:
        _until(lambda wanted=wanted: _answers(wanted))
    inside = api.containers.get(containers[1])
    assert _connects(inside, addresses[1])  # the way to ask works
    assert not _connects(inside, addresses[0])


def test_a_container_on_the_closed_network_is_served_and_reaches_nobody_out_there(
    docker_engine: DockerEngine, api: docker.DockerClient, elsewhere: str
) -> None:
    reached = {}
    for network in BOTH:
        where = address(docker_engine, 30, network)
        wanted = spec(docker_engine, docker_engine.realm, network=network, address=where)
        container = api.containers.get(docker_engine.run(wanted))
        _until(lambda wanted=wanted: _answers(wanted))
        reached[network] = _connects(container, elsewhere, 80)
        dns = {"internet": None, "none": ["192.0.2.1"]}
        assert container.attrs["HostConfig"]["Dns"] == dns[network]
    assert reached == {"internet": True, "none": False}


def test_nothing_answers_at_the_address_of_what_was_cut_off(docker_engine: DockerEngine) -> None:
    wanted = spec(docker_engine, docker_engine.realm)
    container = docker_engine.run(wanted)
    _until(lambda: _answers(wanted))
    docker_engine.detach(container)
    assert not _answers(wanted)
    there = address(docker_engine, 40)
    docker_engine.attach(container, "internet", there)
    _until(lambda: _answers(replace(wanted, address=there)))
    assert not _answers(wanted)


@pytest.mark.parametrize(
    "earlier",
    [
        {"subnet": "10.213.128.0/20"},
        {"subnet": "10.213.136.0/21"},
        {"subnet": "10.213.128.0/21", "options": {}},
        {"subnet": "10.213.136.0/21", "suffix": "-closed"},
    ],
)
def test_a_network_of_another_shape_is_made_anew(
    api: docker.DockerClient, realms: str, earlier: dict[str, Any]
) -> None:
    old = _network(api, realms, **earlier)
    engine = DockerEngine(realms)
    assert IPv4Network(engine.session_range()).prefixlen == 20
    made = {name: api.networks.list(names=[f"^{name}$"])[0] for name in _names(realms)}
    shapes = [(one.attrs["Internal"], one.attrs["Options"]) for one in made.values()]
    icc = {"com.docker.network.bridge.enable_icc": "false"}
    assert shapes == [(False, icc), (True, icc)]
    assert old.id not in {one.id for one in made.values()}
    assert DockerEngine(realms).session_range() == engine.session_range()
    engine.close()


def test_a_range_that_is_set_is_the_one_and_no_other(api: docker.DockerClient, realms: str) -> None:
    old = _network(api, realms, subnet="10.213.128.0/21")
    wanted = IPv4Network("10.213.224.0/20")
    engine = DockerEngine(realms, session_range=wanted)
    assert engine.session_range() == str(wanted)
    assert (engine.range_of("internet"), engine.range_of("none")) == (
        "10.213.224.0/21",
        "10.213.232.0/21",
    )
    assert old.id not in {one.id for one in api.networks.list()}
    engine.close()


def test_a_range_that_is_set_and_taken_is_named(api: docker.DockerClient, realms: str) -> None:
    other = f"{realms}-other"
    taken = _network(api, other, subnet="10.213.240.0/24")
    engine = DockerEngine(realms, session_range=IPv4Network("10.213.240.0/20"))
    try:
        with pytest.raises(EngineUnavailableError, match="No range is free") as caught:
            engine.session_range()
        assert "10.213.240.0/20" in caught.value.hint
    finally:
        taken.remove()
        engine.close()


def test_a_network_of_another_shape_stays_while_a_container_is_on_it(
    api: docker.DockerClient, realms: str
) -> None:
    old = _network(api, realms, subnet="10.213.128.0/20")
    label = {RUN + "realm": realms}
    api.containers.create(HELLO, network=old.name, labels=label)
    engine = DockerEngine(realms)
    with pytest.raises(EngineUnavailableError, match=f"{old.name} .* 1 containers") as caught:
        engine.session_range()
    assert "docker rm" in caught.value.hint
    assert api.networks.get(old.id)
    engine.close()


def test_a_network_of_somebody_else_is_never_removed(api: docker.DockerClient, realms: str) -> None:
    network = api.networks.create(f"remoteapp-{realms}")
    engine = DockerEngine(realms)
    try:
        with pytest.raises(EngineUnavailableError, match="not this realm's"):
            engine.session_range()
        assert api.networks.get(network.id)
    finally:
        network.remove()
        engine.close()


def test_volumes_are_mounted_as_their_mode_says(
    docker_engine: DockerEngine, api: docker.DockerClient, tmp_path: Path
) -> None:
    for name in ("ro", "rw"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
        (tmp_path / name / "file").write_text(name)
    volumes = (
        Volume(str(tmp_path / "ro"), "/data/reference", "ro"),
        Volume(str(tmp_path / "rw"), "/data/lab", "rw"),
    )
    container = docker_engine.run(spec(docker_engine, docker_engine.realm, volumes=volumes))
    inside = api.containers.get(container)
    assert inside.exec_run("cat /data/reference/file /data/lab/file").output == b"rorw"
    assert inside.exec_run("touch /data/reference/mine").exit_code == 1
    assert inside.exec_run("touch /data/lab/mine").exit_code == 0
    assert [(tmp_path / name / "mine").exists() for name in ("ro", "rw")] == [False, True]
    ours = {one["Destination"]: one for one in inside.attrs["Mounts"] if "/data" in str(one)}
    assert {one["Propagation"] for one in ours.values()} == {"rprivate"}


def test_limits_are_changed_while_a_container_runs(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    container = docker_engine.run(spec(docker_engine, docker_engine.realm))
    docker_engine.limit(container, 64 * MIB, 10_000, 32)
    host = api.containers.get(container).attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 * MIB
    assert host["NanoCpus"] == api.info()["NCPU"] * 1_000_000_000
    assert host["PidsLimit"] == 32


def test_limits_that_the_kernel_refuses_are_an_error_of_the_container(
    docker_engine: DockerEngine,
) -> None:
    container = docker_engine.run(_busy(docker_engine))
    _told(docker_engine, container)
    with pytest.raises(StartError, match="refused"):
        docker_engine.limit(container, 16 * MIB, 0.5, 64)


@pytest.mark.parametrize("way", ["files", "statistics"])
def test_what_a_container_has_used_is_what_it_says_itself(
    images: None, tmp_path: Path, way: str
) -> None:
    del images
    places = {"files": docker_usage.CGROUPS, "statistics": tmp_path}
    with _docker_engine(f"test-{secrets.token_hex(4)}", cgroups=places[way]) as engine:
        container = engine.run(_busy(engine))
        told = _told(engine, container)
        found = engine.sample(container)
        assert found
        assert told > 0.5
        assert found.cpu_seconds == pytest.approx(told, rel=0.1)
        assert 50 * MIB <= found.memory <= 60 * MIB


def test_the_files_of_both_versions_of_control_groups_are_understood(tmp_path: Path) -> None:
    files = {
        "cpuacct/docker/one/cpuacct.usage": "2500000000\n",
        "memory/docker/one/memory.usage_in_bytes": "1000\n",
        "memory/docker/one/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
        "system.slice/docker-two.scope/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
        "system.slice/docker-two.scope/memory.current": "3000\n",
        "system.slice/docker-two.scope/memory.stat": "anon 7\ninactive_file 1000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    # No process has the number 0, as for an engine elsewhere.
    assert docker_usage.from_files("one", 0, tmp_path) == Sample(2.5, 600)
    assert docker_usage.from_files("two", 0, tmp_path) == Sample(1.5, 2000)
    assert docker_usage.from_files("three", 0, tmp_path) is None


def test_a_holder_is_no_container_of_a_session(
    docker_engine: DockerEngine, api: docker.DockerClient
) -> None:
    labels = {RUN + "realm": docker_engine.realm, HOLDER: "a home"}
    api.containers.create(HELLO, labels=labels)
    assert docker_engine.containers() == []


def test_an_engine_that_is_away_says_so() -> None:
    engine = DockerEngine("test", "unix:///nowhere.sock")
    for call in (engine.check, engine.session_range, engine.images, engine.containers):
        with pytest.raises(EngineUnavailableError):
            call()


def _until(true: object, seconds: float = 15) -> None:
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def _busy(engine: DockerEngine) -> ContainerSpec:
    """Use 50 MiB, let the kernel keep as much of a file, compute; tell the CPU time it took."""
    script = """
        dd if=/dev/zero of=$HOME/memory bs=1M count=50 status=none
        dd if=/dev/zero of=/tmp/file bs=1M count=50 status=none
        sh -c 'ulimit -t 1; while :; do :; done'
        times; echo done; sleep 60
    """
    command = ("bash", "-c", script)
    return spec(engine, engine.realm, command=command, memory=256 * MIB)


def _told(engine: DockerEngine, container: str) -> float:
    """Return the CPU-seconds that a busy container has told: its own and its children's."""
    _until(lambda: "done" in engine.log(container, 10))
    parts = re.findall(r"(\d+)m([\d.]+)s", engine.log(container, 10))
    return sum(60 * int(minutes) + float(seconds) for minutes, seconds in parts)


def _answers(wanted: ContainerSpec) -> bool:
    path = f"/user/alice/containers/{wanted.environment['URL_ID']}/"
    try:
        with urllib.request.urlopen(f"http://{wanted.address}:8888{path}", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _connects(container: Any, host: str, port: int = 8888) -> bool:
    """Whether a process of the container reaches that port."""
    words = ["timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]
    return bool(container.exec_run(words).exit_code == 0)


def _names(realm: str) -> list[str]:
    return list(docker_networks.names(realm).values())


def _network(
    api: docker.DockerClient,
    realm: str,
    *,
    subnet: str,
    suffix: str = "",
    options: dict[str, str] | None = None,
) -> Any:
    icc = {"com.docker.network.bridge.enable_icc": "false"}
    return api.networks.create(
        f"remoteapp-{realm}{suffix}",
        driver="bridge",
        options=icc if options is None else options,
        ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)]),
        labels={RUN + "realm": realm},
    )


@contextmanager
def _docker_engine(realm: str, **changes: Any) -> Iterator[DockerEngine]:
    with ExitStack() as undo:
        undo.callback(_clean, realm)
        directory = undo.enter_context(TemporaryDirectory())
        engine = DockerEngine(realm, directory=Path(directory), **changes)
        undo.callback(engine.close)
        yield engine


def _clean(realm: str) -> None:
    wanted = {"label": f"{RUN}realm={realm}"}
    with closing(docker.from_env()) as api:
        for container in api.containers.list(all=True, filters=wanted, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in api.networks.list(filters=wanted):
            network.remove()
        for volume in api.volumes.list(filters=wanted):
            volume.remove()
