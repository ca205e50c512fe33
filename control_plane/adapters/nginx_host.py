"""The routes one-shot: what stands between the control plane, which is not root, and nginx.

Invariant: what is installed was rendered here from checked routes and has passed `nginx -t`, or is
the last that has; at most `Pace.most` generations of workers drain because of us.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

from control_plane.adapters import nginx_processes as processes
from control_plane.adapters import nginx_says, nginx_spool, nginx_status
from control_plane.adapters.nginx_status import Status, digest, replace_file, uptime
from control_plane.domain import routes
from control_plane.errors import GatewayError

log = logging.getLogger(__name__)

_RELOAD_SECONDS = 3.0
_LOOK_SECONDS = 0.02
# A reload of someone else's may have read the file just before we changed it.
_DOUBT = 2.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie. `installed` and `status` are in directories of the one-shot's own user."""

    spool: Path
    installed: Path
    status: Path
    pid: Path
    config: Path
    nginx: str = "/usr/sbin/nginx"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often nginx is reloaded, in seconds and in generations that may drain.

    Each reload leaves the workers behind that hold an open WebSocket. Until it comes a new session
    is reached by the authoriser's word alone: slower under load, never wrong, so there is no hurry.
    """

    interval: float = 10.0
    draining: int = 2
    patience: float = 600.0
    most: int = 4
    look_again: float = 30.0


def install(places: Places, network: IPv4Network, owner: int, pace: Pace | None = None) -> Status:
    """Take what `owner` has put into the spool, install it, reload when it is time; idempotent.

    Lines that are no route, and routes that nginx refuses, stand in the status that is returned and
    written; GatewayError when not even that could be done.
    """
    with _alone(places.status.parent):
        taken = nginx_spool.take(places.spool, owner)
        for junk in taken.junk:
            log.warning("spool: removed %s", junk)
        before = nginx_status.read(places.status)
        after = _install(places, network, before, taken.content)
        after = _reload_when_due(places, after, pace or Pace())
        nginx_status.write(places.status, after)
    return after


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    found = directory.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise GatewayError(f"{directory} can be written by others: no place for the status.")
    descriptor = os.open(
        directory / "routes.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install(places: Places, network: IPv4Network, before: Status, content: bytes | None) -> Status:
    present = places.installed.read_bytes() if places.installed.exists() else None
    if content is None and present is not None:
        return before
    wanted, refused = routes.read((content or b"").decode("utf-8", "replace"), network)
    text = routes.nginx_text(wanted).encode()
    after = replace(
        before,
        candidate=digest(content) if content is not None else before.candidate,
        refused=tuple(refused),
        path=str(places.installed),
        error="",
        again_at=None,
    )
    if present == text and before.installed == digest(text):
        return after
    # What is there and was never tested is left over from a run that was killed.
    trusted = present is not None and before.installed in ("", digest(present))
    good = present if trusted and present is not None else routes.nginx_text(()).encode()
    return _try(places, after, text, good)


def _try(places: Places, status: Status, text: bytes, good: bytes) -> Status:
    _put(places, text)
    error = nginx_says.refusal(places.nginx, places.config)
    if error:
        _put(places, good)
        return replace(status, error=error, installed=digest(good))
    status = replace(status, installed=digest(text))
    if set(text.splitlines()) <= set(good.splitlines()):  # a stop needs no reload
        return status
    now = uptime()
    waiting = status.waiting_since if status.waiting_since is not None else now
    return replace(status, changed_at=now, waiting_since=waiting)


def _put(places: Places, text: bytes) -> None:
    """Install routes for root's nginx and for whoever handed them over: they name sessions."""
    replace_file(places.installed, text, 0o640, places.spool.stat().st_gid)


def _reload_when_due(places: Places, status: Status, pace: Pace) -> Status:
    now = uptime()
    retry = now + pace.look_again if status.error else None
    master = processes.master(places.pid)
    if master is None:  # it reads the file when it starts
        return replace(status, waiting_since=None, draining=0, again_at=retry)
    workers = processes.workers(master)
    status = replace(status, draining=processes.draining_generations(workers), again_at=retry)
    if status.waiting_since is None or _is_loaded(status, workers):
        return replace(status, waiting_since=None)
    again_at = _put_off_until(status, pace, now)
    if again_at is not None:
        return replace(status, again_at=again_at)
    status = replace(status, reloaded_at=now, again_at=now + pace.interval)
    processes.reload(master)
    return _after_reload(status, master)


def _is_loaded(status: Status, workers: list[processes.Worker]) -> bool:
    newest = processes.newest_start(workers) + processes.TICK
    if status.reloaded_at >= status.changed_at:
        return newest >= status.reloaded_at
    return newest >= status.changed_at + _DOUBT


def _put_off_until(status: Status, pace: Pace, now: float) -> float | None:
    """Return from when on a reload may be thought of again; None when it may be done now."""
    rested = status.reloaded_at + pace.interval
    if status.reloaded_at <= now < rested:  # a later one is from before the machine started anew
        return rested
    waited = now - status.waiting_since if status.waiting_since is not None else 0.0
    allowed = pace.most if waited > pace.patience else pace.draining
    return None if status.draining < allowed else now + pace.look_again


def _after_reload(status: Status, master: int) -> Status:
    """Wait for the new workers, so that the status says what is, and later changes come after."""
    until = uptime() + _RELOAD_SECONDS
    while uptime() < until:
        workers = processes.workers(master)
        if _is_loaded(status, workers):
            log.info("nginx reloaded")
            return replace(
                status,
                waiting_since=None,
                again_at=None,
                draining=processes.draining_generations(workers),
            )
        time.sleep(_LOOK_SECONDS)
    log.warning("nginx has not taken the reload yet")
    return status
