"""An earlier release on a host: the last commit of the first schema, as it would have been there.

Invariant: its program is that commit's own; only its units and settings are today's, with what that
release did not know yet taken out.
"""

import json
import subprocess
import sys
from pathlib import Path

from deploy.hosts import Host, docker

from control_plane.trial.places import CLONE

COMMIT = "892bac2"  # the schemas that tests/schemas/0001-* keep
# What its service and its routes one-shot did not know: readiness by notice, a range by variable.
UNKNOWN = {
    "remoteapp.service": {"Type=notify": "Type=exec", "WatchdogSec=30": ""},
    "remoteapp-routes.service": {"routes install": "routes install --range ${SESSION_RANGE}"},
}


def release(host: Host, directory: Path) -> str:
    """Put the release on the host and make it the one that runs, with empty databases."""
    made = _made(
        _sources(directory),
        host.out("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'"),
    )
    place = f"/opt/remoteapp/{made['release']}"
    host.run(f"mkdir -p {place}")
    docker("cp", made["archive"], f"{host.container}:{place}/release.tar")
    host.run(
        f"cd {place} && tar --extract --no-same-owner --file release.tar && python3 -m venv ."
        " && bin/python -m pip install --quiet --no-index --no-deps --find-links wheels"
        " --require-hashes --requirement wheels/requirements.txt && touch complete"
        " && cp systemd/* /etc/systemd/system/"
        f" && printf 'public_url = \"{host.url}\"\\n' >/etc/remoteapp/settings.toml"
        " && systemctl stop remoteapp-routes.path remoteapp.socket remoteapp.service"
        f" && ln -sfn {place} /opt/remoteapp/current"
        " && find /var/lib/remoteapp -type f -delete"
        " && systemctl daemon-reload && systemctl start remoteapp.target"
    )
    return str(made["release"])


def _sources(directory: Path) -> Path:
    archived = subprocess.run(
        ["git", "archive", COMMIT], cwd=CLONE, capture_output=True, check=True
    )
    subprocess.run(
        ["tar", "--extract", "--directory", str(directory)], input=archived.stdout, check=True
    )
    units = directory / "systemd"
    units.mkdir()
    for unit in (CLONE / "systemd").glob("remoteapp*"):
        text = unit.read_text()
        for today, then in UNKNOWN.get(unit.name, {}).items():
            assert today in text, f"{unit.name} has no {today}"
            text = text.replace(today, then)
        (units / unit.name).write_text(text)
    return directory


def _made(project: Path, python: str) -> dict[str, str]:
    done = subprocess.run(
        [
            *(sys.executable, str(CLONE / "ansible" / "wheels.py"), f"--project={project}"),
            *(f"--python={python}", "--machine=x86_64"),
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found
