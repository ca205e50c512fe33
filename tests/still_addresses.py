"""This machine's addresses stay as they are while containers come and go.

An engine makes an interface for each container, to which the kernel gives an address (IPv6,
link-local). Chromium on the same machine takes that for another network, and breaks off what it
was loading (ERR_NETWORK_CHANGED), over HTTP/2 all of it. The containers' own interfaces are not
affected. A run that is killed leaves it so until this machine starts again.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Documentation/networking/ip-sysctl.rst of the kernel: what interfaces begin with.
_NEW = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")


def hold() -> Callable[[], None]:
    """Let new interfaces have no such address; return what lets them again.

    Without IPv6, without the right to change it, or where somebody has done so before, it does
    nothing.
    """
    with suppress(FileNotFoundError, PermissionError):
        if _NEW.read_text().strip() == "0":
            _NEW.write_text("1")
            return _release
    return lambda: None


def _release() -> None:
    _NEW.write_text("0")
