"""A Docker engine that answers: the one that runs, or one that we start and stop again.

Invariant: only an engine that we started is ever stopped, also after its launcher was killed.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from control_plane.errors import ControlPlaneError
from control_plane.trial import controllers, processes, programs
from control_plane.trial.locks import held
from control_plane.trial.progress import step
from control_plane.trial.supervised import Command, Supervised, failed

RUN = Path("/run/remoteapp-engine")
_LOCK = RUN.with_suffix(".lock")
_DAEMON = RUN / "dockerd.process"
_BY_SYSTEMD = RUN / "systemd"
_CONTAINERD = Path("/run/docker/containerd/containerd.pid")
_UNITS = ("docker.service", "docker.socket")
_START_SECONDS = 60
_STOP_SECONDS = 40
_POLL = 0.1

Pulse = Callable[[], None]


def answers() -> bool:
    """Whether an engine answers at DOCKER_HOST, or at the local socket."""
    with suppress(DockerException, requests.RequestException, OSError):
        client = docker.from_env(timeout=5)
        try:
            return bool(client.ping())
        finally:
            client.close()
    return False


@contextmanager
def provided(logs: Path, pulse: Pulse = lambda: None) -> Iterator[bool]:
    """Have an engine until the end; yield whether it is one that we started.

    `pulse` is called while we wait; what it raises ends the start.
    """
    with ExitStack() as stack:
        if stack.enter_context(held(_LOCK)):
            mend()
            if ours := not answers():
                stack.enter_context(_started(logs, pulse))
        else:  # another launcher's, which lives
            ours = False
            _wait_for_answer(pulse, "The engine that another launcher started")
        yield ours


def mend() -> None:
    """End the engine that a killed launcher left, and what was mounted for it."""
    if leader := processes.recall(_DAEMON):
        processes.end(leader, _STOP_SECONDS)
        _wait_for_containerd()
    if _BY_SYSTEMD.exists():
        programs.must(["systemctl", "stop", *_UNITS])
    controllers.unmount(RUN)
    shutil.rmtree(RUN, ignore_errors=True)


@contextmanager
def _started(logs: Path, pulse: Pulse) -> Iterator[None]:
    if host := os.environ.get("DOCKER_HOST"):
        raise ControlPlaneError(
            f"No engine answers at DOCKER_HOST = {host}.",
            "Start it, or unset the variable to have one started here.",
        )
    RUN.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(mend)
        with step("Starting the Docker engine"):
            if Path("/run/systemd/system").exists():
                _start_unit(pulse)
            else:
                _start_daemon(stack, logs, pulse)
        try:
            yield
        finally:
            with step("Stopping the Docker engine"):
                stack.close()


def _start_unit(pulse: Pulse) -> None:
    _BY_SYSTEMD.touch()
    programs.must(["systemctl", "start", _UNITS[0]])
    _wait_for_answer(pulse, "docker.service (see journalctl -u docker)")


def _start_daemon(stack: ExitStack, logs: Path, pulse: Pulse) -> None:
    controllers.mount(RUN)
    log_file = logs / "dockerd.log"
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    command = Command(
        name="dockerd", words=("dockerd",), log=log_file, environment={**os.environ, "PATH": path}
    )
    daemon = Supervised(command, _DAEMON, restart=False)
    stack.callback(daemon.stop, _STOP_SECONDS)
    daemon.start()
    if not _answers_in_time(pulse, lambda: daemon.pid is not None):
        raise failed("The Docker engine did not start", log_file)
    daemon.restart = True


def _wait_for_answer(pulse: Pulse, what: str) -> None:
    if not _answers_in_time(pulse, lambda: True):
        raise ControlPlaneError(f"{what} does not answer.")


def _answers_in_time(pulse: Pulse, lives: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while lives() and time.monotonic() < deadline:
        if answers():
            return True
        pulse()
        time.sleep(_POLL)
    return False


def _wait_for_containerd() -> None:
    """It is in a session of its own, and ends with the engine that started it."""
    deadline = time.monotonic() + 10
    with suppress(OSError, ValueError):
        number = int(_CONTAINERD.read_text())
        while processes.identify(number) and time.monotonic() < deadline:
            time.sleep(_POLL)
