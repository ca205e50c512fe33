"""`make trial`, as a story: what lacks is provided, the portal runs until somebody ends it.

Invariant: whatever begins is undone in reverse order, also when it fails half-way or is
interrupted; what a killed launcher left is mended before anything else begins.
"""

import logging
import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
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
    ({trusting})
    settings, logs, state:  {directory}

{origins}

This is a trial on loopback. Only a provisioned host has the firewall: here every local user of
this machine reaches the session network past the portal, and applications reach this machine.

Ctrl-C stops it. The homes of its users stay; `make trial-clean` removes everything.
"""
_ACCEPTING = "import it into the browser, or accept its warning: some browsers give one a port"
_TRUSTING = """import it into the browser, whose warning you cannot accept inside a frame. Firefox:
    Settings, Privacy & Security, View Certificates, Authorities, Import. Chromium:
    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n "Remoteapp trial" -i {authority}"""
_OF_DOMAIN = """Each session is a host of its own, https://<session id>.{domain}:{port}/, which
keeps applications from the portal and from one another. Browsers know that these names are this
machine; for other programs the ones they need stand in /etc/hosts, once you write them there."""
_OF_PORT = """Applications are served at {apps}/, which keeps them from the portal but not
from one another. TRIAL_APPS_DOMAIN=remoteapp.localhost gives each session a host of its own."""
_OF_ONE = """Applications share the portal's origin: their scripts may do in the portal what their
visitor may do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the portal is to listen, and where its applications live: see `PortalOptions`."""

    port: int
    apps_port: int
    apps_domain: str = ""


def launch(wanted: Wanted) -> int:
    """Run a portal until a signal comes; return the exit status."""
    stop = Stop()
    stop.listen()
    logging.basicConfig(level=logging.WARNING, format="    %(message)s", stream=sys.stdout)
    os.umask(0o022)
    with ExitStack() as undo:
        try:
            _only_one(undo)
            _run(undo, wanted, stop)
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
    if removed := host.remove_users():
        say(f"Removed the users {', '.join(removed)}.")
    say("Removed. The Debian packages and .venv stay.")
    return 0


def _only_one(undo: ExitStack) -> None:
    if os.geteuid() != 0:
        raise ControlPlaneError("A trial needs root: it starts the engine and nginx's workers.")
    if not undo.enter_context(held(_LOCK)):
        raise ControlPlaneError(
            "Another trial runs on this machine.", "Stop it first: Ctrl-C where it runs."
        )


def _run(undo: ExitStack, wanted: Wanted, stop: Stop) -> None:
    environment_file = DIRECTORY / "trial.env"
    environment_file.unlink(missing_ok=True)
    mend(_RUN)
    _require_ports(wanted)
    undo.enter_context(engine.provided(_logs(), stop.check))
    undo.enter_context(host.pam_service())
    undo.enter_context(host.accounts_in_use())
    options = PortalOptions(
        directory=DIRECTORY,
        realm=REALM,
        port=wanted.port,
        apps_port=wanted.apps_port,
        apps_domain=wanted.apps_domain,
        account=_account(),
    )
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


def _require_ports(wanted: Wanted) -> None:
    """ControlPlaneError says which port is in use, and how to choose another."""
    ports = {"TRIAL_PORT": wanted.port}
    if wanted.apps_port and not wanted.apps_domain:
        ports["TRIAL_APPS_PORT"] = wanted.apps_port
    if len(set(ports.values())) < len(ports):
        raise ControlPlaneError(
            f"Port {wanted.port} cannot be the portal's and the applications'.",
            f"Choose another: make trial TRIAL_APPS_PORT={wanted.port + 1}",
        )
    for name, port in ports.items():
        if gateway.busy(port):
            raise ControlPlaneError(
                f"Port {port} is in use.", f"Choose another: make trial {name}={port + 10}"
            )


def _logs() -> Path:
    logs = DIRECTORY / "log"
    logs.mkdir(parents=True, exist_ok=True)
    return logs


def _account() -> account.Account:
    if made := host.provide_users():
        say(f"Made the system users {', '.join(made)}.")
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
            trusting=_trusting(portal),
            origins=_origins(portal),
        )
    )


def _trusting(portal: Portal) -> str:
    words = _TRUSTING if portal.options.apps_domain else _ACCEPTING
    return words.format(authority=portal.authority)


def _origins(portal: Portal) -> str:
    """Return where applications live, and what that keeps them from."""
    found = portal.options
    words = _OF_DOMAIN if found.apps_domain else _OF_PORT if found.apps_port else _OF_ONE
    apps = f"https://localhost:{found.apps_port}"
    return words.format(domain=found.apps_domain, port=found.port, apps=apps)
