"""The container's program: what lacks is made, the portal runs until somebody ends it.

Invariant: when it ends, no process is left and every session runs on; the next start finds them.
"""

import logging
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.settings import Settings
from control_plane.trial.account import environment as plain_environment
from control_plane.trial.contained import certificate, first_start, parts, places, site
from control_plane.trial.portal import listening
from control_plane.trial.progress import say
from control_plane.trial.spool import SpoolWatch
from control_plane.trial.stopping import Stop, StoppedError
from control_plane.trial.supervised import Command, Supervised

_POLL = 0.2


def main() -> int:
    """Run the portal until SIGTERM; return the exit status."""
    stop = Stop()
    stop.listen()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    os.umask(0o022)
    with ExitStack() as undo:
        try:
            _run(undo, stop)
        except StoppedError:
            say("Stopping; sessions run on.")
        except (ControlPlaneError, OSError) as error:
            hint = getattr(error, "hint", "")
            print(f"portal: {error} {hint}".strip(), file=sys.stderr)  # noqa: T201 - its log
            return 1
    return 0


def _run(undo: ExitStack, stop: Stop) -> None:
    found = site.load()
    where, account = site.address(found), site.service_account(found)
    boot = first_start.directories(found, account)
    first_start.secret(account)
    environment = parts.environment(found, boot)
    first_start.databases(environment)
    first_start.administrator(found, environment)
    shown = certificate.provided(where.certified)
    certificate.warn(shown, where.certified)
    stop.check()
    session_range = site.session_range(found)
    listener = undo.enter_context(listening(places.SOCKET, account))
    public = undo.enter_context(listening(places.FORWARDER, account))
    control = undo.enter_context(listening(places.FORWARDER_CONTROL, account, 0o600))
    _start(undo, parts.forwarder(public, control, account), 5)
    _start(undo, parts.control_plane(listener, environment, account), 7)
    _start(undo, parts.nginx(found, where, session_range), 5)
    _install_routes(undo, found, session_range)
    say(f"The portal starts at {found.public_url}/")
    keep = certificate.keeper(where.certified, shown)
    while True:
        stop.check()
        keep()
        time.sleep(_POLL)


def _start(undo: ExitStack, wanted: Command, seconds: float) -> None:
    one = Supervised(wanted, places.RUN / f"{wanted.name}.process")
    undo.callback(one.stop, seconds)
    one.start()


def _install_routes(undo: ExitStack, found: Settings, session_range: str) -> None:
    words = parts.install(session_range, found)
    watch = SpoolWatch(found.spool, words, Path(places.ERRORS), plain_environment())
    undo.callback(watch.stop)
    watch.start()


if __name__ == "__main__":
    sys.exit(main())
