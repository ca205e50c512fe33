"""The units on a host that systemd runs: what dies comes back, and nobody notices a restart."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from deploy.hosts import until
from deploy.load import under_load
from deploy.people import HELLO, Site

SPOOL = "/var/lib/remoteapp/routes/spool"
STATUS = "/run/remoteapp-routes/status.json"
RESTARTS = 20
CHANGES = 200
# As the control plane hands routes over: written beside the spool, renamed into it.
HAND_OVER = f"""
import os, time
for number in range(1, {CHANGES} + 1):
    if number % 40 == 0:
        os.makedirs("{SPOOL}/junk-" + str(number) + "/more")
        os.symlink("/etc/shadow", "{SPOOL}/link-" + str(number))
    if number == 100:
        os.symlink("/etc/shadow", "{SPOOL}/candidate-link")
    beside = "/var/lib/remoteapp/routes/.test"
    with open(beside, "w") as file:
        file.write("%032x 10.213.0.9:%d\\n" % (1, 9000 + number))
    os.replace(beside, "{SPOOL}/candidate")
    time.sleep(10 / {CHANGES})
"""


@pytest.fixture
def site(bookworm: Site) -> Iterator[Site]:
    """The portal, whole again afterwards."""
    yield bookworm
    mend(bookworm)


@pytest.fixture
def session(site: Site) -> Iterator[dict[str, Any]]:
    """A session of alice's that has an end."""
    grant = site.remoteappdb(f"app grant {HELLO} alice --max-lifetime 8h")
    with site.api("alice") as api:
        answer = api.post("/api/v1/sessions", json={"grant_id": grant})
        started = site.wait_for(api, answer.json()["id"], "ready")
    yield started
    mend(site)
    site.remoteappdb(f"app revoke {HELLO} alice --max-lifetime 8h")
    with site.api("alice") as api:
        path = f"/api/v1/sessions/{started['id']}"
        until(lambda: api.get(path).json()["state"] == "stopped")


def mend(site: Site) -> None:
    site.host.run("systemctl start nginx.service docker.service remoteapp.target")
    site.wait_until_ready()


def pid(site: Site, unit: str) -> int:
    return int(site.host.out(f"systemctl show --property=MainPID --value {unit}"))


def is_back(site: Site, unit: str, before: int) -> bool:
    return pid(site, unit) not in (0, before)


def answers(site: Site, url: str) -> int:
    with site.api("alice") as api:
        return api.get(url).status_code


def test_of_200_changes_in_10_seconds_the_last_one_stands_whatever_else_lies_there(
    site: Site,
) -> None:
    # Else the control plane would hand over its own set between two of ours.
    site.host.run("systemctl stop remoteapp.service remoteapp.socket")
    site.host.run("runuser -u remoteapp -- python3 -", given=HAND_OVER)
    until(lambda: site.host.run(f"ls -A {SPOOL}").stdout == "", why="the spool is not emptied")
    state = "systemctl show --property=ActiveState --value remoteapp-routes.service"
    until(lambda: site.host.out(state) == "inactive")
    status = json.loads(site.host.out(f"cat {STATUS}"))
    assert (status["refused"], status["error"]) == ([], "")
    installed = site.host.out("cat /etc/nginx/remoteapp/routes.conf")
    assert f"10.213.0.9:{9000 + CHANGES}" in installed
    assert site.host.out("systemctl is-active remoteapp-routes.path") == "active"


@pytest.mark.timeout(600)
def test_20_restarts_of_the_control_plane_fail_nobodys_request(
    site: Site, session: dict[str, Any]
) -> None:
    with under_load(site, session["id"], session["url"]) as load:
        for _ in range(RESTARTS):
            load.wait_for_more()
            site.host.run("systemctl restart remoteapp.service")
        load.wait_for_more()
    print(f"\n{RESTARTS} restarts: {dict(load.done)}")  # noqa: T201 - a figure
    assert load.wrong == []
    assert min(load.done[kind] for kind in ("GET", "POST", "application", "stream")) >= RESTARTS


