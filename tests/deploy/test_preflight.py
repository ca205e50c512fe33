"""What stops the provisioning of a host before anything is changed on it, and how it says so."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from deploy import hosts
from deploy.hosts import Host, Play

LISTING = "dpkg -l; ls -laR /etc /opt /usr/local /root /var/lib/remoteapp 2>&1; getent passwd"
SERVER = "systemd-run --unit=stranger-{0} --quiet python3 -m http.server {0}"


@pytest.fixture(scope="module")
def bare() -> Iterator[Host]:
    with hosts.running("preflight", "bookworm") as host:
        yield host


def refused(host: Host, **variables: Any) -> str:
    """Run site.yml, which has to stop; return what it printed, in one line of words."""
    play = looked(host, **variables)
    assert play.status == 2, play.output
    assert play.changed == 0
    return " ".join(play.output.replace("\\n", " ").split())


def listens(host: Host, port: int) -> bool:
    return bool(host.run(f"ss -Hltn sport = :{port}", check=False).stdout)


def looked(host: Host, **variables: Any) -> Play:
    before = host.out(LISTING)
    play = host.playbook("site.yml", "--tags", "preflight", check=False, **variables)
    assert host.out(LISTING) == before
    return play


def test_a_host_that_is_fit_is_only_warned_about(bare: Host) -> None:
    play = looked(bare, remoteapp_public_url="https://remote.example.invalid")
    assert (play.status, play.changed) == (0, 0), play.output
    assert "Warning: Name: remote.example.invalid of remoteapp_public_url is unknown" in play.output


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"remoteapp_keep_relases": 2},
            "No role knows remoteapp_keep_relases (did you mean remoteapp_keep_releases?)",
        ),
        ({"remoteapp_keep_releases": "few"}, "argument 'remoteapp_keep_releases' is of type"),
        (
            {
                "remoteapp_renamed_variables": {"remoteapp_subnet": "remoteapp_session_range"},
                "remoteapp_subnet": "10.213.0.0/20",
            },
            "remoteapp_subnet is called remoteapp_session_range now.",
        ),
        (
            {"remoteapp_public_url": "https://remote.example.org/portal"},
            "remoteapp_public_url = https://remote.example.org/portal: it must be an https address",
        ),
        (
            {"remoteapp_session_range": "10.213.0.0/24"},
            "remoteapp_session_range = 10.213.0.0/24: it must be a private range",
        ),
        (
            {"remoteapp_settings": {"apps_port": 443}},
            "apps_port = 443 in remoteapp_settings: it must be a port that nothing else has",
        ),
        (
            {"remoteapp_settings": {"apps_domain": "portal.example.test"}},
            "is below it, so every application could set cookies for the portal.",
        ),
        (
            {
                "remoteapp_settings": {"apps_domain": "apps.example.org"},
                "remoteapp_certificate": "acme",
            },
            "needs a certificate for *.apps.example.org, which authorities issue by DNS alone",
        ),
        (
            {"remoteapp_least_memory_megabytes": 10**9},
            "MB; at least 1000000000 MB are needed.",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_variable_stops_it_by_its_name(
    bare: Host, variables: dict[str, Any], said: str
) -> None:
    assert said in refused(bare, **variables)


def test_a_secret_among_the_settings_is_refused_by_the_name_of_its_key(bare: Host) -> None:
    oidc = {"issuer": "https://login.example.org", "client_id": "x", "client_secret": "hunter2"}
    said = refused(bare, remoteapp_settings={"auth": {"oidc": oidc}})
    assert "remoteapp_settings holds a secret (a key client_secret" in said
    assert "hunter2" not in said


def test_all_that_is_in_the_way_on_the_host_is_said_at_once(bare: Host) -> None:
    bare.run("mkdir -p /var/lib/remoteapp && mount -t tmpfs -o size=100m none /var/lib/remoteapp")
    bare.run("ip address add 10.213.3.1/24 dev eth0")
    for port in (80, 8444):
        bare.run(SERVER.format(port))
        hosts.until(partial(listens, bare, port))
    try:
        said = refused(bare, remoteapp_python="/opt/python3", remoteapp_least_disk_megabytes=200)
    finally:
        bare.run("ip address del 10.213.3.1/24 dev eth0; systemctl stop 'stranger-*'")
        bare.run("umount /var/lib/remoteapp && rmdir /var/lib/remoteapp")
    assert "remoteapp_python: /opt/python3 does not run on the host; at least 3.11." in said
    assert "Disk: 100 MB are free for /var/lib/remoteapp" in said
    for port in (80, 8444):
        assert f"Port {port}: python3 listens on it; only nginx may." in said
    assert "remoteapp_session_range = 10.213.0.0/20: the host reaches 10.213.3.0/24" in said
    assert "remoteapp_session_range = 10.213.0.0/20: the host has 10.213.3.1." in said


def test_a_distribution_that_nobody_has_tried_is_a_matter_of_asking_for_it(bare: Host) -> None:
    known = {"remoteapp_supported_distributions": {"Ubuntu": ["24.04"]}}
    said = refused(bare, **known)
    assert 'Debian 12: the roles are for {"Ubuntu": ["24.04"]}' in said.replace("\\", "")
    play = looked(bare, **known, remoteapp_allow_other_distribution=True)
    assert play.status == 0, play.output
