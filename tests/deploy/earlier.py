"""An earlier release on a host: as the last commit before the engine had a door made it.

Invariant: playbook, roles, units and program are that commit's own.
"""

import subprocess
from pathlib import Path

from deploy.hosts import Host

from control_plane.trial.places import CLONE

COMMIT = "ae1a1af"
# What an upgrade touches, without the images' roles and those that need a session.
ROLES = ("preflight", "docker", "nginx", "control_plane", "certificate", "firewall")


def provision(host: Host, directory: Path) -> None:
    """Run that commit's site.yml on a fresh host."""
    archived = subprocess.run(
        ["git", "archive", COMMIT], cwd=CLONE, capture_output=True, check=True
    )
    subprocess.run(
        ["tar", "--extract", "--directory", str(directory)], input=archived.stdout, check=True
    )
    # Wheels that are the same need not be fetched twice.
    wheels = CLONE / "var" / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    (directory / "var").mkdir()
    (directory / "var" / "wheels").symlink_to(wheels)
    host.play(directory, "site.yml", "--tags", ",".join(ROLES))
