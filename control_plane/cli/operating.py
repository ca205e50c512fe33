"""How a command on the host reaches the whole portal, whether its service runs or not.

Invariant: one process acts for a realm. Who holds its lock does the work: the service, which is
asked over its socket, or else this command, as the account whose state it is.
"""

import asyncio
import json
import os
import pwd
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from control_plane import installed, lifecycle, operators, plane, settings
from control_plane.adapters import docker_place, operator_client
from control_plane.domain.ports import Plane
from control_plane.errors import ConflictError, EngineUnavailableError
from control_plane.settings import Settings

socket_option = click.option(
    "--socket",
    type=click.Path(path_type=Path),
    default=operator_client.SOCKET,
    show_default=True,
    help="Where the service listens.",
)
_PAUSE = 0.5


def perform(
    socket: Path,
    path: str,
    content: Mapping[str, object],
    act: Callable[[Plane, Settings], Mapping[str, Any]],
) -> Mapping[str, Any]:
    """Ask the service what stands under `path`, or do it by `act` where no service runs."""
    found, secret = settings.load(), settings.secret()
    _become(found.state_directory, _engines_groups(found))
    with suppress(_ServedError), _own_plane(found, secret, patience=0) as ours:
        return act(ours, found)
    body = json.dumps(content).encode()
    headers = {operators.HEADER: operators.signature(secret, path, body)}
    try:
        answer: Mapping[str, Any] = operator_client.post(socket, path, body, headers)
    except operator_client.SilentError:
        # It may have been asked while it ended: then this command does the work after all.
        patience = plane.PREDECESSOR_SECONDS
        with suppress(_ServedError), _own_plane(found, secret, patience) as ours:
            return act(ours, found)
        raise
    return answer


class _ServedError(Exception):
    """The service runs."""


def _engines_groups(found: Settings) -> list[int]:
    """Return the groups that reach the engine: root does, and the service's account does not."""
    place = installed.engine_place(found)
    files = [docker_place.socket_of(place), found.engine.tls_key]
    return [one.stat().st_gid for one in files if one and one.exists()]


def _become(state: Path, groups: list[int]) -> None:
    """Go on as the owner of the state: what root left there, the service could not write."""
    owner = state.stat().st_uid
    if os.geteuid() == 0 and owner:
        account = pwd.getpwuid(owner)
        os.chdir("/")
        os.setgroups([*os.getgrouplist(account.pw_name, account.pw_gid), *groups])
        os.setgid(account.pw_gid)
        os.setuid(owner)
        os.environ["HOME"] = account.pw_dir


@contextmanager
def _own_plane(found: Settings, secret: bytes, patience: float) -> Iterator[Plane]:
    """Hold the realm and its plane until the end; _ServedError while a service does.

    `patience` is how many seconds it is waited for to end.
    """
    with _loop() as loop:
        try:
            ours = plane.open_plane(found, loop, secret, patience)
        except ConflictError as error:
            raise _ServedError from error
        lifecycle.load(ours)
        threading.Thread(target=_follow, args=(ours,), daemon=True).start()
        try:
            yield ours
        finally:
            ours.jobs.close()


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop on a thread: a stop waits there for the end of its container."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _follow(ours: Plane) -> None:
    """Hear of the containers that end, for as long as the process lives."""
    since = ours.clock()
    while True:
        try:
            for container_id in ours.engine.ends(since):
                lifecycle.container_ended(ours, container_id)
        except EngineUnavailableError:
            time.sleep(_PAUSE)
