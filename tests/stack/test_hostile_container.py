"""An application that wants out of its container, with and without a way to the internet."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from adapters.beyond import beyond
from portal import HELLO, RunningPortal
from stack import hostile
from stack.conftest import Realm
from stack.older import application, granted

from control_plane.domain.containers import Bounds

PROGRAM = "remoteapp/base-web:latest"
SERVE = ("--command", "python3 -m http.server 8888", "--strip-path", "--ready-path", "/")
MEMORY, PIDS = 128, 40
LIMITS = ("--memory", f"{MEMORY}m", "--pids", str(PIDS))
SPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
SHUT = {"ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"}
METADATA = "169.254.169.254:80"
# What the kernel says; where it is not EPERM, by the attempt.
SAID = {
    "oom_score_adj": {"EACCES"},
    "write to /": {"EROFS"},
    "write to /etc/passwd": {"EROFS", "EACCES"},
    "write to /usr/bin": {"EROFS", "EACCES"},
    "sysrq": {"EROFS", "EACCES", "ENOENT"},
    "core_pattern": {"EROFS", "EACCES"},
    "ip_forward": {"EROFS", "EACCES"},
    # Masked: a device that swallows and says nothing, or an empty directory.
    "kcore": {"ENODATA", "EACCES", "ENOENT"},
    "keys": {"ENODATA", "EACCES"},
    "a firmware variable": {"EISDIR", "ENOENT", "EACCES"},
    "cgroup": {"EROFS", "EACCES", "ENOENT"},
    "cgroup 2": {"EROFS", "EACCES", "ENOENT"},
    "a disk": {"ENODEV"},
    "the kernel's memory": {"ENOENT"},
    "a process of the host": {"ESRCH"},
    "the engine's socket": {"ENOENT"},
    "the engine's socket in /run": {"ENOENT"},
    "the control plane's socket": {"ENOENT"},
}


@dataclass(frozen=True)
class Inside:
    """A session's container, its neighbours' ports, and what came of every attempt in it.

    `outside` is how it fared with machines beyond this one.
    """

    container: Any
    neighbours: tuple[str, ...]
    outside: dict[str, str]
    found: dict[str, Any]


@pytest.fixture(scope="module")
def containers(whole_portal: RunningPortal) -> Iterator[dict[str, Any]]:
    """Two sessions that have the internet, and two that have nothing, by whose they are."""
    live = whole_portal
    with ExitStack() as undo:
        undo.enter_context(application(live, PROGRAM, *SERVE))
        undo.enter_context(granted(live, PROGRAM, "alice", *LIMITS))
        for name in ("bob", "charlie"):
            undo.enter_context(granted(live, PROGRAM, name, *LIMITS, "--network", "none"))
        images = {"alice": PROGRAM, "bob": PROGRAM, "charlie": PROGRAM, "dora": HELLO}
        started = {}
        for name, image in images.items():
            started[name] = live.start(name, image)["id"]
            undo.callback(live.stop, name, started[name])
        api = undo.enter_context(closing(docker.from_env()))
        by_id = Realm(live, api).containers()
        yield {name: by_id[one] for name, one in started.items()}


@pytest.fixture(scope="module", params=["internet", "none"])
def inside(request: pytest.FixtureRequest, containers: dict[str, Any]) -> Inside:
    """What a container of the policy tried, all at once."""
    name = {"internet": "alice", "none": "bob"}[request.param]
    neighbours = tuple(port_of(one) for other, one in containers.items() if other != name)
    program = Path(hostile.__file__).read_text()
    with beyond() as address:
        targets = (*neighbours, f"{address}:80", *((METADATA,) if name == "bob" else ()))
        done = containers[name].exec_run(["python3", "-c", program, *targets])
    assert done.exit_code == 0, done.output.decode()
    found = json.loads(done.output)
    outside = {one: how for one, how in found["reached"].items() if one not in neighbours}
    return Inside(containers[name], neighbours, outside, found)


def port_of(container: Any) -> str:
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return f"{network['IPAddress']}:8888"


@pytest.mark.parametrize("attempt", sorted(hostile.ATTEMPTS))
def test_nothing_that_it_tries_is_done(inside: Inside, attempt: str) -> None:
    assert inside.found["attempts"][attempt] in SAID.get(attempt, {"EPERM"})


def test_it_reaches_no_other_session(inside: Inside) -> None:
    found = {one: inside.found["reached"][one] for one in inside.neighbours}
    assert len(found) == 3
    assert {*found.values()} <= SHUT


def test_without_the_internet_it_reaches_nothing(inside: Inside) -> None:
    if len(inside.outside) == 1:  # it has the internet, which shows that there is somebody there
        assert [*inside.outside.values()] == [hostile.DID_IT]
    else:
        assert {*inside.outside.values()} <= SHUT


def test_the_kernel_keeps_it_without_rights_and_filters_its_calls(inside: Inside) -> None:
    status = inside.found["status"]
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {status[f"Cap{one}"] for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}


def test_it_shares_no_namespace_with_its_host(inside: Inside) -> None:
    process = inside.container.attrs["State"]["Pid"]
    spaces = [
        Path(f"/proc/{who}/ns/{one}").readlink() for who in ("self", process) for one in SPACES
    ]
    assert len({*spaces}) == 2 * len(SPACES)


def test_a_fork_bomb_is_bounded(inside: Inside) -> None:
    assert PIDS // 2 < inside.found["forked"] < PIDS


def test_memory_is_bounded_and_none_of_it_is_swapped(inside: Inside) -> None:
    how, had = inside.found["remembered"]
    assert (how, had < MEMORY) == ("SIGKILL", True)
    host = inside.container.attrs["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (MEMORY * hostile.MIB,) * 2


def test_files_in_memory_are_bounded_before_the_memory_is(inside: Inside) -> None:
    why, had = inside.found["kept"]
    assert (why, had <= MEMORY // 2) == ("ENOSPC", True)


def test_open_files_are_bounded(inside: Inside) -> None:
    assert inside.found["limit"] == [Bounds().open_files] * 2
    assert inside.found["opened"] < Bounds().open_files
