"""The command remoteapprest on a whole portal: nginx, its certificate, the engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import openapi_check
import pytest
from portal import HELLO, RunningPortal

from control_plane.web import app, openapi

COMMAND = (sys.executable, "-c", "from control_plane.cli.remoteapprest import main; main()")


def remoteapprest(home: Path, *words: str, typed: str = "") -> str:
    """Run the command; it ends well. Return what it prints."""
    env = {**os.environ, "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [*COMMAND, *words],
        env=env,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["alice", "dora"])
def test_a_script_starts_uses_and_stops_an_application(
    portal: RunningPortal, tmp_path: Path, name: str
) -> None:
    words = ("login", portal.url, "--ca", str(portal.ca), "--username", portal.sign_in_name(name))
    remoteapprest(tmp_path, *words, "--password-stdin", typed=f"{portal.password(name)}\n")
    catalogue = json.loads(remoteapprest(tmp_path, "app", "available", "--json"))
    (grant,) = [one["grant_id"] for one in catalogue if one["image"] == HELLO]
    url = remoteapprest(tmp_path, "app", "start", grant, "--wait").strip()
    profile = json.loads((tmp_path / "remoteapp/profiles.json").read_text())["default"]
    me = portal.guest(Authorization=f"Bearer {profile['token']}")
    assert me.get(url).status_code == 200
    (session,) = json.loads(remoteapprest(tmp_path, "app", "running", "--json"))
    assert (session["url"], session["state"]) == (url, "ready")
    remoteapprest(tmp_path, "app", "log", session["id"])
    remoteapprest(tmp_path, "app", "stop", session["id"])
    assert json.loads(remoteapprest(tmp_path, "app", "running", "--json")) == []
    remoteapprest(tmp_path, "logout")
    assert me.get("/api/v1/me").status_code == 401


def test_the_portal_serves_the_document_of_its_routes(portal: RunningPortal) -> None:
    answer = portal.guest().get("/api/v1/openapi.json")
    document = openapi.build(app.API)
    assert answer.json() == document
    openapi_check.hook(document)(answer)
    page = portal.client("alice").get("/api/docs")
    assert page.status_code == 200
    assert "/api/v1/sessions/{id}/events" in page.text
