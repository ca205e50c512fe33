"""Short programs that we run to their end, their output kept.

Invariant: each has a session of its own, so that a terminal's Ctrl-C does not reach it.
"""

import subprocess
from collections.abc import Mapping, Sequence

from control_plane.errors import ControlPlaneError
from control_plane.trial.account import ROOT, Account


def run(
    words: Sequence[str],
    *,
    line: str = "",
    environment: Mapping[str, str] | None = None,
    account: Account = ROOT,
) -> subprocess.CompletedProcess[str]:
    """Run it, `line` on its input; without an environment it has ours."""
    return subprocess.run(  # noqa: S603 - words of our own
        words,
        input=line,
        user=account.uid,
        group=account.gid,
        extra_groups=account.gids,
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )


def must(
    words: Sequence[str], *, line: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """Run it and return what it prints; ControlPlaneError with its own words when it fails."""
    done = run(words, line=line, environment=environment)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise ControlPlaneError(f"{' '.join(words)} failed with status {done.returncode}.", said)
    return done.stdout.strip()
