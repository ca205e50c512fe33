"""What an application does that wants out of its container: run inside, with Python alone.

Each attempt tells what the kernel said against it, or `did it`; so does the test that reads this.
"""

import ctypes
import errno
import json
import os
import platform
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DID_IT = "did it"
PATIENCE = 2.0
MIB = 1024**2
_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_USER, _NEW_NS = 0x10000000, 0x00020000
_RAISE_AMBIENT = (47, 2)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE
_SYS_ADMIN = 21
# Numbers of system calls: x86-64, and those that arm64 and later architectures share.
_NUMBERS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "init_module": (175, 105),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "settimeofday": (170, 180),
    "swapon": (167, 224),
}
Attempt = Callable[[], object]


def call(name: str, *arguments: object) -> Attempt:
    """Return an attempt at a system call, by its number."""
    number = _NUMBERS[name][platform.machine() != "x86_64"]
    return lambda: _done(_LIBC.syscall(number, *arguments))


def library(name: str, *arguments: object) -> Attempt:
    """Return an attempt at a function of the C library."""
    return lambda: _done(getattr(_LIBC, name)(*arguments))


def _done(status: int) -> None:
    if status == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def writing(path: str, text: str = "1") -> Attempt:
    """Return an attempt to write to a file that is there, or to make it."""
    return lambda: Path(path).write_text(text)


def reading(path: str) -> Attempt:
    """Return an attempt to read a little of a file; what is empty tells nothing."""

    def attempt() -> None:
        with Path(path).open("rb") as file:
            if not file.read(16):
                raise OSError(errno.ENODATA, "empty")

    return attempt


def connecting(address: str, port: int) -> Attempt:
    """Return an attempt to connect by TCP."""
    return lambda: socket.create_connection((address, port), PATIENCE)


def opening(*kind: int) -> Attempt:
    """Return an attempt to open a socket of a kind."""
    return lambda: socket.socket(*kind)


def running(*words: str) -> Attempt:
    """Return an attempt that a program makes; what it says is told."""

    def attempt() -> None:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(errno.EPERM, done.stderr)

    return attempt


def no_device() -> None:
    """Look for a disk, or anything beyond what any container has."""
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
    modes = [one.lstat().st_mode for one in Path("/dev").iterdir() if one.name not in harmless]
    if not any(stat.S_ISBLK(mode) or stat.S_ISCHR(mode) for mode in modes):
        raise OSError(errno.ENODEV, "none")


def foreign_process() -> None:
    """Look for a process of anybody else's."""
    others = [
        one
        for one in Path("/proc").iterdir()
        if one.name.isdecimal() and one.stat().st_uid != os.getuid()
    ]
    if not others:
        raise OSError(errno.ESRCH, "none")


