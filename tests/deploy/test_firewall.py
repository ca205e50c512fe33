"""Who reaches sessions and whom sessions reach, tried from containers and as users of the host."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from deploy.hosts import Host, Play, until
from deploy.people import Site
from deploy.probing import (
    NO_WAY,
    REACHED,
    SHUT,
    SILENT,
    address_of,
    container_of,
    from_container,
    from_user,
    start_container,
)

UNIT = "remoteapp-firewall.service"
SETTLED = "80"  # of /proc/net/if_inet6: no longer tentative
CLOSED = "remoteapp-remoteapp-closed"
GATEWAY, CLOSED_GATEWAY = "10.213.0.1", "10.213.8.1"
METADATA = "169.254.169.254 80"
INTERNET = "192.0.2.1 443"  # an address of nobody's, which no rule names
ELSEWHERE = ("10.1.2.3 443", "100.64.0.1 443", "172.31.0.1 443", "192.168.1.1 443")


@pytest.fixture
def session(either: Site) -> Iterator[str]:
    """The container of a session that alice has started."""
    started = either.start("alice")
    yield container_of(either, started["id"])
    either.stop("alice", started["id"])


@pytest.fixture
def host(bookworm: Site) -> Iterator[Host]:
    """The portal's host, its engine's rules and its portal whole again afterwards."""
    yield bookworm.host
    bookworm.host.run(f"systemctl stop nftables; systemctl restart docker {UNIT}")
    bookworm.wait_until_ready()


def provision(host: Host, *words: str, **variables: Any) -> Play:
    return host.playbook("site.yml", "--tags", "firewall", *words, **variables)


def link_local(host: Host, container: str) -> dict[str, str]:
    """Return the container's IPv6 addresses on its network, and the flags of each."""
    shown = host.out(f"docker exec {container} cat /proc/net/if_inet6")
    found = re.findall(r"(?m)^(fe80\w+) \w+ \w+ \w+ (\w+) +eth0$", shown)
    return {":".join(re.findall("....", address)): flags for address, flags in found}


def is_settled(host: Host, container: str) -> bool:
    return {*link_local(host, container).values()} <= {SETTLED}


def stands(host: Host) -> bool:
    return host.run("nft list table inet remoteapp", check=False).returncode == 0


def test_of_the_users_of_a_host_the_portal_alone_reaches_a_session(
    either: Site, session: str
) -> None:
    target = f"{address_of(either.host, session)} 8888"
    accounts = ("remoteapp", "remoteapp-forwarder", "remoteapp-engine", "remoteapp-pam")
    users = ("root", "www-data", *accounts, "ops", "nobody")
    assert {user: from_user(either.host, user, target) for user in users} == {
        "root": REACHED,
        "www-data": REACHED,
        "remoteapp": REACHED,
        "remoteapp-forwarder": REACHED,
        "remoteapp-engine": REACHED,  # it checks images
        "remoteapp-pam": SHUT,
        "ops": SHUT,
        "nobody": SHUT,
    }


def test_a_session_reaches_no_service_of_its_host(either: Site, session: str) -> None:
    own = address_of(either.host, session)
    portal = (f"{either.host.address} 443", f"{either.host.address} 80")
    services = (f"{GATEWAY} 22", f"{CLOSED_GATEWAY} 22", f"{either.host.address} 22", *portal)
    assert from_container(either.host, session, services) == dict.fromkeys(services, SHUT)
    either.host.run(f"systemctl stop {UNIT}")
    try:
        assert from_container(either.host, session, services) == dict.fromkeys(services, REACHED)
        assert from_user(either.host, "ops", f"{own} 8888") == REACHED
    finally:
        either.host.run(f"systemctl start {UNIT}")


def test_a_session_reaches_no_private_network_and_no_metadata(either: Site, session: str) -> None:
    router = either.host.out("ip -4 route show default | awk '{print $3}'")
    targets = (METADATA, f"{router} 22", *ELSEWHERE)
    assert from_container(either.host, session, targets) == dict.fromkeys(targets, SHUT)
    assert from_container(either.host, session, [INTERNET])[INTERNET] != SHUT


def test_a_session_finds_names_at_the_host_s_name_servers(either: Site, session: str) -> None:
    assert either.host.out(f"docker exec {session} getent hosts deb.debian.org")
    named = either.host.out("cat /etc/resolv.conf")
    for server in re.findall(r"(?m)^nameserver ((?!127)[0-9.]+)$", named):
        other = f"{server} 853"
        if re.match(r"10[.]|172[.](1[6-9]|2\d|3[01])[.]|192[.]168[.]", server):
            assert from_container(either.host, session, [other]) == {other: SHUT}


def test_sessions_reach_neither_each_other_nor_other_containers(either: Site, session: str) -> None:
    other = start_container(either.host, "remoteapp-remoteapp")
    apart = start_container(either.host, "bridge")
    try:
        targets = [f"{address_of(either.host, one)} 8888" for one in (other, apart)]
        assert from_container(either.host, session, targets) == dict.fromkeys(targets, SHUT)
        back = f"{address_of(either.host, session)} 8888"
        assert from_container(either.host, apart, [back]) == {back: SHUT}
    finally:
        either.host.run(f"docker rm --force {other} {apart}")


