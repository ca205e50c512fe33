"""A site moves over: its database is brought in, and its people go on under their old grants."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from portal import HELLO, RunningPortal
from stack.conftest import until

from control_plane.trial import programs
from control_plane.trial.account import environment
from control_plane.trial.places import CLONE, command

SCHEMA = CLONE / "tests" / "simphony" / "2.2.sql"
GRANT = secrets.token_hex(16)


@pytest.fixture
def image() -> Iterator[str]:
    """An image under the name that the other site gave it."""
    name = f"lab/moved-{secrets.token_hex(3)}:1"
    with closing(docker.from_env()) as engine:
        engine.images.get(HELLO).tag(name)
        yield name
        engine.images.remove(name)


def simphony(path: Path, user: str, image: str) -> Path:
    """Make a simphony-remote's database, by its schema, with one grant in it."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA.read_text())
        for table in ("accounting", "application_policy", "application", '"user"'):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - the words above
        database.execute('INSERT INTO "user" VALUES (901, ?)', (user,))
        database.execute("INSERT INTO application VALUES (901, ?)", (image,))
        database.execute(
            "INSERT INTO application_policy (id, allow_home, allow_common, allow_view)"
            " VALUES (901, 1, 0, 1)"
        )
        database.execute("INSERT INTO accounting VALUES (?, 901, 901, 901)", (GRANT,))
    return path


def control_plane(portal: RunningPortal, *words: str) -> str:
    places = portal.portal.places
    own = environment(
        REMOTEAPP_SETTINGS=str(places.settings),
        STATE_DIRECTORY=str(places.state),
        CREDENTIALS_DIRECTORY=str(places.credentials),
    )
    return programs.must([command("control-plane"), *words], environment=own)


def test_an_imported_user_starts_an_application_under_the_old_grant(
    portal: RunningPortal, image: str, tmp_path: Path
) -> None:
    user = f"moved{secrets.token_hex(3)}"
    file = simphony(tmp_path / "remoteappmanager.db", user, image)
    told = control_plane(portal, "import-simphony", str(file))
    assert GRANT in told
    assert user in told
    assert "Nothing new is in it." in control_plane(portal, "import-simphony", str(file))
    password = f"{user}-has-a-long-password"
    portal.remoteappdb("user", "password", user, "--stdin", line=password)
    answer = portal.guest().post("/api/v1/tokens", json={"name": "walk"}, auth=(user, password))
    client = portal.guest(Authorization=f"Bearer {answer.json()['token']}")
    (entry,) = client.get("/api/v1/applications").json()["items"]
    assert (entry["grant_id"], entry["policy"]["share"]) == (GRANT, "view")
    session = client.post("/api/v1/sessions", json={"grant_id": GRANT}).json()
    ready = portal.wait_for(client, session["id"], "ready")
    assert client.get(ready["url"]).status_code == 200
    portal.remoteappdb("user", "remove", user, "--home", "delete")
    portal.remoteappdb("app", "remove", image)
    seen = f"/api/v1/admin/sessions/{ready['id']}"
    until(lambda: portal.api("admin").get(seen).json()["state"] == "stopped")
