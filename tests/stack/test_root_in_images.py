"""What an image that starts as root can do to homes and volumes of the host, and who lets it."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from portal import RunningPortal
from stack.conftest import Realm
from stack.older import GREEDY, GREEDY_OLDER, application, built, granted

from control_plane.trial import programs
from control_plane.trial.places import command

ADMIN = "/api/v1/admin"
SET_UID = 0o4755
KINDS = {"older": (GREEDY_OLDER, ()), "foreign": (GREEDY, ("--run-as", "root"))}
LIFTED = (
    "legacy_home: an image that starts as root gets the real home and writable volumes. Its entry "
    "point can change the mode of every file there, give it away, or leave a set-uid file on the "
    "host. It starts only where /etc/remoteapp/engine.toml says allow_legacy_home, too."
)


@pytest.fixture(scope="module", params=KINDS)
def greedy(request: pytest.FixtureRequest, whole_portal: RunningPortal) -> Iterator[str]:
    """What does harm as root to all that it gets: as an older image, and as a foreign one."""
    image, words = KINDS[request.param]
    with application(whole_portal, built(image), *words):
        yield image


@pytest.fixture
def home(portal: RunningPortal, realm: Realm) -> Iterator[Path]:
    """The home of dora, a system user; it is as before afterwards."""
    del realm  # it stops what runs
    directory = Path("/home") / portal.dora
    mode = directory.stat().st_mode
    yield directory
    directory.chmod(mode)
    (directory / "shell").unlink(missing_ok=True)


@pytest.fixture
def data(portal: RunningPortal) -> Iterator[Path]:
    """A directory that grants may mount from."""
    directory = portal.volumes / secrets.token_hex(3)
    directory.mkdir(mode=0o755)
    yield directory
    shutil.rmtree(directory)


def facts(directory: Path) -> dict[str, tuple[int, int]]:
    """Return the mode and the owner of a directory and of all in it."""
    everything = [directory, *directory.rglob("*")]
    return {
        str(one): (one.lstat().st_mode & 0o7777, one.lstat().st_uid) for one in sorted(everything)
    }


def harm(realm: Realm, session: dict[str, Any]) -> list[str]:
    """Return what the entry point says that it has done."""
    output = realm.containers()[session["id"]].logs().decode()
    return [line for line in output.splitlines() if line.startswith("greedy: ")]


def done_to(place: str) -> list[str]:
    return [f"greedy: opened {place}", f"greedy: left a shell in {place}"]


def test_it_harms_a_volume_apart_and_not_the_real_home(
    portal: RunningPortal, realm: Realm, greedy: str, home: Path
) -> None:
    before = facts(home)
    with granted(portal, greedy, "dora", "--allow-home"):
        session = portal.start("dora", greedy)
        assert harm(realm, session) == done_to("/workspace")
        assert facts(home) == before


def test_it_harms_no_volume_that_is_mounted_read_only(
    portal: RunningPortal, realm: Realm, greedy: str, data: Path
) -> None:
    before = facts(data)
    with granted(portal, greedy, "alice", "--volume", f"{data}:/data:ro"):
        session = portal.start("alice", greedy)
        assert realm.containers()[session["id"]].exec_run(["ls", "/data"]).exit_code == 0
        assert harm(realm, session) == []
        assert facts(data) == before


def test_a_writable_volume_is_refused_with_the_reason(
    portal: RunningPortal, realm: Realm, greedy: str, data: Path
) -> None:
    reason = (
        "It starts as root, so it may not write to /data of this machine: the volume must be ro, "
        "or the policy say legacy_home."
    )
    with granted(portal, greedy, "alice", "--volume", f"{data}:/data:rw") as grant:
        shown = portal.api("admin").get(f"{ADMIN}/grants/{grant}").json()
        assert shown["problem"] == reason
        answer = portal.api("alice").post("/api/v1/sessions", json={"grant_id": grant})
        assert answer.status_code == 422
        assert [one["message"] for one in answer.json()["errors"]] == [reason]
        mine = portal.api("alice").get("/api/v1/applications").json()["items"]
        assert [one["available"] for one in mine if one["grant_id"] == grant] == [False]
        assert realm.containers() == {}


def test_legacy_home_gives_it_the_real_home_and_a_writable_volume_and_says_what_that_means(
    portal: RunningPortal, realm: Realm, greedy: str, home: Path, data: Path
) -> None:
    lifting = ("--allow-home", "--legacy-home", "--volume", f"{data}:/data:rw")
    with granted(portal, greedy, "dora", *lifting) as grant:
        shown = portal.api("admin").get(f"{ADMIN}/grants/{grant}").json()
        assert (shown["problem"], shown["warnings"]) == ("", [LIFTED])
        session = portal.start("dora", greedy)
        assert harm(realm, session) == [*done_to("/workspace"), *done_to("/data")]
        for place in (home, data):
            assert place.stat().st_mode & 0o7777 == 0o777
            assert facts(place)[str(place / "shell")] == (SET_UID, 0)


def test_the_command_line_says_what_legacy_home_lifts(portal: RunningPortal, greedy: str) -> None:
    words = ("--database", str(portal.portal.places.database), "app")
    flags = ("--allow-home", "--legacy-home")
    made = programs.run([command("remoteappdb"), *words, "grant", greedy, "bob", *flags])
    portal.remoteappdb("app", "revoke", greedy, "bob", "--revoke-all")
    assert (made.returncode, made.stderr) == (0, f"{LIFTED}\n")