def test_sessions_do_not_reach_each_other_by_ipv6_where_an_engine_leaves_it_on(
    either: Site, session: str
) -> None:
    host = either.host
    other = start_container(host, "remoteapp-remoteapp")
    try:
        for container in (session, other):
            until(partial(is_settled, host, container))
        for address in link_local(host, other):  # none where the engine has switched IPv6 off
            target = f"{address}%eth0 8888"
            assert from_container(host, session, [target]) == {target: SILENT}
            host.run(f"systemctl stop {UNIT}")
            assert from_container(host, session, [target]) == {target: REACHED}
    finally:
        host.run(f"docker rm --force {other}; systemctl start {UNIT}")


def test_a_session_without_internet_reaches_nothing_and_is_reached(either: Site) -> None:
    closed = start_container(either.host, CLOSED)
    try:
        name_server = either.host.out("awk '/^nameserver/ {print $2; exit}' /etc/resolv.conf")
        inside = (f"{CLOSED_GATEWAY} 22", f"{either.host.address} 443", f"{name_server} 53")
        targets = (*inside, METADATA, INTERNET, *ELSEWHERE)
        found = from_container(either.host, closed, targets)
        assert found[f"{CLOSED_GATEWAY} 22"] == SHUT
        # Newer engines give such a network no way out either.
        assert {*found.values()} <= {SHUT, NO_WAY}
        target = f"{address_of(either.host, closed)} 8888"
        until(lambda: from_user(either.host, "root", target) == REACHED)
        assert from_user(either.host, "www-data", target) == REACHED
        assert from_user(either.host, "ops", target) == SHUT
    finally:
        either.host.run(f"docker rm --force {closed}")


@pytest.mark.variant
def test_what_an_operator_allows_is_reached_and_nothing_else(bookworm: Site) -> None:
    started = bookworm.start("alice")
    session = container_of(bookworm, started["id"])
    own = bookworm.host.address
    targets = (f"{own} 22", f"{own} 443", f"{GATEWAY} 22")
    try:
        provision(bookworm.host, remoteapp_firewall_allow=[{"network": own, "ports": [22]}])
        expected = {f"{own} 22": REACHED, f"{own} 443": SHUT, f"{GATEWAY} 22": SHUT}
        assert from_container(bookworm.host, session, targets) == expected
        udp = {"network": "10.0.0.0/8", "ports": [53, 123], "protocol": "udp"}
        more = [udp, {"network": "10.1.0.0/16"}]
        provision(bookworm.host, remoteapp_firewall_allow=more, remoteapp_firewall_users=["ops"])
        target = f"{address_of(bookworm.host, session)} 8888"
        assert from_user(bookworm.host, "ops", target) == REACHED
        expected = {f"{GATEWAY} 22": SHUT, "10.1.2.3 443": SILENT, "10.2.2.3 443": SHUT}
        found = from_container(bookworm.host, session, expected)
        assert {**found, "10.1.2.3 443": found["10.1.2.3 443"] != SHUT} == {
            **expected,
            "10.1.2.3 443": True,
        }
    finally:
        provision(bookworm.host)
        bookworm.stop("alice", started["id"])


def test_a_restart_of_the_engine_leaves_the_firewall_standing(host: Host) -> None:
    host.run("systemctl restart docker.service")
    assert stands(host)


def test_whatever_the_host_does_with_its_own_rules_ours_come_back(host: Host) -> None:
    host.run(f"systemctl start nftables; systemctl restart {UNIT}")
    for verb in ("restart nftables", "reload nftables", "stop nftables; systemctl start nftables"):
        host.run(f"systemctl {verb}")
        until(lambda: stands(host), why=f"{verb}: the table is gone")
    host.run("systemctl stop nftables")
    until(lambda: not stands(host))
    assert host.out(f"systemctl is-active {UNIT} || :") == "inactive"


def test_a_run_puts_back_what_somebody_flushed(host: Host) -> None:
    host.run("nft delete table inet remoteapp")
    told = provision(host, "--check")
    assert (told.changed > 0, stands(host)) == (True, False)
    assert provision(host).changed > 0
    assert stands(host)
    assert provision(host, "--check", "--diff").changed == 0


@pytest.mark.variant
def test_a_variable_takes_the_firewall_away(host: Host) -> None:
    try:
        assert provision(host, remoteapp_firewall=False).changed > 0
        assert not stands(host)
        assert host.out("ls /etc/systemd/system/*firewall* /etc/remoteapp/*.nft || :") == ""
        assert provision(host, remoteapp_firewall=False).changed == 0
    finally:
        provision(host)
    assert stands(host)


def test_a_network_that_is_none_stops_the_run_and_the_rules_stay(bookworm: Site) -> None:
    before = bookworm.host.out("nft list table inet remoteapp")
    wrong = [{"network": "10.1.2.3/99", "ports": [22]}]
    play = bookworm.host.playbook(
        "site.yml", "--tags", "firewall", check=False, remoteapp_firewall_allow=wrong
    )
    assert play.counts["failed"] == 1
    assert "10.1.2.3/99" in play.output
    assert bookworm.host.out("nft list table inet remoteapp") == before
