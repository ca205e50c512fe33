"""The process that judges passwords, run as itself, with real PAM."""

import json
import logging
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from portal import service_account, system_user

from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.pam_socket import LONGEST, PamSocket
from control_plane.trial.account import PAM, ROOT, account_of, environment
from control_plane.trial.host import pam_service
from control_plane.trial.places import command
from control_plane.trial.portal import listening
from control_plane.trial.supervised import Command, Supervised

PASSWORD = "a-long-password-of-the-host"
NOBODY = 65534
SLEEP = f"600.{secrets.randbelow(10**6):06}"
# What it has no need of: it may read every password's hash.
HEAVY = {"starlette", "uvicorn", "docker", "requests", "peewee", "pydantic", "httpx", "jinja2"}
ASK = """
import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
try:
    one.sendall(sys.argv[2].encode())
    print(one.recv(100))
except OSError:
    print(b"")
"""


@pytest.fixture(scope="module")
def dora() -> Iterator[str]:
    """A user of this machine, and the accounts of our processes."""
    with service_account(), pam_service(), system_user(PASSWORD) as name:
        yield name


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that any account may enter."""
    with tempfile.TemporaryDirectory(prefix="remoteapp-test-", dir="/var/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def door(directory: Path, *words: str, service: str = "remoteapp") -> Iterator[Supervised]:
    """Run the process as its own account, which the group shadow makes able to judge."""
    listener = listening(directory / "pam.sock", ROOT, 0o600)
    program = (command("control-plane"), "pam", "--account", "root", *words)
    wanted = Command(
        name="pam",
        words=program,
        log=directory / "pam.log",
        environment=environment(PAM_SERVICE=service),
        account=account_of(PAM),
        listener=listener,
    )
    process = Supervised(wanted, directory / "pam.process", restart=False)
    process.start()
    try:
        yield process
    finally:
        process.stop(5)
        listener.close()


@contextmanager
def hanging() -> Iterator[str]:
    """Have a PAM service that hangs for passwords that begin with `slow`."""
    name = f"remoteapp-test-{secrets.token_hex(3)}"
    script, file = Path(f"/usr/local/sbin/{name}"), Path(f"/etc/pam.d/{name}")
    script.write_text(f'#!/bin/sh\ncase "$(cat)" in slow*) sleep {SLEEP};; esac\n')
    script.chmod(0o755)
    hangs = f"auth required pam_exec.so quiet expose_authtok {script}\n"
    judges = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
    file.write_text(hangs + judges)
    try:
        yield name
    finally:
        file.unlink()
        script.unlink()


@contextmanager
def permitting() -> Iterator[str]:
    """Have a PAM service that lets everybody in."""
    file = Path(f"/etc/pam.d/remoteapp-test-{secrets.token_hex(3)}")
    file.write_text("auth required pam_permit.so\naccount required pam_permit.so\n")
    try:
        yield file.name
    finally:
        file.unlink()


def asked(directory: Path, line: bytes) -> bytes:
    """Return what is answered to a line, or to its beginning."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        one.connect(str(directory / "pam.sock"))
        one.sendall(line)
        return one.recv(100)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(words: str) -> int:
    """Return how many processes of this machine have these words in their command line."""
    return subprocess.run(
        ["ps", "-eo", "args="], capture_output=True, text=True, check=True
    ).stdout.count(words)


def test_it_judges_passwords_and_its_log_says_why_not(
    place: Path, dora: str, caplog: pytest.LogCaptureFixture
) -> None:
    judge = PamSocket(place / "pam.sock", "remoteapp").authenticate
    host = PamHost("remoteapp", judge=judge)
    with door(place):
        assert host.authenticate(dora, PASSWORD)
        for typed in ("wrong-and-long", "", "a\0b", "\ud800", "ä" * 1024, "x" * LONGEST):
            assert not host.authenticate(dora, typed)
        assert not host.authenticate(f"{dora}\nINFO forged", PASSWORD)
        until(lambda: "INFO forged" in (place / "pam.log").read_text())
        log = (place / "pam.log").read_text()
    assert f"INFO pam refused name={dora} why=wrong password\n" in log
    assert "\nINFO forged" not in log
    assert not [word for word in (PASSWORD, "wrong-and-long") if word in log + caplog.text]


