"""The checks in their order: the causes before what they cause.

Invariant: no check that breaks keeps another from being made; what one check has failed at is not
told again by those that need the same.
"""

from collections.abc import Collection, Iterator, Sequence

from control_plane.doctor import applications, behind, books, configuration, entrance, host, running
from control_plane.doctor.findings import Check, Finding, failed, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.errors import (
    ControlPlaneError,
    EngineUnavailableError,
    SettingsError,
    StoreUnavailableError,
)

_JOURNAL = f"journalctl -u {SERVICE} --since -10min"
CHECKS = (
    Check("settings", configuration.settings, "ls -l /etc/remoteapp"),
    Check("units", host.units, "systemctl status remoteapp.target"),
    Check("disk", host.disk, "df -h"),
    Check("memory", host.memory, "free -h"),
    Check("engine", running.engine, "systemctl status docker"),
    Check("door", behind.door, "systemctl status remoteapp-engine.socket"),
    Check("clock", host.clock, "timedatectl"),
    Check("database", books.database, "remoteappdb init"),
    Check("volumes", configuration.volumes, "ls -ld SOURCE"),
    Check("pam", configuration.pam, "ls -l /etc/pam.d"),
    Check("people", books.people, "remoteappdb user list --show-apps"),
    Check("images", running.images, "docker images"),
    Check("forwarder", behind.forwarder, "systemctl status remoteapp-forwarder.service"),
    Check("ports", entrance.ports, "ss -ltnp"),
    Check("certificate", entrance.certificate, "control-plane certificate renew"),
    Check("firewall", host.firewall, "nft list ruleset"),
    Check("routes", running.routes, "systemctl status remoteapp-routes.path"),
    Check("readyz", entrance.readyz, _JOURNAL),
    Check("https", entrance.https, "control-plane doctor --only certificate --only ports"),
    Check("applications", applications.applications, "control-plane doctor --only https"),
)
NAMES = tuple(one.name for one in CHECKS)
# Who tells of an error that others run into as well.
_OWNERS = {SettingsError: "settings", EngineUnavailableError: "engine"}
_OWNERS |= {StoreUnavailableError: "database"}


def examine(
    one: Installation, only: Collection[str], more: Sequence[Check] = ()
) -> Iterator[tuple[str, Finding]]:
    """Give what each check found, by its name; `only` chooses some, none is all."""
    for check in (*CHECKS, *more):
        if not only or check.name in only:
            for finding in _made(check, one):
                yield check.name, finding


def _made(check: Check, one: Installation) -> Iterator[Finding]:
    try:
        yield from check.look(one)
    except ControlPlaneError as error:
        owner = _OWNERS.get(type(error), check.name)
        if owner == check.name:
            yield failed(f"{error.message} {error.hint}".strip(), check.todo)
        else:
            yield warning(f"Not looked at: {error.message}", f"control-plane doctor --only {owner}")
    except OSError as error:
        yield failed(f"It cannot be looked at: {error}.", check.todo)
    except Exception as error:  # noqa: BLE001 - the others are still to be made
        yield failed(f"The check itself broke: {error!r}.", check.todo)
