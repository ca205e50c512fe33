"""How long a host takes to become a portal, and to stay one."""

from collections.abc import Sequence

from bench.figures import Figure
from deploy import hosts


def of_a_host(runs: int) -> Sequence[Figure]:
    """Provision a bare Debian 12 whose packages are cached, then run the same again."""
    del runs  # minutes each
    with hosts.running("bench", "bookworm") as host:
        first, second = host.playbook(), host.playbook()
    return (
        Figure("`site.yml` on a bare host", "180 s", f"{first.seconds:.0f} s", _tasks(first)),
        Figure("the same again", "30 s", f"{second.seconds:.0f} s", _tasks(second)),
    )


def _tasks(play: hosts.Play) -> str:
    return f"{play.counts['ok']} tasks, {play.changed} changed"
