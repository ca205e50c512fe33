"""`make trial` as a child of the tests, and what it leaves on the machine."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.trial import processes
from control_plane.trial.places import CLONE
from control_plane.trial.processes import Identity

ENVIRONMENT = CLONE / "var" / "trial.env"
LABEL = "label=eu.simphony-project.docker.runinfo.realm=trial"
ENGINES_OWN = ("/var/lib/docker/", "/run/docker/")
RUN = Path("/run/remoteapp-trial")
# On a bare machine it installs packages and builds every image first.
READY_SECONDS = 1500
GONE_SECONDS = 120


@dataclass(frozen=True)
class Machine:
    """What must be as it was before."""

    containers: frozenset[str]
    engines: frozenset[int]
    mounts: frozenset[str]
    pam: bool
    run: bool


@dataclass
class Trial:
    """One `make trial`, in a process group of its own as in a terminal."""

    port: int
    apps_port: int
    log: Path
    _make: subprocess.Popen[bytes] | None = field(default=None)
    _launcher: Identity | None = field(default=None)
    _started: float = 0

    def start(self) -> None:
        self._started = time.time()
        with self.log.open("ab") as output:
            self._make = subprocess.Popen(
                ["make", "trial"],
                cwd=CLONE,
                env={
                    **os.environ,
                    "TRIAL_PORT": str(self.port),
                    "TRIAL_APPS_PORT": str(self.apps_port),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # The recipe's one child becomes the launcher.
        until(lambda: self._seen() or self.make.poll() is not None, 10, "make starts the launcher")

    def _is_ready_or_over(self) -> bool:
        with suppress(FileNotFoundError):
            if ENVIRONMENT.stat().st_mtime > self._started:
                return True
        return self.make.poll() is not None

    def _seen(self) -> bool:
        found = children(self.make.pid)
        self._launcher = processes.identify(found[0]) if found else None
        return bool(found)

    @property
    def make(self) -> subprocess.Popen[bytes]:
        assert self._make
        return self._make

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> dict[str, str]:
        """Return what trial.env says."""
        until(self._is_ready_or_over, READY_SECONDS, "the trial is ready")
        assert self.make.poll() is None, self.text
        lines = ENVIRONMENT.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal signals the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.make.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill the launcher, and it alone."""
        assert self._launcher
        processes.signal_quietly(self._launcher.pid, signal.SIGKILL)
        self.wait_until_gone()

    def wait_until_gone(self) -> None:
        """Wait for the launcher: make does not wait for it after a second Ctrl-C."""
        assert self._launcher
        launcher = self._launcher
        self.make.wait(GONE_SECONDS)
        until(lambda: processes.identify(launcher.pid) != launcher, GONE_SECONDS, "it ends")

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._launcher and processes.identify(self._launcher.pid) == self._launcher:
            processes.signal_quietly(self._launcher.pid, signal.SIGTERM)
            self.wait_until_gone()


@contextmanager
def trial(port: int, apps_port: int, log: Path) -> Iterator[Trial]:
    """Have a trial that is ended in any case."""
    one = Trial(port, apps_port, log)
    try:
        yield one
    finally:
        one.close()


def machine() -> Machine:
    """Look at what a trial might leave behind."""
    engines = frozenset(filter(is_here, named("dockerd") | named("containerd")))
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return Machine(
        containers=frozenset(docker("ps", "--all", "--quiet", "--filter", LABEL)),
        engines=engines,
        # Of an engine that was there before, others may use containers meanwhile.
        mounts=frozenset(one for one in mounts if not (engines and one.startswith(ENGINES_OWN))),
        pam=Path("/etc/pam.d/remoteapp").exists(),
        run=RUN.exists(),
    )


def is_here(pid: int) -> bool:
    """Whether a process is this machine's own, and not a container's that is a host of a test."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError:
        return False


def docker(*words: str) -> list[str]:
    """Return the lines of a docker command; none where there is no engine."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def named(name: str) -> set[int]:
    """Return the processes of that name."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if path.read_text().strip() == name:
                found.add(int(path.parent.name))
    return found


def working_in(text: str) -> list[str]:
    """Return the command lines of the processes that name this text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in words:
                found.append(words)
    return found


def children(pid: int) -> list[int]:
    """Return a process's children."""
    with suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
