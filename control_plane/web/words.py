"""What a policy allows, in words for people."""

from control_plane.catalogue import Entry
from control_plane.domain.cautions import APART
from control_plane.web.schemas import ApplicationAnswer, PolicyAnswer

KINDS = {"vncapp": "Desktop", "webapp": "Web application"}
_HOME = "Your files are at /workspace."
_NO_HOME = "It keeps nothing: its files go when it stops."
_NO_NETWORK = "It cannot reach the internet."
_SPANS = (("d", 24 * 3600), ("h", 3600), ("min", 60))
_UNITS = (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2))


def facts(application: ApplicationAnswer) -> list[str]:
    """Return what one has to know before a start: of files, of what stays, of its end."""
    policy = application.policy
    more = [_mounted(one) for one in policy.volumes]
    more += [f"It ends after {lasting(policy.max_lifetime)}."] if policy.max_lifetime else []
    return [*_home(application), *more]


def details(application: ApplicationAnswer) -> list[str]:
    """Return what else a started application gets: its limits, and where it is special."""
    policy = application.policy
    found = [_limits(policy), _at_once(policy)]
    found += [_NO_NETWORK] if policy.network == "none" else []
    return [*found, *(one for one in application.warnings if one != APART)]


def problem(entry: Entry) -> str:
    """Return why an entry of the catalogue cannot be started; empty where it can.

    Where on the host a volume lies is the administrators' to read.
    """
    if entry.unfit:
        return f"Its image {entry.name} cannot be started. {entry.unfit}"
    if entry.out_of_reach:
        return entry.out_of_reach
    if entry.problem:
        return "What it is to mount of this machine may not be mounted so."
    return "" if entry.available else f"Its image {entry.name} cannot be started on this machine."


def lasting(seconds: int) -> str:
    """Return a duration as people read it."""
    for unit, scale in _SPANS:
        if seconds >= scale:
            return f"{round(seconds / scale, 1):g} {unit}"
    return f"{seconds} s"


def left(minutes: int) -> str:
    """Return how long a session may run on, as time_left.js counts it down."""
    hours, days = minutes // 60, minutes // 60 // 24
    if days:
        hours %= 24
        return f"{days} d {hours} h left"
    if hours:
        minutes %= 60
        return f"{hours} h {minutes} min left"
    return f"{minutes} min left" if minutes > 1 else "Less than a minute left"


def _home(application: ApplicationAnswer) -> list[str]:
    if not application.policy.allow_home:
        return [_NO_HOME]
    return [APART if APART in application.warnings else _HOME]


def _mounted(volume: str) -> str:
    _, target, mode = volume.split(":")
    return f"It also has {target} (read only)." if mode == "ro" else f"It also has {target}."


def _limits(policy: PolicyAnswer) -> str:
    cpus = "1 CPU" if policy.cpus == 1 else f"{policy.cpus:g} CPUs"
    return f"It has {size(policy.memory)} of memory and {cpus}."


def _at_once(policy: PolicyAnswer) -> str:
    if policy.max_sessions == 1:
        return "You may run it once at a time."
    return f"You may run it {policy.max_sessions} times at once."


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, scale in _UNITS:
        if count >= scale:
            return f"{round(count / scale, 1):g} {unit}"
    return f"{count} bytes"
