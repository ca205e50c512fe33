"""What runs: the engine, the images of what is granted, and the way to each session.

Invariant: what a start or a stop under way explains is no finding: each is seen twice.
"""

import pwd
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from control_plane.adapters import docker_place, nginx_status
from control_plane.adapters.nginx_status import Status
from control_plane.doctor.accounts import group_name, groups_of
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.doctor.names import some
from control_plane.domain import labels
from control_plane.domain.engine_facts import Facts
from control_plane.domain.entities import Image, State
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
    bad += of_facts(facts)
    yield from bad
    if not bad:
        networks = ", ".join(map(str, facts.subnets)) or "none yet"
        yield ok(f"The engine {facts.version} answers; session networks: {networks}.")


def of_facts(facts: Facts) -> Iterator[Finding]:
    """Judge what an engine says of itself."""
    if _number(facts.version) < _LEAST_ENGINE:
        newer = "ansible-playbook -i inventory ansible/site.yml --tags docker"
        yield failed(f"The engine {facts.version} is too old; 20.10 is needed.", newer)
    if not facts.live_restore:
        yield warning("A restart of the engine ends every session.", _LIVE_RESTORE)
    if facts.lacking:
        told = f"The kernel does not keep the limits of {', '.join(facts.lacking)}."
        yield warning(told, 'docker info | grep WARNING  # cgroups: "docker info" says which')
    if not facts.filters_calls:
        told = "Seccomp bars no system call: containers may try every hole of the kernel."
        yield warning(told, _SECCOMP)
    yield from (
        failed(said, f"{_STOP_ALL}; systemctl restart {SERVICE}") for said in facts.networks
    )


def images(one: Installation) -> Iterator[Finding]:
    """See that whatever is granted can be started."""
    grants = one.grants()
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
    bad += _filling_the_disk(one, [there[name] for name in wanted if name in there])
    yield from bad
    if not bad:
        yield ok(f"{len(wanted)} images are granted, all of them there.")


def _filling_the_disk(one: Installation, granted: Sequence[Image]) -> Iterator[Finding]:
    """Judge those who write outside homes and volumes where the engine's storage has no bound."""
    if not one.settings.limits.disk or one.facts.bounds_disk:
        return
    elsewhere = one.engine_place.elsewhere  # no root is read-only there
    named = [shown(image.name) for image in granted if elsewhere or not labels.is_read_only(image)]
    if named:
        told = f"{some(named)} may fill the engine's disk: its storage bounds no container."
        yield warning(told, _NO_BOUND)


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
    living = {session.id for session in one.open_sessions() if session.living}
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
    sessions = one.open_sessions()
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
    """Judge whether its door may use the engine's socket, and the service may not."""
    socket = docker_place.socket_of(one.engine_place)
    name = one.places.engine_account if one.is_apart else one.places.account
    unit = f"{SERVICE}-engine" if one.is_apart else SERVICE
    with suppress(OSError, KeyError):
        found = socket.stat() if socket else None
        if not found:
            return
        group, service = group_name(found.st_gid), one.places.account
        if found.st_gid not in groups_of(name) and found.st_uid != pwd.getpwnam(name).pw_uid:
            told = f"Permission denied on the socket {socket}: {name} is not in group {group}."
            todo = f"usermod --append --groups {group} {name}; systemctl restart {unit}"
            yield failed(told, todo)
        if one.is_apart and found.st_gid in groups_of(service):
            told = f"{service} is in group {group}: who takes the control plane over is root."
            yield failed(told, f"gpasswd --delete {service} {group}; systemctl restart {SERVICE}")


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
_SECCOMP = (
    'Take "seccomp-profile" out of /etc/docker/daemon.json, then restart the engine; '
    "docker info names the profile under Security Options"
)
_NO_BOUND = (
    "Label the image read-only=1 (control-plane image check NAME says whether it can be), or put "
    "the engine's directory on xfs mounted with pquota, or say limits.disk = 0 where that is meant"
)
_LIVE_RESTORE = 'Set "live-restore": true in /etc/docker/daemon.json, then: systemctl reload docker'
