"""What is started again when it dies, and what is left of it when it is stopped."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from trial.command import until, working_in

from control_plane.trial import processes
from control_plane.trial.account import environment
from control_plane.trial.supervised import Command, Supervised

# A leader with a child of its own, as nginx has workers.
FAMILY = "sleep 3601.{mark} & exec sleep 3602.{mark}"


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return str(abs(hash(tmp_path)))


@pytest.fixture
def family(tmp_path: Path, mark: str) -> Iterator[Supervised]:
    words = ("/bin/sh", "-c", FAMILY.format(mark=mark))
    command = Command(name="family", words=words, log=tmp_path / "log", environment=environment())
    one = Supervised(command, tmp_path / "family.process")
    one.start()
    until(lambda: len(working_in(f"1.{mark}")) == 1, 5, "the child runs")
    yield one
    one.stop(5)


def test_a_killed_process_is_started_again_and_its_children_are_not_left(
    family: Supervised, mark: str
) -> None:
    first = family.pid
    family.kill()
    until(lambda: family.pid not in (None, first), 5, "it runs again")
    until(lambda: working_in(f"3602.{mark}"), 5, "it runs again")
    until(lambda: len(working_in(f"3601.{mark}")) == 1, 5, "the first one's child is gone")


def test_a_stopped_process_stays_stopped(family: Supervised, mark: str, tmp_path: Path) -> None:
    family.stop(5)
    assert family.pid is None
    assert not working_in(mark)
    assert not (tmp_path / "family.process").exists()


def test_one_that_is_deaf_to_the_end_is_killed(tmp_path: Path, mark: str) -> None:
    words = ("/bin/sh", "-c", f"trap '' TERM; sleep 3603.{mark}; sleep 3604.{mark}")
    command = Command(name="deaf", words=words, log=tmp_path / "log", environment=environment())
    one = Supervised(command, tmp_path / "deaf.process")
    one.start()
    until(lambda: working_in(f"3603.{mark}"), 5, "it runs")
    one.stop(0.2)
    assert not working_in(mark)


def test_the_pid_file_leads_to_what_a_killed_launcher_left(
    family: Supervised, mark: str, tmp_path: Path
) -> None:
    leader = processes.recall(tmp_path / "family.process")
    assert leader
    assert leader.pid == family.pid
    family.restart = False
    os.kill(leader.pid, signal.SIGSTOP)  # it cannot end by itself
    processes.end(leader, 0.2)
    assert not working_in(mark)


def test_a_listening_socket_outlives_the_process_that_serves_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    serve = (
        "import os, socket; assert os.environ['LISTEN_PID'] == str(os.getpid())\n"
        "one = socket.socket(fileno=3)\n"
        "while True: one.accept()[0].sendall(str(os.getpid()).encode())"
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        command = Command(
            name="server",
            words=("/usr/bin/python3", "-c", serve),
            log=tmp_path / "log",
            environment=environment(),
            listener=listener,
        )
        one = Supervised(command, tmp_path / "server.process")
        one.start()
        first = ask(path)
        one.kill()
        second = ask(path)  # connected while nobody served
        one.stop(5)
    assert first != second


def ask(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(str(path))
        return one.recv(20).decode()
