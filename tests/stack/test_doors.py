"""The same walk through each door of accounting: the command line, the API, a declarative file.

A user and a group are made, an application, a grant with a volume and limits; the user starts it
and writes what the volume holds; the grant is revoked and the user removed.
"""

import io
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import docker
import httpx
import pytest
from portal import HELLO, RunningPortal
from ruamel.yaml import YAML
from stack.conftest import until

MEMORY = 200 * 1024**2


@dataclass(frozen=True)
class Newcomer:
    """Who comes and goes, and what they get."""

    user: str
    group: str
    image: str
    volume: str

    @property
    def password(self) -> str:
        return f"{self.user}-has-a-long-password"


class Door(Protocol):
    """One way in: each verb does the same to the same portal."""

    def welcome(self, who: Newcomer) -> None:
        """Make the group, the user in it, the application and the group's grant."""

    def revoke(self, who: Newcomer) -> None:
        """Take the grant back."""

    def remove(self, who: Newcomer) -> None:
        """Remove the user, with the home, and the group and the application."""


@dataclass
class CommandLine:
    """remoteappdb, on the host."""

    live: RunningPortal

    def welcome(self, who: Newcomer) -> None:
        run = self.live.remoteappdb
        run("group", "create", who.group)
        run("user", "create", who.user, "--group", who.group)
        run("user", "password", who.user, "--stdin", line=who.password)
        run("app", "create", who.image)
        limits = ("--volume", who.volume, "--memory", str(MEMORY), "--allow-home")
        run("app", "grant", who.image, "--group", who.group, *limits)

    def revoke(self, who: Newcomer) -> None:
        self.live.remoteappdb("app", "revoke", who.image, "--group", who.group, "--revoke-all")

    def remove(self, who: Newcomer) -> None:
        self.live.remoteappdb("user", "remove", who.user, "--home", "delete")
        self.live.remoteappdb("group", "remove", who.group)
        self.live.remoteappdb("app", "remove", who.image)


