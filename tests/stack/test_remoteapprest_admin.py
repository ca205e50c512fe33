"""The verbs `remoteapprest admin …` on a whole portal: nginx, the engine, a registry."""

import csv
import io
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import registry
from portal import HELLO, RunningPortal
from stack.conftest import Realm, until

from control_plane.domain.labels import IMAGE

COMMAND = (sys.executable, "-c", "from control_plane.cli.remoteapprest import main; main()")
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Machine:
    """Somebody's machine, with a profile for each who signs in on it."""

    portal: RunningPortal
    home: Path

    def ran(self, profile: str, *words: str, typed: str = "") -> Done:
        """Run remoteapprest under a profile."""
        return subprocess.run(
            [*COMMAND, "--profile", profile, *words],
            env={**os.environ, "XDG_CONFIG_HOME": str(self.home)},
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def done(self, profile: str, *words: str, typed: str = "") -> str:
        """Run it; it ends well. Return what it prints."""
        done = self.ran(profile, *words, typed=typed)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def admin(self, *words: str, typed: str = "") -> str:
        """Run a verb of administration as an administrator."""
        return self.done("admin", "admin", *words, typed=typed)

    def told(self, *words: str, typed: str = "") -> Any:
        """Return what a verb of administration says as JSON."""
        return json.loads(self.admin(*words, "--json", typed=typed))

    def login(self, profile: str, name: str, password: str) -> None:
        """Sign in with a password."""
        words = ("login", self.portal.url, "--ca", str(self.portal.ca), "--username", name)
        self.done(profile, *words, "--password-stdin", typed=f"{password}\n")

    def url(self, profile: str, grant: str) -> str:
        """Start what a grant allows, and return its address when it is ready."""
        return self.done(profile, "app", "start", grant, "--wait").strip()


@pytest.fixture
def machine(portal: RunningPortal, tmp_path: Path) -> Machine:
    """A machine on which an administrator is signed in for everything."""
    made = Machine(portal, tmp_path / "config")
    words = ("login", portal.url, "--ca", str(portal.ca), "--token")
    made.done("admin", *words, typed=f"{portal.token('admin')}\n")
    return made


@pytest.fixture
def archive(realm: Realm, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An application's image that is in a file and not on the engine, and its name."""
    name, path = f"remoteapp-test/walk-{secrets.token_hex(3)}", tmp_path / "walk.tar"
    holder = realm.api.containers.create(HELLO)
    holder.commit(name, "1", changes=f"LABEL walk={name}")
    holder.remove()
    subprocess.run(["docker", "save", "--output", path, f"{name}:1"], check=True)
    registry.forget(f"{name}:1")
    yield f"{name}:1", path
    registry.forget(f"{name}:1")


@pytest.fixture
def folder(portal: RunningPortal) -> Path:
    """A directory of the host that may be mounted."""
    made = portal.volumes / secrets.token_hex(3)
    made.mkdir()
    return made


def test_a_user_is_let_in_works_and_leaves_from_anywhere(
    machine: Machine, realm: Realm, archive: tuple[str, Path], folder: Path
) -> None:
    image, path = archive
    assert machine.admin("image", "upload", str(path)) == f"Took in {image}.\n"
    machine.admin("app", "create", image, "--display-name", "Walk")
    machine.admin("group", "create", "hikers")
    machine.admin("user", "create", "hanna", "--stdin", "--group", "hikers", typed="hanna walks\n")
    limits = ("--memory", "200m", "--max-lifetime", "3600", "--allow-home")
    words = ("grant", "create", image, "--group", "hikers", "--volume", f"{folder}:/data:ro")
    grant = machine.admin(*words, *limits).strip()

    machine.login("hanna", "hanna", "hanna walks")
    url = machine.url("hanna", grant)
    (session,) = machine.told("session", "list", "--user", "hanna")
    assert (session["url"], session["application"], session["state"]) == (url, "Walk", "ready")
    assert session["policy"]["volumes"] == [f"{folder}:/data:ro"]
    container = realm.containers()[session["id"]]
    assert container.attrs["HostConfig"]["Memory"] == 200 * 1024**2
    longer = json.loads(machine.done("hanna", "app", "extend", session["id"], "600", "--json"))
    assert longer["ends_at"] > session["ends_at"]

    machine.admin("grant", "change", grant, "--memory", "300m")
    until(lambda: _memory(realm, session["id"]) == 300 * 1024**2)
    machine.admin("session", "message", session["id"], "We close at six.")
    machine.admin("grant", "remove", grant)
    until(lambda: machine.told("session", "list", "--user", "hanna") == [])
    assert json.loads(machine.done("hanna", "app", "available", "--json")) == []

    report = machine.told("user", "remove", "hanna", "--home", "delete", "--dry-run")
    assert (report["tokens"], report["groups"], report["sessions"]) == (1, ["hikers"], [])
    assert report == machine.told("user", "remove", "hanna", "--home", "delete")
    refused = machine.ran("hanna", "app", "available")
    assert (refused.returncode, refused.stderr) == (
        1,
        "remoteapprest: Nobody is signed in. Sign in again with remoteapprest login URL.\n",
    )
    machine.admin("group", "remove", "hikers")
    machine.admin("app", "remove", image)
    machine.admin("image", "remove", image)
    _check_books(machine, image, grant)


def _memory(realm: Realm, session_id: str) -> int:
    return int(realm.containers()[session_id].attrs["HostConfig"]["Memory"])


def _check_books(machine: Machine, image: str, grant: str) -> None:
    """See that ledger and audit log tell of the walk, and of no password."""
    (used,) = [one for one in machine.told("usage") if one["name"] == "hanna"]
    assert (used["sessions"], used["seconds"] > 0) == (1, True)
    by_application = csv.DictReader(
        io.StringIO(machine.admin("usage", "--by", "application", "--csv"))
    )
    assert "Walk" in [row["name"] for row in by_application]
    # The home goes when no session uses it any more: at a moment of its own.
    until(lambda: ("home-delete", "hanna") in _done(machine))
    mine = [one for one in _done(machine) if one[1] in (image, "hanna", grant, "hikers")]
    assert [one for one in mine if one[0] != "home-delete"] == [
        ("image-upload", image),
        ("application-create", image),
        ("group-create", "hikers"),
        ("user-create", "hanna"),
        ("grant", grant),
        ("grant-change", grant),
        ("revoke", grant),
        ("user-remove", "hanna"),
        ("group-remove", "hikers"),
        ("application-remove", image),
        ("image-remove", image),
    ]
    assert "hanna walks" not in json.dumps(machine.told("audit", "--actor", "admin"))


def _done(machine: Machine) -> list[tuple[str, str]]:
    """Return what the administrator has done to what, the oldest first."""
    acts = machine.told("audit", "--actor", "admin")
    return [(one["action"], one["target"]) for one in reversed(acts)]


def test_an_image_comes_from_a_registry_step_by_step(machine: Machine) -> None:
    with registry.registry() as hub:
        labels = {IMAGE + "contract": "1", IMAGE + "ui_name": "Small", IMAGE + "type": "webapp"}
        name = hub.push(f"lab/small-{secrets.token_hex(3)}", labels=labels)
        pulled = machine.ran("admin", "admin", "image", "pull", name)
        assert (pulled.returncode, pulled.stdout) == (0, f"Pulled {name}.\n")
        assert [line for line in pulled.stderr.splitlines() if line.endswith("Pull complete")]
        (image,) = [one for one in machine.told("image", "list") if one["name"] == name]
        assert (image["ui_name"], image["type"]) == ("Small", "webapp")
        assert machine.admin("image", "remove", name) == f"Removed {name}.\n"
        missing = machine.ran("admin", "admin", "image", "pull", f"{hub.host}/none:1")
        assert (missing.returncode, missing.stdout) == (1, "")
        assert "manifest unknown" in missing.stderr


def test_who_may_not_administer_is_told_so_before_the_engine_has_an_archive(
    machine: Machine, portal: RunningPortal, realm: Realm, archive: tuple[str, Path]
) -> None:
    name, path = archive
    machine.login("alice", "alice", portal.password("alice"))
    refused = machine.ran("alice", "admin", "image", "upload", str(path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "remoteapprest: This needs the scope admin:write. "
        "As an administrator, sign in again with remoteapprest login URL --admin.\n"
    )
    assert not realm.api.images.list(name)


def test_what_everyone_is_told_and_the_figures(machine: Machine) -> None:
    machine.admin("announce", "We close at six.", "--until", "2040-01-01")
    machine.admin("announce", "--clear")
    figures = machine.told("stats")
    assert figures["users"] == len(machine.told("user", "list"))
    assert figures["grants"] == len(machine.told("grant", "list"))
