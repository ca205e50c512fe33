"""The certificate that nginx shows: the operator's files, or one of a small authority of our own.

Invariant: files that are not ours are never written.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from control_plane.adapters import certificates, nginx_processes
from control_plane.adapters.certificates import Pair
from control_plane.errors import ControlPlaneError
from control_plane.trial.contained import places

log = logging.getLogger(__name__)

_TITLE = "Remoteapp authority of {}"
_LOOK_SECONDS = 5.0


def provided(names: Sequence[str]) -> Pair:
    """Return what nginx is to show; where nothing lies, or what we made ends soon, it is made."""
    if not is_the_operators():
        certificates.provided(places.TLS, names, _TITLE.format(names[0]))
    found = certificates.read(places.TLS)
    if found is None:
        raise ControlPlaneError(
            f"{places.TLS} holds a part of a certificate.",
            "It takes server.pem, the whole chain, and server.key.",
        )
    return found


def warn(pair: Pair, names: Sequence[str]) -> None:
    """Say what is wrong with what nginx shows."""
    for problem in certificates.problems(pair, names):
        log.warning("%s: %s", certificates.places(places.TLS).certificate, problem)


def is_the_operators() -> bool:
    """Whether there is a certificate that is not of our making: without our authority's key."""
    found = certificates.places(places.TLS)
    is_there = found.certificate.exists() or found.key.exists()
    return is_there and not (places.TLS / "ca.key").exists()


def keeper(names: Sequence[str], shown: Pair) -> Callable[[], None]:
    """Return what, called often, has nginx show what lies there by now."""
    last, next_look = shown, 0.0

    def keep() -> None:
        nonlocal last, next_look
        if time.monotonic() < next_look:
            return
        next_look = time.monotonic() + _LOOK_SECONDS
        with suppress(ControlPlaneError, OSError):  # half of a new one: the other half follows
            found = provided(names)
            master = nginx_processes.master(places.NGINX_PID)
            if found != last and master is not None:
                warn(found, names)
                nginx_processes.reload(master)
                last = found

    return keep
