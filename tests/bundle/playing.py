"""A machine that runs Ansible with the project's modules, as a site's own playbooks do."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control_plane.trial.places import CLONE, command

# As the modules' page says it.
CONFIGURATION = f"""\
[defaults]
library = {CLONE}/ansible/library
module_utils = {CLONE}/ansible/module_utils
"""
MODULES = ("remoteapp_application", "remoteapp_grant", "remoteapp_group", "remoteapp_user")
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Steps:
    """What each step told, and all that was printed on the way."""

    told: list[dict[str, Any]]
    output: str

    @property
    def changed(self) -> list[bool]:
        return [one["changed"] for one in self.told]

    def diff(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what was before and after a step, as far as they differ."""
        found = self.told[number]["diff"]
        return found["before"], found["after"]


@dataclass(frozen=True)
class Controller:
    """Where it lies, which portal it manages, and with which token."""

    directory: Path
    url: str
    ca: Path
    token: str

    def ran(self, module: str, **options: Any) -> Done:
        """Run one module on this machine; `options` beside those of the connection."""
        given = {"url": self.url, "ca_file": str(self.ca), **options}
        words = ["localhost", "-m", f"remoteapp_{module}", "-a", json.dumps(given)]
        return self._ran("ansible", words)

    def told(self, module: str, **options: Any) -> dict[str, Any]:
        """Run one module, which does not fail; return what it tells."""
        done = self.ran(module, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return result_of(done)

    def refused(self, module: str, **options: Any) -> dict[str, Any]:
        """Run one module, which fails; return what it tells."""
        done = self.ran(module, **options)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        return result_of(done)

    def steps(self, *steps: dict[str, Any]) -> Steps:
        """Run modules one after the other in one playbook, whether or not one fails."""
        told, file = self.directory / "told.json", self.directory / "steps.yml"
        names = [f"told_{number}" for number, _ in enumerate(steps)]
        tasks = [{**one, "register": name} for one, name in zip(steps, names, strict=True)]
        content = "{{ [" + ", ".join(names) + "] | to_json }}"
        last = {"ansible.builtin.copy": {"content": content, "dest": str(told)}, "diff": False}
        defaults = {one: {"url": self.url, "ca_file": str(self.ca)} for one in MODULES}
        play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults}
        file.write_text(json.dumps([{**play, "tasks": [*tasks, last]}]))
        done = self.played(file, "-vvv", "--diff")
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.token not in done.stdout + done.stderr
        return Steps(json.loads(told.read_text()), done.stdout + done.stderr)

    def played(self, file: Path, *words: str) -> Done:
        """Run a playbook."""
        return self._ran("ansible-playbook", [str(file), *words])

    def _ran(self, program: str, words: list[str]) -> Done:
        (self.directory / "ansible.cfg").write_text(CONFIGURATION)
        return subprocess.run(
            [command(program), *words],
            env=self._environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "REMOTEAPP_TOKEN": self.token,
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }


def step(module: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Return a task that runs a module, in check mode perhaps."""
    return {f"remoteapp_{module}": options, "check_mode": check, "ignore_errors": True}


def result_of(done: Done) -> dict[str, Any]:
    """Return what a module told, however it ended."""
    found: dict[str, Any] = json.loads(done.stdout.split(" => ", 1)[1])
    return found
