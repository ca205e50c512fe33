"""What runs: the engine, the images of what is granted, and the way to each session.

Invariant: what a start or a stop under way explains is no finding: each is seen twice.
"""

import grp
import os
import pwd
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from control_plane.adapters import engine_facts, nginx_status
from control_plane.adapters.nginx_status import Status
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.doctor.names import some
from control_plane.domain import labels
from control_plane.domain.entities import State
from control_plane.domain.labels import RUN
from control_plane.domain.names import shown
from control_plane.errors import EngineUnavailableError

_AGAIN_SECONDS = 3.0
_LEAST_ENGINE = (20, 10)
_LINE = re.compile(r'^ *"(?P<id>[0-9a-f]{32})\|(?P<target>[0-9.:]+)" ', re.MULTILINE)
_SHORT = 12


def engine(one: Installation) -> Iterator[Finding]:
    """See that the engine answers, to the service too, and keeps what a policy promises."""
    bad = list(_barred(one))
    try:
        facts = one.facts
    except EngineUnavailableError as error:
        yield failed(f"{error.message} {error.hint}".strip(), _what_to_do(error))
        return
    if _number(facts.version) < _LEAST_ENGINE:
        newer = "ansible-playbook -i inventory ansible/site.yml --tags docker"
        bad.append(failed(f"The engine {facts.version} is too old; 20.10 is needed.", newer))
    if not facts.live_restore:
        bad.append(warning("A restart of the engine ends every session.", _LIVE_RESTORE))
    if facts.lacking:
        told = f"The kernel does not keep the limits of {', '.join(facts.lacking)}."
        bad.append(warning(told, 'docker info | grep WARNING  # cgroups: "docker info" says which'))
    bad += [failed(said, f"{_STOP_ALL}; systemctl restart {SERVICE}") for said in facts.networks]
    yield from bad
    if not bad:
        networks = ", ".join(map(str, facts.subnets)) or "none yet"
        yield ok(f"The engine {facts.version} answers; session networks: {networks}.")


def images(one: Installation) -> Iterator[Finding]:
    """See that whatever is granted can be started."""
    grants = one.stores.accounting.grants()
    wanted = sorted(
        {grant.application.image for grant in grants} | {*one.settings.demo.applications}
    )
    there = one.images
    bad = []
    for name in wanted:
        if name not in there:
            told = f"The image {shown(name)} is granted, and the engine does not have it."
            bad.append(failed(told, f"docker pull {shown(name)}"))
        elif problems := labels.problems(there[name]):
            told = f"The image {shown(name)} cannot be started: {problems[0]}"
            bad.append(failed(told, f"control-plane image check {shown(name)}"))
    yield from bad
    if not bad:
        yield ok(f"{len(wanted)} images are granted, all of them there.")


def routes(one: Installation) -> Iterator[Finding]:
    """See that each session that is ready has a container and a route, and nothing else has."""
    first = _differences(one)
    if first:
        time.sleep(_AGAIN_SECONDS)
        again = _differences(one)
        first = {key: said for key, said in first.items() if key in again}
    status = nginx_status.read(one.settings.routes_status)
    bad = [*of_status(status), *_waiting(one), *(make() for make in first.values())]
    yield from bad
    if not bad:
        yield ok(f"{len(_ready(one))} sessions are ready, each with its container and its route.")


def of_status(status: Status) -> Iterator[Finding]:
    """Judge what the routes one-shot said last."""
    if status.error:
        yield failed(f"nginx refuses its configuration: {shown(status.error, 300)}", "nginx -t")
    if status.refused:
        told = f"Routes were left out: {shown(some(list(status.refused)), 300)}."
        yield failed(told, "journalctl -u remoteapp-routes.service")


def _differences(one: Installation) -> dict[tuple[str, str], Callable[[], Finding]]:
    """Return what records, containers and routes do not agree on, by what and whose."""
    ready = _ready(one)
    living = {session.id for session in one.stores.records.open_sessions() if session.living}
    containers = {found.labels.get(RUN + "url_id", ""): found for found in one.containers}
    installed = _installed(one.places.nginx / "routes.conf")
    found: dict[tuple[str, str], Callable[[], Finding]] = {}
    for session_id, target in ready.items():
        container = containers.get(session_id)
        if container is None or not container.running:
            told = f"The session {session_id} is ready and has no container that runs."
            found["container", session_id] = _saying(failed, told, _RECONCILE)
        if installed.get(session_id) != target:
            told = f"nginx has no line for the session {session_id} yet, which works all the same."
            found["route", session_id] = _saying(warning, told, _RECONCILE)
    for session_id, container in containers.items():
        if session_id not in living:
            told = f"The container {container.id[:_SHORT]} belongs to no session of the records."
            found["orphan", container.id] = _saying(failed, told, _RECONCILE)
    for session_id in sorted(set(installed) - living):
        told = f"nginx has a line for the session {session_id}, which is over; it leads nowhere."
        found["stale", session_id] = _saying(warning, told, _RECONCILE)
    return found


def _saying(how: Callable[[str, str], Finding], told: str, todo: str) -> Callable[[], Finding]:
    return lambda: how(told, todo)


def _ready(one: Installation) -> dict[str, str]:
    sessions = one.stores.records.open_sessions()
    return {
        found.id: f"{found.address}:{found.port}"
        for found in sessions
        if found.state is State.READY
    }


def _installed(path: Path) -> dict[str, str]:
    try:
        return {one["id"]: one["target"] for one in _LINE.finditer(path.read_text())}
    except FileNotFoundError:
        return {}


def _waiting(one: Installation) -> Iterator[Finding]:
    with suppress(OSError):
        if any(one.settings.spool.iterdir()):
            time.sleep(_AGAIN_SECONDS)
            if any(one.settings.spool.iterdir()):
                told = f"Routes wait in {one.settings.spool}, and nobody installs them."
                yield failed(told, "systemctl restart remoteapp-routes.path")


def _barred(one: Installation) -> Iterator[Finding]:
    """Judge whether the service may use the engine's socket, whoever asks now."""
    socket = engine_facts.socket_of(one.engine_place)
    with suppress(OSError, KeyError):
        found = socket.stat() if socket else None
        name = one.places.account
        account = pwd.getpwnam(name)
        groups = os.getgrouplist(name, account.pw_gid)
        if found and found.st_gid not in groups and found.st_uid != account.pw_uid:
            group = grp.getgrgid(found.st_gid).gr_name
            told = f"Permission denied on the socket {socket}: {name} is not in group {group}."
            yield failed(
                told, f"usermod --append --groups {group} {name}; systemctl restart {SERVICE}"
            )


def _what_to_do(error: EngineUnavailableError) -> str:
    if error.message.startswith("Permission denied"):
        return "sudo control-plane doctor, or: usermod --append --groups docker NAME"
    if "times out" in error.message:
        return "journalctl -u docker --since -10min; systemctl restart docker"
    return "systemctl status docker; systemctl start docker"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version)[:2])


_RECONCILE = "control-plane reconcile"
_STOP_ALL = "control-plane sessions stop --all"
_LIVE_RESTORE = 'Set "live-restore": true in /etc/docker/daemon.json, then: systemctl reload docker'