def test_where_it_is_away_nobody_is_let_in_and_the_log_says_so(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = place / "pam.sock"
    with caplog.at_level(logging.WARNING):
        assert not PamSocket(path, "remoteapp").authenticate("dora", PASSWORD)
    assert caplog.messages == [
        f"passwords are not judged path={path} error=[Errno 2] No such file or directory"
    ]


@pytest.mark.usefixtures("dora")
def test_nobody_but_the_control_plane_is_answered(place: Path) -> None:
    line = json.dumps({"service": "remoteapp", "name": "root", "password": "x"}) + "\n"
    with door(place):
        (place / "pam.sock").chmod(0o666)
        words = ["/usr/bin/python3", "-c", ASK, str(place / "pam.sock"), line]
        for uid, answer in ((NOBODY, "b''\n"), (0, "b'{\"ok\": false}\\n'\n")):
            told = subprocess.run(
                words, user=uid, cwd="/", capture_output=True, text=True, check=True
            )
            assert told.stdout == answer
    assert f"refused to answer uid={NOBODY}" in (place / "pam.log").read_text()


@pytest.mark.usefixtures("dora")
def test_what_is_no_question_gets_no_answer_and_is_not_logged(place: Path) -> None:
    whole = {"service": "remoteapp", "name": "dora", "password": PASSWORD}
    wrong: list[object] = [
        {**whole, "service": "login"},
        {**whole, "more": PASSWORD},
        {**whole, "password": [PASSWORD]},
        {"name": "dora"},
        [PASSWORD],
        f'"{PASSWORD}',
    ]
    lines = [f"{one if isinstance(one, str) else json.dumps(one)}\n".encode() for one in wrong]
    with door(place):
        for line in (*lines, b"x" * (LONGEST + 1), b"\xff\n"):
            assert asked(place, line) == b""
        log = place / "pam.log"
        until(lambda: log.read_text().count("a question cannot be read") == len(wrong) + 2)
    assert PASSWORD not in log.read_text()


def test_of_root_and_of_accounts_that_are_no_persons_nobody_learns_anything(
    place: Path, dora: str
) -> None:
    with permitting() as service, door(place, service=service):
        judge = PamSocket(place / "pam.sock", service).authenticate
        names = (dora, "root", "daemon", "nobody", "www-data")
        assert [name for name in names if judge(name, PASSWORD)] == [dora]


def test_a_module_that_hangs_is_ended_and_keeps_nobody_out(place: Path, dora: str) -> None:
    with hanging() as service, door(place, "--patience", "2", service=service):
        judge = PamSocket(place / "pam.sock", service).authenticate
        slow = [threading.Thread(target=judge, args=(dora, f"slow{n}")) for n in range(6)]
        for one in slow:
            one.start()
        until(lambda: running(f"sleep {SLEEP}") == 4)  # no more at once
        begun = time.monotonic()
        assert judge(dora, PASSWORD)
        assert time.monotonic() - begun < 10
        for one in slow:
            one.join()
        until(lambda: running(f"sleep {SLEEP}") == 0)
    log = (place / "pam.log").read_text()
    assert log.count("pam gave no answer, is ended seconds=2\n") == 6


@pytest.mark.usefixtures("dora")
def test_it_ends_when_nobody_asks_any_more(place: Path) -> None:
    with door(place, "--idle", "1") as process:
        assert asked(place, b"{}\n") == b""
        until(lambda: process.pid is None)
        assert "Traceback" not in (place / "pam.log").read_text()


def test_it_loads_little() -> None:
    program = (
        "import sys, control_plane.cli.control_plane, control_plane.cli.pam; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    found = {name.split(".")[0] for name in loaded.stdout.decode().split()}
    assert not HEAVY & found
    others = {name for name in found - sys.stdlib_module_names if not name.startswith("_")}
    assert others <= {"control_plane", "click", "pam", "six", "sitecustomize"}
