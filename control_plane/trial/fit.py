"""Whether the service's account can run the control plane here: tried, not guessed."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from control_plane.trial import programs
from control_plane.trial.account import (
    ENGINE,
    ROOT,
    Account,
    account_of,
    environment,
    service_account,
)


def chosen() -> tuple[Account, str]:
    """Return the service's account, or root and why the service's cannot run it here."""
    wanted = service_account()
    problem = obstacle(wanted) or engine_obstacle(account_of(ENGINE))
    return (ROOT if problem else wanted), problem


def obstacle(account: Account) -> str:
    """Return what the account fails at: this Python, our package; "" if nothing."""
    try:
        done = programs.run(
            [sys.executable, "-c", "import control_plane.cli.control_plane"],
            environment=environment(),
            account=account,
        )
    except PermissionError as error:
        return f"{sys.executable}: {error.strerror}"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it does not start"])[-1]
    return ""


def engine_obstacle(account: Account) -> str:
    """Return why the account of the engine's door may not speak to the engine; "" if it may."""
    socket = _engine_socket()
    if socket and programs.run(["test", "-w", str(socket)], account=account).returncode:
        return f"{socket}: Permission denied"
    return ""


def _engine_socket() -> Path | None:
    host = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    return Path(host.path) if host.scheme == "unix" else None
