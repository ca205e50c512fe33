"""The machine below an installation: units, room, memory, clock, packet filter.

Invariant: where a part does not exist on this kind of machine, it is said not to apply.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from control_plane.adapters import host_programs, machine
from control_plane.adapters.disk import LEAST_BYTES
from control_plane.adapters.host_programs import Unit
from control_plane.adapters.machine import Room
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import Installation
from control_plane.errors import SettingsError, UnavailableError

_MIB = 1024**2
_LITTLE_BYTES = 1024 * _MIB
_LITTLE_FILES, _LEAST_FILES = 0.05, 0.01
_LEAST_MEMORY = 64 * _MIB
_SKEW_SECONDS = 5.0
_FILTER = ("inet", "remoteapp")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A unit: whether it has to be active all the time, and whether the portal lives without it."""

    name: str
    always: bool = True
    needed: bool = True


_UNITS = (
    _Wanted("remoteapp.target"),
    _Wanted("remoteapp.socket"),
    _Wanted("remoteapp.service"),
    _Wanted("remoteapp-engine.socket"),
    _Wanted("remoteapp-engine.service"),
    _Wanted("remoteapp-pam.socket"),
    _Wanted("remoteapp-pam.service", always=False),
    _Wanted("remoteapp-forwarder.socket"),
    _Wanted("remoteapp-forwarder-control.socket"),
    _Wanted("remoteapp-forwarder.service"),
    _Wanted("remoteapp-routes.path"),
    _Wanted("remoteapp-routes.service", always=False),
    _Wanted("nginx.service"),
    _Wanted("remoteapp-certificate.timer", needed=False),
    _Wanted("remoteapp-certificate.service", always=False, needed=False),
    _Wanted("remoteapp-backup.timer", needed=False),
    _Wanted("remoteapp-backup.service", always=False, needed=False),
    _Wanted("remoteapp-firewall.service", needed=False),
)


def units(one: Installation) -> Iterator[Finding]:
    """See that every unit is loaded, active, and will be after the next start of the host."""
    del one
    if not host_programs.has_systemd():
        yield ok("Does not apply: systemd does not run this machine.")
        return
    found = host_programs.units([wanted.name for wanted in _UNITS])
    bad = [said for wanted in _UNITS if (said := _unit(wanted, found[wanted.name]))]
    yield from bad
    if not bad:
        yield ok(f"{len(_UNITS)} units are as they should be.")


def disk(one: Installation) -> Iterator[Finding]:
    """See that there is room where anything is written."""
    places = {
        "state": one.state,
        "backups": one.state / "backups",
        "log": Path("/var/log"),
        "run": one.places.socket.parent,
    }
    if root := _engines_root(one):
        places["images and containers"] = root
    rooms = {what: machine.room(path) for what, path in places.items()}
    shared: dict[int, list[str]] = {}
    for what, room in rooms.items():
        shared.setdefault(room.device, []).append(what)
    for together in shared.values():
        yield of_room(together, rooms[together[0]], places[together[0]])


def memory(one: Installation) -> Iterator[Finding]:
    """See that one more session fits."""
    found = machine.memory()
    left, whole, each = found["MemAvailable"], found["MemTotal"], one.settings.limits.memory
    said = f"{_mib(left)} of {_mib(whole)} are available"
    stop = "control-plane sessions stop --all, or end some: remoteapprest admin session list"
    if left < _LEAST_MEMORY:
        yield failed(f"{said}.", stop)
    elif left < each:
        lower = f"Lower limits.memory in {one.places.settings}, or let sessions end"
        yield warning(f"{said}; one session may use {_mib(each)}.", f"{lower}: {stop}")
    else:
        yield ok(f"{said}; one session may use {_mib(each)}.")


