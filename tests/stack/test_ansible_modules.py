"""The Ansible modules on a whole portal, run as a site's own playbooks run them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bundle.playing import Controller, step
from portal import HELLO, RunningPortal
from ruamel.yaml import YAML

from control_plane.trial.places import CLONE

ADMIN = "/api/v1/admin"
PAGE = CLONE / "ansible" / "library" / "README.md"
RECAP = re.compile(r"^localhost +: ok=(\d+) +changed=(\d+) .* failed=(\d+)", re.MULTILINE)
PASSWORD = "a-long-word-for-the-hills"
USER = "module-user"
GROUP = "module-group"
IMAGE = "lab/module:1"
POLICY = {"allow_home": True, "memory": "1g", "max_lifetime": 3600}


@pytest.fixture
def controller(portal: RunningPortal, tmp_path: Path) -> Iterator[Controller]:
    """A machine with an administrator's token; accounting is as it was afterwards."""
    before = exported(portal)
    yield Controller(tmp_path, portal.url, portal.ca, portal.token("admin"))
    file = tmp_path / "before.yml"
    file.write_text(before)
    portal.remoteappdb("apply", str(file))


@pytest.fixture
def admin(portal: RunningPortal) -> httpx.Client:
    return portal.api("admin")


def exported(portal: RunningPortal) -> str:
    """Return all of accounting."""
    return portal.remoteappdb("export") + "\n"


def recap(output: str) -> dict[str, int]:
    """Return the numbers of a run of a playbook."""
    found = RECAP.search(output)
    assert found, output
    return dict(zip(("ok", "changed", "failed"), map(int, found.groups()), strict=True))


def test_the_documented_playbook_makes_the_catalogue_it_shows(
    controller: Controller, portal: RunningPortal, admin: httpx.Client, tmp_path: Path
) -> None:
    (text,) = re.findall(r"```yaml\n(- name: The catalogue.*?)```", PAGE.read_text(), re.DOTALL)
    file, before = tmp_path / "catalogue.yml", exported(portal)
    file.write_text(text)
    variables = {"portal": portal.url, "portal_ca": str(portal.ca), "password_of_ines": PASSWORD}
    words = ("--extra-vars", json.dumps(variables))
    would = controller.played(file, "--check", "--diff", *words)
    assert recap(would.stdout) == {"ok": 7, "changed": 6, "failed": 0}, would.stdout + would.stderr
    assert exported(portal) == before
    first = controller.played(file, "-vvv", "--diff", *words)
    assert recap(first.stdout) == {"ok": 7, "changed": 6, "failed": 0}, first.stdout + first.stderr
    again = controller.played(file, "--diff", *words)
    assert recap(again.stdout) == {"ok": 7, "changed": 0, "failed": 0}, again.stdout
    for done in (would, first, again):
        assert PASSWORD not in done.stdout + done.stderr
        assert controller.token not in done.stdout + done.stderr
    made = {one: YAML(typ="safe").load(exported(portal))[one] for one in ("users", "grants")}
    assert {"name": "ines", "kind": "virtual", "groups": ["walkers"]} in made["users"]
    held = {one["image"]: one["policy"] for one in made["grants"] if one.get("group") == "walkers"}
    walking = {"allow_home": True, "memory": 2 * 1024**3, "max_lifetime": 28800}
    assert held == {"lab/walk:1": walking, "lab/map:2": walking}
    weather = admin.get(f"{ADMIN}/applications?image=lab/weather:3").json()["items"][0]
    assert weather["command"] == ["serve", "--base-path", "{base_path}/"]
    assert weather["environment"] == {"UNITS": "metric", "WORKERS": "2"}
    credentials = ("ines", PASSWORD)
    answer = portal.guest().post("/api/v1/tokens", json={"name": "t"}, auth=credentials)
    assert answer.status_code == 201


