"""`make trial`, as a story: what lacks is provided, the portal runs until somebody ends it.

Invariant: whatever begins is undone in reverse order, also when it fails half-way or is
interrupted; what a killed launcher left is mended before anything else begins.
"""

import logging
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.trial import account, demo, engine, fit, gateway, host, leftovers
from control_plane.trial.demo import SignIns
from control_plane.trial.locks import held
from control_plane.trial.places import CLONE, PortalOptions
from control_plane.trial.portal import Portal, mend
from control_plane.trial.progress import say, step
from control_plane.trial.stopping import Stop, StoppedError

REALM = "trial"
DIRECTORY = CLONE / "var"
_LOCK = Path("/run/remoteapp-trial.lock")
_RUN = Path(f"/run/remoteapp-{REALM}")
_BANNER = """
The portal is ready: {url}
    demo sign-in:           {demo_user}   password {demo_password}
    administrator's:        {admin_user}  password {admin_password}
    certificate authority:  {authority}
    (import it into the browser, or accept its warning once)
    settings, logs, state:  {directory}

This is a trial on loopback. Only a provisioned host has the firewall: here every local user of
this machine reaches the session network past the portal, and applications reach this machine.

Ctrl-C stops it. The homes of its users stay; `make trial-clean` removes everything.
"""


def launch(port: int) -> int:
    """Run a portal on the port until a signal comes; return the exit status."""
    stop = Stop()
    stop.listen()
    logging.basicConfig(level=logging.WARNING, format="    %(message)s", stream=sys.stdout)
    os.umask(0o022)
    with ExitStack() as undo:
        try:
            _only_one(undo)
            _run(undo, port, stop)
        except StoppedError:
            say("Stopping.")
            undo.close()
            return 130
        say("\nStopping; this takes a few seconds, another Ctrl-C changes nothing.")
    say("Stopped: no container, process or mount of the trial is left.")
    return 0


def clean() -> int:
    """Remove all that trials left: state, homes, network, images, the user; return the status."""
    stop = Stop()
    stop.listen()
    with ExitStack() as undo:
        _only_one(undo)
        undo.enter_context(engine.provided(_logs(), stop.check))
        mend(_RUN)
        with step("Removing containers, homes, network and images"):
            leftovers.sweep(REALM, volumes=True)
            leftovers.remove_images("remoteapp/*")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    if host.remove_user():
        say(f"The user {account.SERVICE} is removed.")
    say("Removed. The Debian packages and .venv stay.")
    return 0


def _only_one(undo: ExitStack) -> None:
    if os.geteuid() != 0:
        raise ControlPlaneError("A trial needs root: it starts the engine and nginx's workers.")
    if not undo.enter_context(held(_LOCK)):
        raise ControlPlaneError(
            "Another trial runs on this machine.", "Stop it first: Ctrl-C where it runs."
        )


def _run(undo: ExitStack, port: int, stop: Stop) -> None:
    environment_file = DIRECTORY / "trial.env"
    environment_file.unlink(missing_ok=True)
    mend(_RUN)
    if gateway.busy(port):
        raise ControlPlaneError(
            f"Port {port} is in use.", f"Choose another: make trial TRIAL_PORT={port + 10}"
        )
    undo.enter_context(engine.provided(_logs(), stop.check))
    undo.enter_context(host.pam_service())
    options = PortalOptions(directory=DIRECTORY, realm=REALM, port=port, account=_account())
    portal = Portal(options)
    portal.prepare()
    _build_images(stop)
    with step("Preparing the demo"):
        people = demo.provided(portal.places)
    stop.check()
    with step("Starting the portal"):
        undo.enter_context(portal)
    stop.check()
    demo.write_private(environment_file, _environment_text(portal, people))
    _announce(portal, people)
    stop.wait()


def _logs() -> Path:
    logs = DIRECTORY / "log"
    logs.mkdir(parents=True, exist_ok=True)
    return logs


def _account() -> account.Account:
    if host.provide_user():
        say(f"Made the system user {account.SERVICE}.")
    wanted, problem = fit.chosen()
    if problem:
        say(f"The control plane runs as root: {account.SERVICE} cannot run it here ({problem}).")
    return wanted


def _build_images(stop: Stop) -> None:
    with step("Building the demo images (the first time this takes minutes)"):
        build = str(CLONE / "images" / "build")
        if status := stop.run([sys.executable, build, *demo.IMAGES]):
            raise ControlPlaneError(f"images/build ended with status {status}.", "See above.")


def _environment_text(portal: Portal, people: SignIns) -> str:
    lines = {
        "PORTAL_URL": portal.url,
        "PORTAL_CA": str(portal.authority),
        "DEMO_USER": people.demo_user,
        "DEMO_PASSWORD": people.demo_password,
        "ADMIN_USER": people.admin_user,
        "ADMIN_PASSWORD": people.admin_password,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _announce(portal: Portal, people: SignIns) -> None:
    say(
        _BANNER.format(
            url=f"{portal.url}/",
            demo_user=people.demo_user,
            demo_password=people.demo_password,
            admin_user=people.admin_user,
            admin_password=people.admin_password,
            authority=portal.authority,
            directory=DIRECTORY,
        )
    )
