"""Other programs: their steps are told as they come, their last lines when they fail.

Invariant: whatever fails ends the build with one line that says what to do, and status 1.
"""
# ruff: noqa: S603, S607, T201 (it runs docker, by name, and prints)

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

CACHE = Path(__file__).resolve().parents[2] / "var" / "cache"
STEP = re.compile(r"Step \d+/\d+ :|#\d+ \[|I: ")  # of the classic builder, BuildKit, mmdebstrap
QUIET = 2.0  # seconds after which a line that is no step is shown too
AWAY = re.compile(
    r"Could not resolve|Temporary failure|Name or service not known|Could not connect"
    r"|Unable to connect|Connection refused|Connection timed out|Network is unreachable"
    r"|Failed to establish|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT"
)


def fail(message: str) -> NoReturn:
    """End with one line on standard error and status 1."""
    sys.exit(f"images/build: {message}")


def say(name: str, begin: float, text: str) -> None:
    """Print one line of progress with the seconds since begin."""
    print(f"{name:10}{time.monotonic() - begin:7.1f} s  {text[:100]}", flush=True)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a short docker command, its output kept."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def engine_has(tag: str) -> bool:
    """Say whether the engine holds the image; end if there is no engine."""
    answer = docker("image", "inspect", "--format", "{{.Id}}", tag)
    if answer.returncode and "No such image" not in answer.stderr:
        fail(f"the engine does not answer: {answer.stderr.strip()}")
    return answer.returncode == 0


def follow(name: str, command: list[str], stdin: IO[bytes] | int = subprocess.DEVNULL) -> None:
    """Run the command and tell its steps as they come; end with its last lines if it fails."""
    begin = told = time.monotonic()
    tail: deque[str] = deque(maxlen=40)
    with start(command, stdin) as child:
        for line in map(str.strip, child.stdout or ()):
            tail.append(line)
            if STEP.match(line) or (line and time.monotonic() - told > QUIET):
                say(name, begin, line)
                told = time.monotonic()
    if child.returncode:
        print(*tail, sep="\n", file=sys.stderr)
        why = f"{_named(command)} ended with status {child.returncode}"
        if any("No space left on device" in line for line in tail):
            why = "the disk is full: remove old images (docker image rm), or var/cache"
        if away := next(filter(AWAY.search, tail), None):
            why = f"a mirror or index does not answer ({away[:100]}): try again when it does"
        fail(f"{name}: {why}")


def _named(command: list[str]) -> str:
    """Return what a person calls the program: `docker build`, `pip download`."""
    words = command[command.index("-m") + 1 :] if "-m" in command else command
    return " ".join([Path(words[0]).name, *words[1:2]])


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Wait until nobody else on this machine does what the name stands for."""
    folder = CACHE / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(command: list[str], stdin: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Start the command, its output and its errors in one stream of lines."""
    return subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