@dataclass
class Api:
    """The administration API."""

    live: RunningPortal
    made: dict[str, str] = field(default_factory=dict)

    def welcome(self, who: Newcomer) -> None:
        self._post("groups", name=who.group)
        self._post("users", name=who.user, password=who.password, groups=[who.group])
        self.made["app"] = self._post("applications", image=who.image)["id"]
        policy = {"volumes": [who.volume], "memory": MEMORY, "allow_home": True}
        grant = {"group": who.group, "application": self.made["app"], "policy": policy}
        self.made["grant"] = self._post("grants", **grant)["id"]

    def revoke(self, who: Newcomer) -> None:
        del who
        self._delete(f"grants/{self.made['grant']}")

    def remove(self, who: Newcomer) -> None:
        self._delete(f"users/{who.user}?home=delete")
        self._delete(f"groups/{who.group}")
        self._delete(f"applications/{self.made['app']}")

    def _post(self, what: str, **body: Any) -> dict[str, Any]:
        answer = self._admin.post(f"/api/v1/admin/{what}", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _delete(self, what: str) -> None:
        answer = self._admin.delete(f"/api/v1/admin/{what}")
        assert answer.status_code in (200, 204), answer.text

    @property
    def _admin(self) -> httpx.Client:
        return self.live.api("admin")


@dataclass
class Declaration:
    """A file that is the truth, read out, changed and applied."""

    live: RunningPortal
    directory: Path

    def welcome(self, who: Newcomer) -> None:
        def change(truth: dict[str, Any]) -> None:
            truth.setdefault("groups", []).append(who.group)
            truth["users"].append({"name": who.user, "kind": "virtual", "groups": [who.group]})
            truth["applications"].append({"image": who.image})
            policy = {"volumes": [who.volume], "memory": MEMORY, "allow_home": True}
            grant = {"group": who.group, "image": who.image, "policy": policy}
            truth["grants"].append(grant)

        self._apply(change)
        self.live.remoteappdb("user", "password", who.user, "--stdin", line=who.password)

    def revoke(self, who: Newcomer) -> None:
        self._apply(lambda truth: _drop(truth, "grants", "group", who.group))

    def remove(self, who: Newcomer) -> None:
        def change(truth: dict[str, Any]) -> None:
            _drop(truth, "users", "name", who.user)
            _drop(truth, "applications", "image", who.image)
            truth["groups"].remove(who.group)

        self._apply(change)

    def _apply(self, change: Callable[[dict[str, Any]], None]) -> None:
        truth = YAML(typ="safe").load(self.live.remoteappdb("export"))
        change(truth)
        text = io.StringIO()
        YAML().dump(truth, text)
        file = self.directory / "accounting.yaml"
        file.write_text(text.getvalue())
        foreseen = self.live.remoteappdb("apply", str(file), "--dry-run")
        assert foreseen.strip()
        self.live.remoteappdb("apply", str(file))
        again = self.live.remoteappdb("apply", str(file))
        assert not [line for line in again.splitlines() if line[:2] in ("+ ", "- ", "~ ")]


def _drop(truth: dict[str, Any], kind: str, key: str, value: str) -> None:
    truth[kind] = [one for one in truth[kind] if one.get(key) != value]


DOORS: Mapping[str, Callable[[RunningPortal, Path], Door]] = {
    "remoteappdb": lambda live, _: CommandLine(live),
    "api": lambda live, _: Api(live),
    "apply": Declaration,
}


@pytest.fixture
def newcomer(portal: RunningPortal) -> Iterator[Newcomer]:
    """Names of this walk's own, an image under a name of its own, and something to mount."""
    word = secrets.token_hex(3)
    source = portal.volumes / word
    source.mkdir()
    (source / "greeting").write_text("from the host")
    image = f"remoteapp/walk-{word}:latest"
    engine = docker.from_env()
    engine.images.get(HELLO).tag(image)
    yield Newcomer(f"ines-{word}", f"lab-{word}", image, f"{source}:/data:ro")
    engine.images.remove(image)
    engine.close()


@pytest.mark.parametrize("door", DOORS)
def test_a_user_comes_works_and_goes(
    portal: RunningPortal, newcomer: Newcomer, tmp_path: Path, door: str
) -> None:
    way = DOORS[door](portal, tmp_path)
    way.welcome(newcomer)
    client = _signed_in(portal, newcomer)
    session = _started(portal, client)
    found = _container(session["id"])
    host = found["HostConfig"]
    assert host["Memory"] == MEMORY
    (mount,) = [one for one in found["Mounts"] if one["Destination"] == "/data"]
    assert (mount["Source"], mount["RW"]) == (newcomer.volume.split(":")[0], False)
    way.revoke(newcomer)
    assert client.get("/api/v1/applications").json()["items"] == []
    gone = portal.wait_for(client, session["id"], "stopped", 20)
    assert gone["ends_because"] == "the grant was revoked"
    way.remove(newcomer)
    _nobody(portal, client, newcomer)
    assert _audit(portal, newcomer.user)


def _signed_in(portal: RunningPortal, who: Newcomer) -> httpx.Client:
    wanted = {"name": "walk", "scopes": ["sessions:read", "sessions:write"]}
    credentials = (who.user, who.password)
    answer = portal.guest().post("/api/v1/tokens", json=wanted, auth=credentials)
    assert answer.status_code == 201, answer.text
    return portal.guest(Authorization=f"Bearer {answer.json()['token']}")


def _started(portal: RunningPortal, client: httpx.Client) -> dict[str, Any]:
    (entry,) = client.get("/api/v1/applications").json()["items"]
    assert (entry["available"], entry["policy"]["memory"]) == (True, MEMORY)
    answer = client.post("/api/v1/sessions", json={"grant_id": entry["grant_id"]})
    assert answer.status_code == 202, answer.text
    session = portal.wait_for(client, answer.json()["id"], "ready")
    assert client.get(session["url"]).status_code == 200
    return session


def _container(session_id: str) -> dict[str, Any]:
    engine = docker.APIClient()
    label = f"eu.simphony-project.docker.runinfo.url_id={session_id}"
    (found,) = engine.containers(filters={"label": label})
    answer: dict[str, Any] = engine.inspect_container(found["Id"])
    engine.close()
    return answer


def _nobody(portal: RunningPortal, client: httpx.Client, who: Newcomer) -> None:
    """The name is nobody's any more: the token, the password and the listing have ended."""
    names = portal.api("admin").get("/api/v1/admin/users").json()["items"]
    assert who.user not in [one["name"] for one in names]
    until(lambda: client.get("/api/v1/me").status_code == 401, 5)
    refused = portal.guest().post(
        "/api/v1/tokens", json={"name": "walk"}, auth=(who.user, who.password)
    )
    assert refused.status_code == 401


def _audit(portal: RunningPortal, user: str) -> list[dict[str, Any]]:
    """What the audit log holds of a user: it outlives the account, and holds no password."""
    found = portal.api("admin").get("/api/v1/admin/audit", params={"target": user}).json()
    assert "long-password" not in json.dumps(found)
    items: list[dict[str, Any]] = found["items"]
    return items
