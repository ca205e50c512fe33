"""What is written down: the databases, and whether everyone has something to start.

Invariant: a database that is behind or broken is never mended here, only told of.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from control_plane.adapters import database_health
from control_plane.adapters.database_health import Health
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.doctor.names import some
from control_plane.domain.entities import Grant, User
from control_plane.domain.names import shown

_START = f"systemctl restart {SERVICE}"


def database(one: Installation) -> Iterator[Finding]:
    """See that the databases are there, whole, writable and of this version."""
    bad = [said for health in one.health for said in _judged(health)]
    files = {health.file for health in one.health if health.file and health.file.exists()}
    if not bad:
        with one.as_service():
            bad += [said for path in sorted(files) for said in _file(path)]
    if path := one.settings.accounting_file:
        bad += _csv(path)
    yield from bad
    if not bad:
        where = dict.fromkeys(health.url for health in one.health)
        newest = ", ".join(f"{health.part} {health.done[-1][:3]}" for health in one.health)
        yield ok(f"{' and '.join(where)}: whole, writable, schema {newest}.")


def people(one: Installation) -> Iterator[Finding]:
    """See that whoever may sign in sees something there; administrators may come to administer."""
    users = [user for user in one.users() if user.enabled]
    admins = one.settings.auth.admins
    others = [user for user in users if not (user.admin or user.name in admins)]
    grants = one.grants()
    empty = [] if one.settings.demo.applications else _with_nothing(others, grants)
    grant = "remoteappdb app grant IMAGE"
    if empty:
        told = f"A new user sees nothing until something is granted: {some(empty)} "
        told += "has no grant." if len(empty) == 1 else "have no grant."
        yield warning(told, f"{grant} {empty[0]}")
    elif not users:
        todo = "remoteappdb user create NAME; remoteappdb user password NAME"
        yield warning("There is nobody who may sign in.", todo)
    else:
        told = f"{len(users)} users, {len(grants)} grants"
        yield ok(f"{told}; whoever does not administer sees something.")


def _judged(health: Health) -> Iterator[Finding]:
    if health.problem:
        todo = f"ls -l {health.file}" if health.file else f"Is the server up? {_START}"
        yield failed(f"The database {health.url} does not answer: {health.problem}.", todo)
    elif not health.initialised:
        told = f"The database is not initialised: {health.url} has no tables of {health.part}."
        yield failed(told, "remoteappdb init")
    elif health.unknown:
        told = f"The database was written by a newer version (it has {health.unknown[-1]})."
        yield failed(told, "Install that version, or: control-plane restore BACKUP")
    elif health.pending:
        told = f"The database is older than this version: {len(health.pending)} changes to come."
        yield warning(told, f"{_START}  # it keeps a copy first")


def _file(path: Path) -> Iterator[Finding]:
    if said := database_health.damage(path):
        todo = f"ls -l {path}*; control-plane restore BACKUP"
        yield failed(f"The database {path} is not whole, or takes no writes: {shown(said)}.", todo)
    owners = {one: one.owner() for one in path.parent.glob(f"{path.name}*")}
    foreign = [one for one, owner in owners.items() if owner != owners[path]]
    if foreign:
        todo = f"chown {owners[path]}: {' '.join(map(str, foreign))}"
        yield failed(f"{some([one.name for one in foreign])} is not {owners[path]}'s.", todo)


def _csv(path: Path) -> Iterator[Finding]:
    if not path.is_file():
        yield failed(f"The accounting in {path} is not there.", f"ls -l {path}")


def _with_nothing(users: Sequence[User], grants: Sequence[Grant]) -> list[str]:
    """Return who holds nothing, neither by name, nor by a group, nor as everyone."""
    held = {(grant.grantee.kind, grant.grantee.name) for grant in grants}
    if ("everyone", "") in held:
        return []
    return [
        user.name
        for user in users
        if ("user", user.name) not in held
        and not any(("group", one) in held for one in user.groups)
    ]
