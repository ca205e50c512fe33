"""What the kernel says of processes is read whatever they call themselves."""

import subprocess
import sys

from control_plane.adapters import container_processes

# 15 is PR_SET_NAME.
NAMELESS = """
import ctypes
ctypes.CDLL(None).prctl(15, b"\\xff\\x0bUid:9")
print(flush=True)
input()
"""


def test_a_name_of_any_bytes_is_no_obstacle() -> None:
    words = [sys.executable, "-c", NAMELESS]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            # Every control group's name contains the empty one.
            found = container_processes.processes("", process.pid)
        finally:
            process.communicate(b"\n")
    assert [one.name for one in found] == ["\N{REPLACEMENT CHARACTER}\vUid:9"]
