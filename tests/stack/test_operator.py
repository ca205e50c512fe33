"""The operator's commands on the host, with the service up and with it down."""

import json
import subprocess

import httpx
import pytest
from portal import RunningPortal
from stack.conftest import Realm, until

from control_plane import operators
from control_plane.trial.account import environment
from control_plane.trial.places import command

REASON = "stopped by the operator: new disks"


def control_plane(live: RunningPortal, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as root does on the host, with the portal's own settings."""
    places = live.portal.places
    own = environment(
        REMOTEAPP_SETTINGS=str(places.settings),
        STATE_DIRECTORY=str(places.state),
        RUNTIME_DIRECTORY=str(places.run),
        CREDENTIALS_DIRECTORY=str(places.credentials),
    )
    given = [command("control-plane"), *words, "--socket", str(places.socket)]
    return subprocess.run(given, env=own, capture_output=True, text=True, check=False)


def said(live: RunningPortal, *words: str) -> str:
    done = control_plane(live, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(params=["up", "down"])
def service(request: pytest.FixtureRequest, realm: Realm) -> str:
    """Whether the service runs while the command does."""
    del realm
    return str(request.param)


def down(live: RunningPortal, service: str) -> None:
    if service == "down":
        live.portal.kill_control_plane()
        until(lambda: live.portal.control_plane_pid is None)


def test_all_sessions_stop_whether_the_service_runs_or_not(
    portal: RunningPortal, realm: Realm, service: str
) -> None:
    started = {name: portal.start(name)["id"] for name in ("alice", "bob")}
    down(portal, service)
    assert said(portal, "sessions", "stop", "--all", "--reason", "new disks") == "Stopped: 2"
    assert realm.containers() == {}
    portal.mend()
    until(realm.holds_only)
    for name, session_id in started.items():
        ended = portal.api(name).get(f"/api/v1/sessions/{session_id}").json()
        assert (ended["state"], ended["ends_because"]) == ("stopped", REASON)
    assert said(portal, "sessions", "stop", "--all") == "Stopped: 0"


def test_drift_is_mended_at_once_whether_the_service_runs_or_not(
    portal: RunningPortal, realm: Realm, service: str
) -> None:
    kept, lost = portal.start("alice")["id"], portal.start("bob")["id"]
    down(portal, service)
    (portal.portal.places.nginx / "routes.conf").unlink()
    realm.containers()[lost].remove(force=True)
    assert said(portal, "reconcile").startswith("Mended: ")
    portal.mend()
    until(lambda: realm.holds_only(kept))
    assert [one["id"] for one in portal.api("bob").get("/api/v1/sessions").json()["items"]] in (
        [],
        [lost],  # the service heard that the container was killed: a failure, to be dismissed
    )


def test_root_leaves_nothing_in_the_state_that_the_service_could_not_write(
    portal: RunningPortal, realm: Realm
) -> None:
    portal.start("alice")
    down(portal, "down")
    said(portal, "sessions", "stop", "--all")
    state = portal.portal.places.state
    owners = {one.lstat().st_uid for one in (state, *state.rglob("*"))}
    assert owners == {portal.portal.options.account.uid}
    del realm


def test_a_process_of_the_realm_that_does_not_answer_is_said(
    portal: RunningPortal, realm: Realm
) -> None:
    done = subprocess.run(
        [command("control-plane"), "reconcile", "--socket", "/nowhere.sock"],
        env=environment(
            REMOTEAPP_SETTINGS=str(portal.portal.places.settings),
            STATE_DIRECTORY=str(portal.portal.places.state),
            CREDENTIALS_DIRECTORY=str(portal.portal.places.credentials),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "/nowhere.sock" in done.stderr
    del realm


@pytest.mark.parametrize(
    "words",
    [("sessions", "stop"), ("sessions", "stop", "--all", "--reason", "two\nlines")],
)
def test_all_has_to_be_said_and_the_reason_is_one_line(
    portal: RunningPortal, realm: Realm, words: tuple[str, ...]
) -> None:
    session = portal.start("alice")
    assert control_plane(portal, *words).returncode == 2
    assert set(realm.containers()) == {session["id"]}


@pytest.mark.parametrize(
    "way",
    ["{}", "/{}", "/%2F{}", "/x/..{}", "/%69nternal/{1}", "/INTERNAL/{1}", "/static/..%2f{1}"],
)
def test_nginx_passes_nothing_of_it_however_it_is_spelt(
    portal: RunningPortal, realm: Realm, way: str
) -> None:
    session = portal.start("alice")
    secret = (portal.portal.places.credentials / "secret").read_bytes().strip()
    body = json.dumps({"actor": "cli:root"}).encode()
    for path in (operators.STOP_SESSIONS, operators.RECONCILE):
        shown = operators.signature(secret, path, body)
        asked = way.format(path, path.removeprefix("/internal/"))
        with httpx.Client(verify=portal.trust, trust_env=False) as client:
            url = httpx.URL(portal.url).copy_with(raw_path=asked.encode())
            answer = client.post(url, content=body, headers={operators.HEADER: shown})
        assert answer.status_code == 404, asked
    assert set(realm.containers()) == {session["id"]}