def test_a_user_is_created_changed_and_removed(
    controller: Controller, portal: RunningPortal, admin: httpx.Client
) -> None:
    given: dict[str, Any] = {"name": USER, "password": PASSWORD}
    changes: dict[str, Any] = {
        "name": USER,
        "groups": [GROUP],
        "enabled": False,
        "keep_running": True,
    }
    anew: dict[str, Any] = {"name": USER, "password": "another-word", "update_password": "always"}
    done = controller.steps(
        step("user", check=True, **given),
        step("user", **given),
        step("user", **given),
        step("group", name=GROUP),
        step("user", check=True, **changes),
        step("user", **changes),
        step("user", **changes),
        step("user", name=USER, enabled=True),
        step("user", **anew),
    )
    assert done.changed == [True, True, False, True, True, True, False, True, True]
    assert done.diff(1) == ({}, {"name": USER})
    assert (done.told[1]["user"]["kind"], done.told[1]["user"]["groups"]) == ("virtual", [])
    shown = {"enabled": True, "groups": []}, {"enabled": False, "groups": [GROUP]}
    assert done.diff(4) == done.diff(5) == shown
    assert done.diff(8) == ({"password": "as it was"}, {"password": "set anew"})
    assert PASSWORD not in done.output
    assert "another-word" not in done.output
    credentials = (USER, "another-word")
    answer = portal.guest().post("/api/v1/tokens", json={"name": "t"}, auth=credentials)
    assert answer.status_code == 201
    gone: dict[str, Any] = {"name": USER, "state": "absent", "home": "delete"}
    done = controller.steps(
        step("user", check=True, **gone), step("user", **gone), step("user", **gone)
    )
    assert done.changed == [True, True, False]
    assert done.told[0]["report"] == done.told[1]["report"]
    assert done.told[0]["report"]["tokens"] == 1
    assert admin.get(f"{ADMIN}/users/{USER}").status_code == 404


def test_a_group_is_created_changed_and_removed(controller: Controller) -> None:
    done = controller.steps(
        step("group", name=GROUP, members=["bob", "alice", "bob"]),
        step("group", name=GROUP, members=["alice", "bob"]),
        step("group", name=GROUP),
        step("group", name=GROUP, members=[]),
        step("group", name=GROUP, state="absent", check=True),
        step("group", name=GROUP, state="absent"),
        step("group", name=GROUP, state="absent"),
    )
    assert done.changed == [True, False, False, True, True, True, False]
    assert done.told[0]["group"] == {"id": GROUP, "name": GROUP, "members": ["alice", "bob"]}
    assert done.told[3]["group"]["members"] == []


def test_an_application_is_created_changed_and_removed(controller: Controller) -> None:
    fields: dict[str, Any] = {
        "image": IMAGE,
        "port": 8080,
        "environment": {"A": "1"},
        "command": ["run", "a b"],
    }
    fewer: dict[str, Any] = {"image": IMAGE, "port": 0, "environment": {}}
    gone: dict[str, Any] = {"image": IMAGE, "state": "absent"}
    done = controller.steps(
        step("application", **fields),
        step("application", **fields),
        step("application", check=True, **fewer),
        step("application", **fewer),
        step("application", **fewer),
        step("application", check=True, **gone),
        step("application", **gone),
        step("application", **gone),
    )
    assert done.changed == [True, False, True, True, False, True, True, False]
    lacks = f"application {IMAGE}: This machine does not have its image."
    assert done.told[0]["warnings"] == [lacks]
    shown: Any = {"port": 8080, "environment": {"A": "1"}}, {"port": None, "environment": {}}
    assert done.diff(2) == done.diff(3) == shown
    now = done.told[3]["application"]
    assert (now["port"], now["environment"], now["command"]) == (None, {}, fields["command"])


def test_a_grant_keeps_its_id_while_its_policy_changes(controller: Controller) -> None:
    held: dict[str, Any] = {"group": GROUP, "application": HELLO}
    other = {"memory": "512m", "allow_home": True, "network": "none"}
    done = controller.steps(
        step("group", name=GROUP),
        step("grant", **held, policy=POLICY),
        step("grant", **held, policy=POLICY),
        step("grant", **held),
        step("grant", check=True, **held, policy=other),
        step("grant", **held, policy=other),
        step("grant", **held, policy=other),
        step("grant", check=True, **held, state="absent"),
        step("grant", **held, state="absent"),
        step("grant", **held, state="absent"),
    )
    assert done.changed == [True, True, False, False, True, True, False, True, True, False]
    made, changed = done.told[1]["grant"], done.told[5]["grant"]
    assert made["policy"]["memory"] == 1024**3
    assert changed["id"] == made["id"]
    before = {"max_lifetime": 3600, "memory": 1024**3, "network": None}
    after = {"max_lifetime": None, "memory": 512 * 1024**2, "network": "none"}
    assert done.diff(4) == done.diff(5) == ({"policy": before}, {"policy": after})
    assert done.diff(8) == ({made["id"]: changed["policy"]}, {})


