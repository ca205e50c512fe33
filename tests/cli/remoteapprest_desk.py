"""Somebody's machine with remoteapprest, and the portal that it reaches over TLS."""

import contextlib
import json
import os
import pty
import sys
import threading
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from click.testing import CliRunner, Result
from served import Served, portal_of, served
from usecases.conftest import grant_of, until

from control_plane import auth
from control_plane.cli.remoteapprest import cli
from control_plane.domain.access import Caller
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.entities import SCOPES, User
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Plane

COMMAND = (sys.executable, "-c", "from control_plane.cli.remoteapprest import main; main()")


@dataclass
class HeldEngine(FakeEngine):
    """An engine whose containers run when the test lets them, and which writes an odd log."""

    go: threading.Event = field(default_factory=threading.Event)
    output: str = "first\n\x1b[31msecond\x1b[0m\n"

    def run(self, spec: ContainerSpec) -> str:
        assert self.go.wait(10)
        return super().run(spec)

    def log(self, container_id: str, tail: int) -> str:
        self.check()
        return "".join(self.output.splitlines(keepends=True)[-tail:]) if container_id else ""


@dataclass(frozen=True)
class Desk:
    """A person's machine: where the profiles lie, and the portal that it reaches."""

    portal: Served
    config: Path
    plane: Plane

    @property
    def profiles(self) -> Path:
        return self.config / "remoteapp" / "profiles.json"

    @property
    def env(self) -> dict[str, str]:
        return {"XDG_CONFIG_HOME": str(self.config)}

    def run(self, *words: str, typed: str = "") -> Result:
        """Run remoteapprest."""
        return CliRunner().invoke(cli, words, input=typed, env=self.env)

    def done(self, *words: str, typed: str = "") -> str:
        """Run it; it ends well and says nothing on stderr."""
        result = self.run(*words, typed=typed)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def refused(self, status: int, *words: str, typed: str = "") -> str:
        """Run it; it ends with this status and one line on stderr, which is returned."""
        result = self.run(*words, typed=typed)
        assert (result.exit_code, result.stdout) == (status, ""), result.output
        (line,) = result.stderr.splitlines()
        return line.removeprefix("cli: ")

    @property
    def login(self) -> tuple[str, ...]:
        """The words that begin a sign-in at the portal."""
        return ("login", self.portal.url, "--ca", str(self.portal.ca))

    def sign_in(self, name: str = "alice", profile: str = "default") -> str:
        """Sign in without a terminal."""
        words = (*self.login, "--username", name, "--password-stdin")
        return self.done("--profile", profile, *words, typed=f"{name}'s password\n")

    def administer(self) -> None:
        """Make an administrator, and sign in with a token that may do all."""
        made = User("admin", "virtual", admin=True, uid=79999, gid=79999)
        self.plane.accounting.add_user(made)
        self.plane.records.set_password("admin", self.plane.passwords.hash("admin's password"))
        caller = Caller(made, frozenset(SCOPES))
        value = auth.issue_token(self.plane, caller, "tests", SCOPES, timedelta(hours=1))[1]
        self.done(*self.login, "--token", typed=f"{value}\n")

    def move_to(self, portal: Served) -> None:
        """Reach another portal with the token that is stored."""
        stored = json.loads(self.profiles.read_text())
        stored["default"] |= {"url": portal.url, "ca": str(portal.ca)}
        self.profiles.write_text(json.dumps(stored))

    def told(self, *words: str, typed: str = "") -> Any:
        """Run it with --json; return what it prints, whatever it says on stderr."""
        result = self.run(*words, "--json", typed=typed)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def profile(self, name: str = "default") -> dict[str, Any]:
        """Return what is stored."""
        found: dict[str, Any] = json.loads(self.profiles.read_text())[name]
        return found

    def started(self) -> str:
        """Start alice's application; return the session's id when it is ready."""
        session_id = self.done("app", "start", grant_of(self.plane, "alice")).strip()
        until(lambda: self.plane.access.sessions[session_id].state == "ready")
        return session_id


@pytest.fixture
def engine() -> HeldEngine:
    made = HeldEngine()
    made.go.set()
    labels = {**made.known[HELLO].labels, IMAGE + "type": "vncapp"}
    names = ("x11-width", "x11-height", "x11-depth", "startupdata")
    labels |= {f"{IMAGE}env.{name}": "" for name in names}
    made.known[HELLO] = replace(made.known[HELLO], labels=labels)
    return made


@pytest.fixture
def portal(plane: Plane, loop: AbstractEventLoop, tmp_path: Path) -> Iterator[Served]:
    with served(portal_of(plane), loop, tmp_path) as made:
        yield made


@pytest.fixture
def desk(portal: Served, plane: Plane, tmp_path: Path) -> Desk:
    return Desk(portal, tmp_path / "config", plane)


@pytest.fixture
def admins(desk: Desk) -> Desk:
    desk.administer()
    return desk


@pytest.fixture
def alices(desk: Desk) -> Desk:
    desk.sign_in()
    return desk


def at_a_terminal(
    command: Sequence[str], env: dict[str, str], answers: Sequence[bytes]
) -> tuple[int, str]:
    """Run a command on a terminal of its own; give an answer at each colon that it prints."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(command[0], list(command), {**os.environ, **env})  # noqa: S606 - for a terminal
    seen, waiting = b"", list(answers)
    with contextlib.suppress(OSError):  # the terminal closes with the command
        while chunk := os.read(terminal, 1024):
            seen += chunk
            if chunk.endswith(b": ") and waiting:
                os.write(terminal, waiting.pop(0))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen.decode()