@pytest.mark.parametrize(
    "unit",
    [
        *("remoteapp.service", "nginx.service", "docker.service"),
        *("remoteapp-engine.service", "remoteapp-forwarder.service"),
    ],
)
def test_what_is_killed_comes_back_and_the_session_with_it(
    site: Site, session: dict[str, Any], unit: str
) -> None:
    before = pid(site, unit)
    site.host.run(f"kill -9 {before}")
    until(lambda: is_back(site, unit, before))
    site.wait_until_ready()
    assert answers(site, session["url"]) == httpx.codes.OK


def test_a_service_that_hangs_is_noticed_and_started_again(
    site: Site, session: dict[str, Any]
) -> None:
    before = pid(site, "remoteapp.service")
    site.host.run(f"kill -STOP {before}")
    until(lambda: is_back(site, "remoteapp.service", before), 120)
    site.wait_until_ready()
    assert site.host.out("systemctl show --property=NRestarts --value remoteapp.service") != "0"
    assert answers(site, session["url"]) == httpx.codes.OK


def test_a_portal_that_is_stopped_leaves_what_runs(site: Site, session: dict[str, Any]) -> None:
    running = site.host.out("docker ps --quiet")
    assert answers(site, session["url"]) == httpx.codes.OK
    site.host.run("systemctl stop remoteapp.target")
    parts = ("", "-engine", "-pam", "-forwarder")
    names = [f"remoteapp{part}.{kind}" for part in parts for kind in ("service", "socket")]
    names += ["remoteapp-forwarder-control.socket", "remoteapp-routes.path"]
    ask = f"systemctl is-active {' '.join(names)} || true"
    until(lambda: site.host.out(ask).split() == ["inactive"] * len(names))
    assert site.host.out("docker ps --quiet") == running
    assert answers(site, session["url"]) == httpx.codes.OK
    with site.host.client(Accept="text/html") as guest:
        assert guest.get("/").status_code == httpx.codes.SERVICE_UNAVAILABLE
    site.host.run("systemctl start remoteapp.target")
    site.wait_until_ready()
    assert answers(site, session["url"]) == httpx.codes.OK


def test_everything_is_ended_by_the_operators_word_while_the_portal_is_stopped(site: Site) -> None:
    started = site.start("bob")
    site.host.run("systemctl stop remoteapp.target")
    said = site.host.out("control-plane sessions stop --all --reason 'new disks'")
    assert said == "Stopped: 1"
    assert site.host.out("docker ps --quiet") == ""
    site.host.run("systemctl start remoteapp.target")
    site.wait_until_ready()
    with site.api("bob") as api:
        ended = api.get(f"/api/v1/sessions/{started['id']}").json()
    assert ended["ends_because"] == "stopped by the operator: new disks"
    assert site.host.out("control-plane sessions stop --all") == "Stopped: 0"


def test_the_running_services_have_no_rights_of_roots(site: Site) -> None:
    groups = {"remoteapp": [], "remoteapp-engine": ["docker"], "remoteapp-forwarder": []}
    for name, more in groups.items():
        status = site.host.out(f"cat /proc/{pid(site, f'{name}.service')}/status")
        found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert (found["CapEff"].strip("0"), found["CapBnd"].strip("0")) == ("", "")
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
        assert found["Uid"].split()[0] == site.host.out(f"id -u {name}")
        held = site.host.out(f"getent group {found['Groups']} | cut -d : -f 1").split()
        assert set(held) == {name, *more}


@pytest.mark.parametrize("name", ["engine", "pam", "forwarder-control"])
def test_the_host_s_other_users_reach_no_socket_of_the_control_plane_s(
    site: Site, name: str
) -> None:
    path = f"/run/remoteapp/{name}.sock"
    line = f"import socket; socket.socket(socket.AF_UNIX).connect('{path}')"
    for user in ("ops", "www-data", "remoteapp-forwarder", "remoteapp-pam"):
        done = site.host.run(f'runuser -u {user} -- python3 -c "{line}"', check=False)
        assert "PermissionError" in done.stderr, (user, done)