def clock(one: Installation) -> Iterator[Finding]:
    """See that the clock is right: sign-ins, tokens and certificates end by it."""
    ahead = one.facts.ahead
    if abs(ahead) > _SKEW_SECONDS:
        told = f"The engine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
        yield failed(f"{told} this machine's.", "timedatectl set-ntp true  # on both machines")
    if not machine.is_clock_synchronised():
        yield warning(
            "The clock follows no other clock (or the kernel is not told that it does).",
            "timedatectl set-ntp true  # needs systemd-timesyncd or chrony",
        )
    elif abs(ahead) <= _SKEW_SECONDS:
        yield ok(f"The clock is synchronised; the engine's differs by {abs(ahead):.1f} s.")


def firewall(one: Installation) -> Iterator[Finding]:
    """See that the session networks are behind the packet filter."""
    if one.engine_place.elsewhere:
        yield ok("Does not apply: the sessions run on another machine.")
        return
    role = "ansible-playbook -i inventory ansible/site.yml --tags firewall"
    try:
        table = host_programs.table_of_packet_filter(*_FILTER)
    except UnavailableError as error:
        yield warning(f"Not looked at: {error.message}", f"sudo control-plane doctor, or: {role}")
        return
    if table is None:
        yield warning(
            "The packet filter has no table of this portal: every user of this host reaches the"
            " applications of others, and applications reach the host's services.",
            f"systemctl restart remoteapp-firewall.service, or: {role}",
        )
        return
    left = [str(net) for net in one.facts.subnets if not _names(table, str(net))]
    if left:
        yield failed(f"No rule holds for the session networks {', '.join(left)}.", role)
    else:
        yield ok(f"The table {' '.join(_FILTER)} holds for the session networks.")


def of_room(what: list[str], room: Room, path: Path) -> Finding:
    """Judge the room that is left for `what`, which lies at `path`."""
    told = f"{_mib(room.free)} of {_mib(room.whole)} are left for {', '.join(what)} ({path})"
    todo = f"du -xh --max-depth=2 {path} | sort -h | tail; docker image prune"
    if room.free < LEAST_BYTES or room.files < _LEAST_FILES:
        return failed(f"The disk is full: {told}{_files(room)}.", todo)
    if room.free < _LITTLE_BYTES or room.files < _LITTLE_FILES:
        return warning(f"The disk is nearly full: {told}{_files(room)}.", todo)
    return ok(f"{told}.")


def _unit(wanted: _Wanted, found: Unit) -> Finding | None:
    say = failed if wanted.needed else warning
    if found.load != "loaded":
        todo = "ansible-playbook -i inventory ansible/site.yml"
        return say(f"The unit {wanted.name} is {found.load or 'not known'}.", todo)
    if not wanted.needed and (found.active, found.enabled) == ("inactive", "disabled"):
        told = f"The unit {wanted.name} is switched off."
        return warning(told, f"systemctl enable --now {wanted.name}, unless that is meant")
    is_bad = found.active == "failed" or (wanted.always and found.active != "active")
    if is_bad:
        said = "".join(f" | {line}" for line in host_programs.last_lines(wanted.name))
        verb = "restart" if wanted.always else "start"
        told = f"The unit {wanted.name} is {found.active} ({found.result})."
        return failed(told + said, f"journalctl -u {wanted.name}; systemctl {verb} {wanted.name}")
    if wanted.always and found.enabled == "disabled":
        told = f"The unit {wanted.name} will not start with the host."
        return warning(told, f"systemctl enable {wanted.name}")
    return None


def _engines_root(one: Installation) -> Path | None:
    try:
        root = one.facts.root
    except (UnavailableError, SettingsError):
        return None
    return root if root.exists() else None  # else it is another machine's


def _files(room: Room) -> str:
    return f", and {room.files:.1%} of its files" if room.files < _LITTLE_FILES else ""


def _mib(count: int) -> str:
    return f"{count // _MIB} MiB"


def _names(table: str, network: str) -> bool:
    """Whether the rules name the network, or the range of twice its size that holds it."""
    return network in table or str(IPv4Network(network).supernet()) in table
