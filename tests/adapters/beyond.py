"""A machine beyond this one: a network of its own, at the other end of a wire."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def beyond() -> Iterator[str]:
    """Yield the address of one that takes connections on port 80."""
    name = f"rt{secrets.token_hex(3)}"
    network, serve = f"10.214.{secrets.randbelow(256)}", "import socket, time; "
    serve += f"one = socket.create_server(('{network}.2', 80)); print(flush=True); time.sleep(600)"
    with ExitStack() as undo:
        _ip("netns", "add", name)
        undo.callback(_ip, "netns", "delete", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        undo.callback(_ip, "link", "delete", name)
        for words in (
            ("address", "add", f"{network}.1/30", "dev", name),
            ("link", "set", name, "up"),
            ("-n", name, "address", "add", f"{network}.2/30", "dev", "eth0"),
            ("-n", name, "link", "set", "eth0", "up"),
            ("-n", name, "route", "add", "default", "via", f"{network}.1"),
        ):
            _ip(*words)
        machine = subprocess.Popen(
            ["/usr/sbin/ip", "netns", "exec", name, sys.executable, "-c", serve],
            stdout=subprocess.PIPE,
        )
        undo.enter_context(machine)
        undo.callback(machine.kill)
        assert machine.stdout
        machine.stdout.readline()
        yield f"{network}.2"


def _ip(*words: str) -> None:
    subprocess.run(["/usr/sbin/ip", *words], check=True)