def test_several_grants_of_one_application_are_told_apart_by_policy_or_id(
    controller: Controller,
) -> None:
    held: dict[str, Any] = {"user": "charlie", "application": HELLO}
    done = controller.steps(
        step("grant", **held, policy={"pids": 10}),
        step("grant", **held, policy={"pids": 20}, several=True),
        step("grant", **held, policy={"pids": 20}, several=True),
        step("grant", **held, policy={"pids": 30}),
        step("grant", **held, policy={"pids": 30}, id="{{ told_1.grant.id }}"),
        step("grant", **held, policy={"pids": 10}, state="absent"),
        step("grant", **held, policy={"pids": 30}),
    )
    assert done.changed == [True, True, False, False, True, True, False]
    first, second = (done.told[number]["grant"]["id"] for number in (0, 1))
    assert first != second
    assert done.told[2]["grant"]["id"] == second
    assert done.told[3]["failed"] is True
    for words in ("There are 2 of the grant of", first, second):
        assert words in done.told[3]["msg"]
    now = done.told[4]["grant"]
    assert (now["id"], now["policy"]["pids"]) == (second, 30)


def test_a_licence_is_set_and_never_shown(controller: Controller, portal: RunningPortal) -> None:
    held: dict[str, Any] = {"user": "charlie", "application": HELLO}
    licence, other = {"app_license": "KEY-1234-5678"}, {"app_license": "KEY-8765-4321"}
    done = controller.steps(
        step("grant", **held, policy=licence),
        step("grant", **held, policy=licence),
        step("grant", **held, policy=licence, update_license="always"),
        step("grant", **held, policy=other),
        step("grant", **held, policy=other, update_license="always"),
    )
    assert done.changed == [True, False, False, False, True]
    assert done.told[4]["grant"]["policy"]["has_app_license"] is True
    assert done.diff(4)[1] == {"policy": {"app_license": "set anew"}}
    assert "KEY-" not in done.output
    assert "app_license: KEY-8765-4321" in exported(portal)
    done = controller.steps(step("grant", **held, policy={}))
    assert done.diff(0)[1] == {"policy": {"has_app_license": False}}
    assert "app_license" not in exported(portal)


def test_what_is_refused_says_what_where_and_what_is_allowed(
    controller: Controller, portal: RunningPortal
) -> None:
    mine: dict[str, Any] = {"user": "charlie", "application": HELLO}
    system = "/etc/ssl/certs/ca-certificates.crt"
    bad, unknown, nobody, kind, foreign, doubted, plain = controller.steps(
        step("grant", **mine, policy={"memory": "lots"}),
        step("grant", user="charlie", application="lab/none:1"),
        step("grant", user="nobody-here", application=HELLO),
        step("user", name=portal.dora, kind="virtual"),
        step("user", name="charlie", token="rapp_nobodys"),
        step("user", name="charlie", ca_file=system),
        step("user", name="charlie", url=portal.url.replace("https", "http")),
    ).told
    allowed = "must be a number of bytes, or text such as 512m or 2g"
    assert bad["errors"] == [{"field": "policy.memory", "message": allowed}]
    assert (bad["status"], f"policy.memory: {allowed}." in bad["msg"]) == (422, True)
    assert "the portal knows no application lab/none:1" in unknown["msg"]
    assert (nobody["status"], "nobody-here" in nobody["msg"]) == (404, True)
    assert f"user {portal.dora} is a system user, not a virtual one." in kind["msg"]
    assert (foreign["status"], "remoteapprest login" in foreign["msg"]) == (401, True)
    assert (doubted["status"], "name its file in ca_file" in doubted["msg"]) == (0, True)
    assert "is not an address such as https://remote.example.org" in plain["msg"]
    # A token of her own, given to the task: that of the environment is an administrator's.
    alices = controller.refused("user", name="charlie", token=portal.token("alice"))
    assert (alices["status"], "admin:read" in alices["msg"]) == (403, True)
