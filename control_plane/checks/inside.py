"""What goes on in a container: as whom it runs, what it may, what it listens on, whose files."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from control_plane.adapters import container_processes
from control_plane.adapters.container_processes import HiddenError, Listener, Process
from control_plane.checks import advice
from control_plane.checks.booting import GIDS, UID, Booted, Realm, Subject, Waited
from control_plane.checks.report import beside_the_point, broken, passed, unreached
from control_plane.domain import labels
from control_plane.domain.containers import ROOT_CAPABILITIES, VOLATILE, WORKSPACE
from control_plane.domain.image_checks import Point
from control_plane.domain.names import shown
from control_plane.errors import UnavailableError

_FILE = f"{WORKSPACE}/.image-check"
_MIB = 1024**2
_FORBIDDEN = ("operation not permitted", "permission denied", "read-only file system")


def points(where: Realm, subject: Subject, one: Booted) -> Iterator[Point]:
    """Judge a container that is ready; what shows in its processes, where they can be seen."""
    yield _workspace(where, one)
    yield _read_only(where, subject, one)
    first = where.inside.main_process(one.container)
    try:
        found = container_processes.processes(one.container, first)
        listen = container_processes.listeners(one.container, first)
    except HiddenError as error:
        why = f"{error.message} {error.hint}"
        yield from (unreached(name, why) for name in ("user", "listeners", "capabilities"))
        return
    yield _as_root(found) if subject.as_root else _as_user(found)
    yield _listeners(subject, one, listen)
    yield _capabilities(subject, found)


def resources(where: Realm, subject: Subject, one: Booted, waited: Waited) -> Point:
    """Tell the numbers."""
    sample = where.engine.sample(one.container)
    memory = f"{sample.memory / _MIB:.0f} MiB of memory" if sample else "memory unknown"
    size = where.inside.size(subject.image.id) / 1e6
    return passed(
        "resources", f"{size:.0f} MB on the disk, {memory}, ready after {waited.ready or 0:.1f} s."
    )


def listening(where: Realm, one: Booted) -> Sequence[Listener]:
    """Return what listens in a container; nothing where that cannot be read, or it has ended."""
    with suppress(UnavailableError, OSError):
        first = where.inside.main_process(one.container)
        return container_processes.listeners(one.container, first)
    return ()


def forbidden(subject: Subject, log: str) -> Point | None:
    """Judge one that never became ready: what it was forbidden, by its own words."""
    lines = [one.strip() for one in log.splitlines()]
    said = next((one for one in lines if any(words in one.lower() for words in _FORBIDDEN)), "")
    if not said:
        return None
    may = "the closed list of capabilities" if subject.as_root else "no capability"
    if labels.is_read_only(subject.image):
        may += " and, by its label, a read-only root"
    todo = (
        "Do at build time what needs root; at run time write to $HOME, /tmp and /workspace alone."
    )
    return broken(
        "capabilities",
        f"It runs with {may}, and says: {shown(said, 200)}",
        todo + advice.as_root(subject),
    )


def _as_user(found: Sequence[Process]) -> Point:
    odd = [one for one in found if one.uids != {UID} or one.gids != {UID}]
    if odd:
        seen = f"{shown(odd[0].name)} runs as uid {_numbers(odd[0].uids)}, not {UID}."
        return broken("user", seen, "Change neither user nor group: it is started as the user.")
    lacking = [one for one in found if not set(GIDS) <= one.groups | one.gids]
    if lacking:
        seen = f"{shown(lacking[0].name)} lacks a supplementary group of the user's."
        return broken("user", seen, "Keep the groups: do not call setgroups or the like.")
    seen = f"All {len(found)} processes run as uid {UID} with the groups of the user."
    return passed("user", seen)


def _as_root(found: Sequence[Process]) -> Point:
    users = [one for one in found if one.uids == {UID}]
    if users:
        seen = f"It starts as root; {len(users)} of {len(found)} processes run as uid {UID}."
        return passed("user", seen)
    return beside_the_point("user", f"It starts as root, and nothing in it runs as uid {UID}.")


def _workspace(where: Realm, one: Booted) -> Point:
    made = where.inside.run(one.container, ["touch", _FILE], f"{UID}:{UID}")
    if made is None:
        return beside_the_point("workspace", "There is no touch in it to make a file with.")
    owner = where.inside.owner(one.container, _FILE) if made else None
    todo = f"Leave owner and mode of {WORKSPACE} as they are: it is the user's home."
    if owner is None:
        return broken("workspace", f"The user cannot make a file in {WORKSPACE}.", todo)
    if owner != (UID, UID):
        seen = f"A file made in {WORKSPACE} belongs to {owner[0]}:{owner[1]}."
        return broken("workspace", seen, todo)
    return passed("workspace", f"A file made in {WORKSPACE} belongs to {UID}:{UID}.")


def _listeners(subject: Subject, one: Booted, found: Sequence[Listener]) -> Point:
    port = one.session.port
    others = ", ".join(str(listener) for listener in found if listener.port != port)
    if not others:
        return passed("listeners", f"Only port {port} listens.")
    seen = f"Besides port {port} it listens on {others}."
    if labels.kind(subject.image) != "contract":
        return beside_the_point("listeners", f"{seen} No other container can reach that.")
    todo = "Switch it off, or let it use a Unix socket: everybody in a container may reach a port."
    return broken("listeners", seen, todo)


def _capabilities(subject: Subject, found: Sequence[Process]) -> Point:
    if subject.as_root:
        closed = ", ".join(ROOT_CAPABILITIES)
        return passed("capabilities", f"It became ready as root with {closed} alone.")
    if any(one.capabilities for one in found):
        return broken("capabilities", "A process has capabilities.", "Report this: it must not.")
    return passed("capabilities", "It became ready without any capability.")


def _read_only(where: Realm, subject: Subject, one: Booted) -> Point:
    """Judge whether it could do without a disk of its own, which nothing bounds on most engines."""
    name = "read-only"
    if labels.kind(subject.image) != "contract":
        return beside_the_point(name, "Its root can be written, as in all that is not contract=1.")
    if labels.is_read_only(subject.image):
        return passed(name, "It became ready with a root that cannot be written.")
    written = [one for one in where.inside.written(one.container) if not _is_volatile(one)]
    if written:
        seen = f"It writes to {shown(written[0])}, so its root has to be writable."
        return beside_the_point(name, seen)
    seen = f"It wrote to homes and {', '.join(VOLATILE)} alone: it may bear the label read-only=1."
    return passed(name, seen)


def _is_volatile(path: str) -> bool:
    return f"{path}/".startswith(tuple(f"{one}/" for one in (*VOLATILE, "/home", WORKSPACE)))


def _numbers(values: frozenset[int]) -> str:
    return "/".join(map(str, sorted(values)))
