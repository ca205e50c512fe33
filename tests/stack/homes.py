"""What hosts mount: homes that are full, homes on which root has no rights, and the like.

Invariant: whatever happens, what was mounted is unmounted and what serves it has ended.
"""

import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.conftest import until

SQUASHED = Path(__file__).with_name("squashed.py")
FILL = """
head --bytes 2M /dev/zero >filler
while touch "empty$((number += 1))"; do :; done
"""


@contextmanager
def full_home(name: str) -> Iterator[Path]:
    """Let a user of the host fill their home, which is small: neither a byte nor a name is left."""
    user = pwd.getpwnam(name)
    home = Path(user.pw_dir)
    with in_memory(home, f"nr_inodes=16,mode=0700,uid={user.pw_uid},gid={user.pw_gid}"):
        _run_as(user, FILL)
        yield home


@contextmanager
def in_memory(place: Path, options: str) -> Iterator[None]:
    """Have a file system of one megabyte there, mounted with these options."""
    words = ["mount", "-t", "tmpfs", "-o", f"size=1m,{options}", "remoteapp-test", str(place)]
    with _unmounted(place):
        subprocess.run(words, check=True)
        yield


@contextmanager
def squashed_home(name: str, directory: Path) -> Iterator[Path]:
    """Let a user's home be one where root is nobody; what is in it lies in `directory`, made new.

    Everyone must be allowed to enter what `directory` lies in.
    """
    user = pwd.getpwnam(name)
    directory.mkdir(mode=0o700)
    subprocess.run(["chown", f"{user.pw_uid}:{user.pw_gid}", directory], check=True)
    home = Path(user.pw_dir)
    words = [sys.executable, str(SQUASHED), str(directory), str(home)]
    with subprocess.Popen(words) as server:
        try:
            with _unmounted(home):
                until(lambda: server.poll() is not None or home.is_mount())
                assert server.poll() is None, "the file system ended at once"
                yield home
        finally:
            server.terminate()


@contextmanager
def _unmounted(place: Path) -> Iterator[None]:
    """Have nothing mounted there afterwards, even if a container still uses it."""
    try:
        yield
    finally:
        # The kernel's list names also what has lost its server, which nobody can look at.
        if f" {place} " in Path("/proc/mounts").read_text():
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _run_as(user: pwd.struct_passwd, script: str) -> None:
    """Run it in the user's home, as the user and in no group but their own."""
    words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    words += ["sh", "-c", script]
    subprocess.run(words, cwd=user.pw_dir, stderr=subprocess.DEVNULL, check=True)
