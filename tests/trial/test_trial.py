"""`make trial`, from one command to a desktop, and back to the machine as it was."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from portal import free_port
from trial.command import LABEL, RUN, Machine, Trial, docker, machine, trial, until, working_in

from control_plane.trial import engine, gateway, processes
from control_plane.trial.host import pam_service
from control_plane.trial.locks import held
from control_plane.trial.places import CLONE

# On a bare machine the first one installs packages and builds every image.
BUILDING_SECONDS = 1800


@pytest.fixture
def before(tmp_path: Path) -> Machine:
    with pam_service():  # one that a killed run left goes with this one
        pass
    shutil.rmtree(RUN, ignore_errors=True)  # as does its directory
    with engine.provided(tmp_path):  # it clears away what one that was killed left of containers
        pass
    return machine()


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Trial]:
    with trial(free_port(), free_port(), tmp_path / "trial.log") as one:
        yield one


@contextmanager
def client(ready: dict[str, str]) -> Iterator[httpx.Client]:
    """Have a client of the demo user, who shows a token."""
    trust = ssl.create_default_context(cafile=ready["PORTAL_CA"])
    url = ready["PORTAL_URL"]
    with httpx.Client(base_url=url, verify=trust, trust_env=False, timeout=30) as one:
        credentials = (ready["DEMO_USER"], ready["DEMO_PASSWORD"])
        answer = one.post("/api/v1/tokens", json={"name": "trial"}, auth=credentials)
        assert answer.status_code == 201, answer.text
        one.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield one


def start_terminal(portal: httpx.Client) -> dict[str, Any]:
    catalogue = portal.get("/api/v1/applications").json()["items"]
    terminal = next(one for one in catalogue if one["image"] == "remoteapp/terminal:latest")
    assert terminal["policy"]["share"] == "control"
    answer = portal.post("/api/v1/sessions", json={"grant_id": terminal["grant_id"]})
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = portal.get(f"/api/v1/sessions/{answer.json()['id']}").json()
        if found["state"] == "ready":
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def service_pid() -> int:
    found = processes.recall(RUN / "control-plane.process")
    return found.pid if found else 0


def is_ready(portal: httpx.Client) -> bool:
    try:
        return portal.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def assert_nothing_is_left(one: Trial, before: Machine) -> None:
    assert machine() == before
    assert not gateway.busy(one.port)
    assert not gateway.busy(one.apps_port)
    assert not working_in(f"{CLONE}/.venv/bin/control-plane")
    assert not working_in(f"{CLONE}/var/nginx")
    assert not docker("network", "ls", "--quiet", "--filter", LABEL)


@pytest.mark.timeout(BUILDING_SECONDS)
def test_one_command_makes_a_portal_and_two_interrupts_take_it_away(
    before: Machine, launched: Trial
) -> None:
    launched.start()
    ready = launched.wait_until_ready()
    with client(ready) as portal:
        session = start_terminal(portal)
        assert session["url"].startswith(f"https://localhost:{launched.apps_port}/user/")
        assert portal.get(session["url"]).status_code == 200
        assert docker("ps", "--quiet", "--filter", LABEL)

        killed = service_pid()
        os.kill(killed, signal.SIGKILL)
        until(lambda: service_pid() not in (0, killed), 10, "the control plane is started again")
        until(lambda: is_ready(portal), 30, "the portal is ready again")
        assert portal.get(f"/api/v1/sessions/{session['id']}").json()["state"] == "ready"

        nginx = processes.recall(RUN / "nginx.process")
        assert nginx
        os.kill(nginx.pid, signal.SIGKILL)
        until(
            lambda: processes.recall(RUN / "nginx.process") != nginx, 10, "nginx is started again"
        )
        until(lambda: is_ready(portal), 30, "the portal is ready again")
        assert portal.get(session["url"]).status_code == 200

    launched.interrupt()
    time.sleep(0.3)
    launched.interrupt()
    launched.wait_until_gone()
    assert_nothing_is_left(launched, before)
    assert "firewall" in launched.text


@pytest.mark.timeout(BUILDING_SECONDS)
def test_the_next_trial_mends_what_a_killed_one_left(before: Machine, launched: Trial) -> None:
    launched.start()
    first = launched.wait_until_ready()
    with client(first) as portal:
        start_terminal(portal)
    launched.kill()
    assert gateway.busy(launched.port), "nginx has outlived its launcher"
    assert docker("ps", "--quiet", "--filter", LABEL)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        # As if the kernel had given the number of a part that died to somebody else.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        (RUN / "recycled.process").write_text(f"{stranger.pid} 1 {boot}")

        launched.start()
        assert launched.wait_until_ready() == first
        assert stranger.poll() is None
        stranger.kill()
    assert not docker("ps", "--all", "--quiet", "--filter", LABEL)
    with client(first) as portal:
        start_terminal(portal)

    launched.close()
    assert_nothing_is_left(launched, before)


@pytest.mark.parametrize("name", ["TRIAL_PORT", "TRIAL_APPS_PORT"])
def test_a_port_in_use_is_refused_before_anything_begins(
    before: Machine, launched: Trial, name: str
) -> None:
    port = launched.port if name == "TRIAL_PORT" else launched.apps_port
    with socket.create_server(("127.0.0.1", port)):
        launched.start()
        assert launched.make.wait(60) != 0
    assert f"port {port} is in use. Choose another: make trial {name}={port + 10}" in launched.text
    assert machine() == before


def test_a_second_trial_is_refused(before: Machine, launched: Trial) -> None:
    with held(Path("/run/remoteapp-trial.lock")) as is_ours:
        assert is_ours
        launched.start()
        assert launched.make.wait(60) != 0
    assert "another trial runs on this machine" in launched.text
    assert machine() == before