ATTEMPTS: dict[str, Attempt] = {
    "mount": library("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "remount /": library("mount", None, b"/", None, 32 | 4096, None),
    "umount": library("umount2", b"/proc", 2),
    "chroot": lambda: os.chroot("/tmp"),
    "pivot_root": call("pivot_root", b"/tmp", b"/tmp"),
    "mknod": lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0)),
    "a raw socket": opening(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "a packet socket": opening(socket.AF_PACKET, socket.SOCK_RAW, 0),
    "a user namespace": library("unshare", _NEW_USER),
    "a mount namespace": library("unshare", _NEW_NS),
    "another's namespace": lambda: _done(_LIBC.setns(os.open("/proc/1/ns/net", os.O_RDONLY), 0)),
    "keyctl": call("keyctl", 0, -3, 1),
    "add_key": call("add_key", b"user", b"name", b"text", 4, -3),
    "bpf": call("bpf", 0, None, 0),
    "perf_event_open": call("perf_event_open", None, 0, -1, -1, 0),
    "init_module": call("init_module", None, 0, b""),
    "kexec_load": call("kexec_load", 0, 0, None, 0),
    "open_by_handle_at": call("open_by_handle_at", -1, None, 0),
    "quotactl": call("quotactl", 0, None, 0, None),
    "reboot": call("reboot", 0xFEE1DEAD, 672274793, 0x01234567, None),
    "settimeofday": call("settimeofday", None, None),
    "swapon": call("swapon", b"/tmp", 0),
    "sethostname": library("sethostname", b"other", 5),
    "setuid": lambda: os.setuid(0),
    "setgroups": lambda: os.setgroups([0]),
    "a capability": library("prctl", *_RAISE_AMBIENT, _SYS_ADMIN, 0, 0),
    "a set-uid program": running("su", "-c", "id"),
    "write to /": writing("/mine"),
    "write to /etc/passwd": writing("/etc/passwd"),
    "write to /usr/bin": writing("/usr/bin/mine"),
    "sysrq": writing("/proc/sysrq-trigger", "h"),
    "core_pattern": writing("/proc/sys/kernel/core_pattern", "|/tmp/mine"),
    "ip_forward": writing("/proc/sys/net/ipv4/ip_forward"),
    "oom_score_adj": writing("/proc/self/oom_score_adj", "-1000"),
    "kcore": reading("/proc/kcore"),
    "keys": reading("/proc/keys"),
    "a firmware variable": reading("/sys/firmware/efi"),
    "cgroup": writing("/sys/fs/cgroup/pids/pids.max", "max"),
    "cgroup 2": writing("/sys/fs/cgroup/pids.max", "max"),
    "a disk": no_device,
    "the kernel's memory": reading("/dev/mem"),
    "a process of the host": foreign_process,
    "the engine's socket": lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"),
    "the engine's socket in /run": lambda: socket.socket(socket.AF_UNIX).connect(
        "/run/docker.sock"
    ),
    "the control plane's socket": lambda: list(Path("/run/remoteapp").iterdir()),
}


def outcome(attempt: Attempt) -> str:
    """Return how an attempt failed, as the kernel calls it."""
    try:
        attempt()
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return DID_IT


def forked() -> int:
    """Return how many processes there could be beside this one."""
    children: list[int] = []
    try:
        while len(children) < 10_000:
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except BlockingIOError:
        pass
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(children)


def remembered() -> tuple[str, int]:
    """Return what ended a process that took ever more memory, and how many MiB it had by then."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        Path("/proc/self/oom_score_adj").write_text("1000")
        taken: list[bytes] = []
        while len(taken) < 10_000:
            taken.append(b"x" * MIB)
            os.write(writer, b".")
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
    had = 0
    while more := os.read(reader, 65536):
        had += len(more)
    return how, had


def kept(folder: str) -> tuple[str, int]:
    """Return what stopped a file that grew, and at how many MiB."""
    path, size = Path(folder) / "filler", 0
    try:
        with path.open("wb", buffering=0) as file:
            while size < 10_000 * MIB:
                size += file.write(b"x" * MIB)
    except OSError as error:
        return errno.errorcode[error.errno or 0], size // MIB
    finally:
        path.unlink()
    return DID_IT, size // MIB


def opened() -> int:
    """Return how many files this process could have open."""
    files: list[int] = []
    try:
        while len(files) < 2_000_000:
            files.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return len(files)
    finally:
        for one in files:
            os.close(one)
    return len(files)


def main(targets: list[str]) -> None:
    """Print what came of every attempt; `targets` are `address:port`."""
    with ThreadPoolExecutor(max(1, len(targets))) as together:
        told = together.map(lambda one: outcome(connecting(*_split(one))), targets)
        reached = dict(zip(targets, told, strict=True))
    status = Path("/proc/self/status").read_text()
    found = {
        "attempts": {name: outcome(one) for name, one in ATTEMPTS.items()},
        "reached": reached,
        "status": dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line),
        "opened": opened(),
        "limit": resource.getrlimit(resource.RLIMIT_NOFILE),
        "kept": kept("/tmp"),
        "forked": forked(),
        "remembered": remembered(),
    }
    print(json.dumps(found))  # noqa: T201 - to the test


def _split(target: str) -> tuple[str, int]:
    address, _, port = target.rpartition(":")
    return address, int(port)


if __name__ == "__main__":
    main(sys.argv[1:])
