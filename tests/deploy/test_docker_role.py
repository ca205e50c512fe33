"""The engine that the role installs, and one that it finds."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest
from deploy import hosts
from deploy.hosts import Host, Play
from deploy.people import HELLO, Site
from deploy.probing import start_container

from control_plane.adapters.docker_api import REALM
from control_plane.adapters.docker_networks import Wanted, halves, names

RANGE = IPv4Network("10.213.0.0/20")
DAEMON = "/etc/docker/daemon.json"
OWN = {"debug": True, "log-opts": {"max-file": "7"}}
POOLS: dict[str, Any] = {"remoteapp_docker_address_pools": [{"base": "10.213.4.0/22", "size": 24}]}


def provision(host: Host, *words: str, check: bool = True, **variables: Any) -> Play:
    return host.playbook("site.yml", "--tags", "docker", *words, check=check, **variables)


def is_live(host: Host) -> bool:
    return host.out("docker info --format '{{.LiveRestoreEnabled}}' 2>/dev/null") == "true"


def started_at(host: Host) -> str:
    return host.out("systemctl show --property ExecMainStartTimestampMonotonic docker.service")


@pytest.fixture(scope="module")
def found(host_images: None) -> Iterator[Host]:  # noqa: ARG001 - they have to be
    """A host that had an engine before, with settings of its own."""
    with hosts.running("found", "trixie") as host:
        host.run("mkdir /etc/docker")
        host.put(DAEMON, json.dumps(OWN))
        host.run("apt-get install -y --no-install-recommends docker.io docker-cli iptables")
        host.load(HELLO)
        yield host


def test_an_engine_of_ours_has_what_sessions_need(either: Site) -> None:
    host = either.host
    assert json.loads(host.out("cat /etc/remoteapp/engine.json"))["engine"] == "ours"
    assert is_live(host)
    daemon = json.loads(host.out(f"cat {DAEMON}"))
    assert daemon["log-opts"] == {"max-size": "50m", "max-file": "3"}
    host.run("docker network create by-chance")
    template = "{{(index .IPAM.Config 0).Subnet}}"
    subnet = host.out(f"docker network inspect --format '{template}' by-chance")
    host.run("docker network rm by-chance")
    assert subnet.startswith(("172.17.", "172.29.", "192.168.24"))
    assert subnet.endswith("/24")


def test_the_session_networks_are_those_that_the_control_plane_wants(either: Site) -> None:
    for network, subnet in halves(RANGE).items():
        name = names("remoteapp")[network]
        inspected = json.loads(either.host.out(f"docker network inspect {name}"))[0]
        assert Wanted(name, subnet, internal=network == "none").describes(inspected)
        assert inspected["Labels"] == {REALM: "remoteapp"}


@pytest.mark.variant
def test_a_setting_that_the_engine_can_reload_restarts_nothing(bookworm: Site) -> None:
    before = started_at(bookworm.host)
    play = provision(bookworm.host, remoteapp_docker_settings={"max-concurrent-downloads": 2})
    try:
        assert play.changed > 0
        assert started_at(bookworm.host) == before
    finally:
        provision(bookworm.host)
    assert started_at(bookworm.host) == before


@pytest.mark.variant
def test_any_other_setting_restarts_the_engine_and_no_session(bookworm: Site) -> None:
    session = bookworm.start("alice")
    containers, before = bookworm.host.out("docker ps --quiet"), started_at(bookworm.host)
    try:
        provision(bookworm.host, remoteapp_docker_log_max_size="40m")
        assert started_at(bookworm.host) != before
        assert bookworm.host.out("docker ps --quiet") == containers
    finally:
        provision(bookworm.host)
        bookworm.wait_until_ready()
    bookworm.stop("alice", session["id"])


def test_pools_that_hold_sessions_addresses_stop_the_run(bookworm: Site) -> None:
    play = provision(bookworm.host, check=False, **POOLS)
    assert play.counts["failed"] == 1
    assert "remoteapp_docker_address_pools 10.213.4.0/22" in play.output


@pytest.mark.variant
def test_a_network_of_another_shape_is_made_anew_unless_somebody_is_on_it(found: Host) -> None:
    name = names("other")["internet"]
    found.run(f"docker network create --label {REALM}=other {name}")
    start_container(found, name)
    variables: dict[str, Any] = {"remoteapp_realm": "other"}
    variables["remoteapp_session_range"] = "10.214.0.0/20"
    play = provision(found, check=False, **variables)
    assert play.counts["failed"] == 1
    assert "1 containers are on it" in play.output
    found.run(f"docker rm --force probe-{name}")
    assert provision(found, **variables).changed > 0
    assert provision(found, **variables).changed == 0
    found.run(f"docker network rm {name} {names('other')['none']}")


@pytest.mark.variant
def test_an_engine_that_was_there_is_left_as_found_and_what_lacks_is_named(found: Host) -> None:
    before = started_at(found)
    for _ in range(2):
        play = provision(found)
        assert "WARNING: live-restore: a restart of the engine ends all sessions" in play.output
        assert "WARNING: log-opts: " in play.output
        assert "WARNING: iptables" not in play.output
    assert play.changed == 0
    assert json.loads(found.out(f"cat {DAEMON}")) == OWN
    assert started_at(found) == before
    mark = json.loads(found.out("cat /etc/remoteapp/engine.json"))
    assert mark == {"engine": "found", "packages": []}


@pytest.mark.variant
def test_an_engine_that_was_there_is_set_up_when_asked_and_its_containers_run_on(
    found: Host,
) -> None:
    provision(found)
    start_container(found, "bridge")
    containers, before = found.out("docker ps --quiet"), started_at(found)
    told = provision(found, "--check", "--diff", remoteapp_docker_adopt=True)
    assert (told.changed > 0, is_live(found)) == (True, False)
    provision(found, remoteapp_docker_adopt=True)
    assert is_live(found)
    assert started_at(found) != before
    assert found.out("docker ps --quiet") == containers
    daemon = json.loads(found.out(f"cat {DAEMON}"))
    assert daemon["debug"] is True
    assert json.loads(found.out("cat /etc/remoteapp/engine-daemon-as-found.json")) == OWN
    assert provision(found, remoteapp_docker_adopt=True).changed == 0
    found.run("docker rm --force probe-bridge")
