"""What a policy allows, in words for people."""

from control_plane.web.schemas import PolicyAnswer

KINDS = {"vncapp": "Desktop", "webapp": "Web application"}
_HOME = "Your files are at /workspace."
_NO_HOME = "It keeps nothing: its files go when it stops."
_UNITS = (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2))


def facts(policy: PolicyAnswer) -> list[str]:
    """Return what a started application gets: one sentence on files, one on limits."""
    files = _HOME if policy.allow_home else _NO_HOME
    cpus = f"{policy.cpus:g} {'CPU' if policy.cpus <= 1 else 'CPUs'}"
    many = "one at a time" if policy.max_sessions == 1 else f"up to {policy.max_sessions} at once"
    return [files, f"{size(policy.memory)} of memory, {cpus}, {many}."]


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, scale in _UNITS:
        if count >= scale:
            return f"{round(count / scale, 1):g} {unit}"
    return f"{count} bytes"
