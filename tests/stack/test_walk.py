"""The main job through the API: sign in, see, start, follow, work, look at the output, stop."""

import json
import time

import httpx
import pytest
from portal import HELLO, TERMINAL, RunningPortal
from stack.conftest import COOKIE, Realm, cookie_of, until, websocket

SESSION_FIELDS = {
    *("id", "grant_id", "application", "type", "owner", "access", "state", "url", "created_at"),
    *("ready_at", "ends_at", "ended_at", "ends_because", "failure", "cut_off"),
}


def test_the_catalogue_shows_what_one_was_granted_and_nothing_else(portal: RunningPortal) -> None:
    mine = portal.api("alice").get("/api/v1/applications").json()["items"]
    assert {one["image"] for one in mine} == {HELLO, TERMINAL, "remoteapp/jupyter:latest"}
    terminal = next(one for one in mine if one["image"] == TERMINAL)
    assert terminal["grant_id"] == portal.grants["alice", TERMINAL]
    assert (terminal["type"], terminal["options"]) == ("vncapp", ["resolution"])
    assert terminal["policy"]["allow_home"] is True
    assert terminal["policy"]["memory"] > 0
    assert portal.api("charlie").get("/api/v1/applications").json() == {"items": [], "total": 0}


def test_an_icon_is_a_picture(portal: RunningPortal) -> None:
    mine = portal.api("alice").get("/api/v1/applications").json()["items"]
    for one in mine:
        picture = portal.api("alice").get(one["icon_url"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")


def test_the_whole_walk(portal: RunningPortal, realm: Realm) -> None:
    api = portal.api("alice")
    begun = time.time()
    answer = api.post("/api/v1/sessions", json={"grant_id": portal.grants["alice", HELLO]})
    session = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/sessions/{session['id']}"
    assert set(session) == SESSION_FIELDS
    assert len(session["id"]) == 32
    home = f"https://localhost:{portal.portal.options.apps_port}"
    assert session["url"] == f"{home}/user/alice/containers/{session['id']}/"
    told = _told_until(api, session["id"], "ready")
    assert told[0]["session"] == session["id"]
    assert time.time() - begun < 20
    assert api.get(session["url"]).status_code == 200
    assert "listening" in api.get(f"/api/v1/sessions/{session['id']}/log?tail=5").text
    assert api.delete(f"/api/v1/sessions/{session['id']}").status_code == 204
    assert session["id"] not in realm.containers()
    ended = api.get(f"/api/v1/sessions/{session['id']}").json()
    assert (ended["state"], ended["ends_because"]) == ("stopped", "stopped by alice")
    assert api.get("/api/v1/sessions").json()["items"] == []
    kept = api.get("/api/v1/sessions?state=all&limit=1").json()["items"]
    assert kept[0]["id"] == session["id"]


def test_a_session_answers_404_within_a_second_and_a_half_of_its_stop(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    warm, fresh = portal.client("alice"), portal.client("alice")
    assert warm.get(session["url"]).status_code == 200
    portal.stop("alice", session["id"])
    begun = time.monotonic()
    assert warm.get(session["url"]).status_code == 404
    assert fresh.get(session["url"]).status_code == 404
    assert time.monotonic() - begun < 3  # two requests, 1.5 s each
    del realm


def test_the_stream_of_all_sessions_resumes_where_it_broke_off(
    portal: RunningPortal, realm: Realm
) -> None:
    api = portal.api("alice")
    session = portal.start("alice")
    with api.stream("GET", "/api/v1/sessions", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        last = next(line for line in lines if line.startswith("id:"))[3:].strip()
        first = next(line for line in lines if line.startswith("data:"))
    assert json.loads(first[5:])["state"] == "ready"
    portal.stop("alice", session["id"])
    again = {"Last-Event-ID": last, "Accept": "text/event-stream"}
    with api.stream("GET", "/api/v1/sessions", headers=again) as stream:
        lines = stream.iter_lines()
        states = []
        while "stopped" not in states:
            line = next(lines)
            if line.startswith("data:"):
                states.append(json.loads(line[5:])["state"])
    assert states[-2:] == ["stopping", "stopped"]
    del realm


def test_a_stream_ends_when_its_sign_in_does(portal: RunningPortal) -> None:
    alice = portal.client("alice")
    beside = portal.guest(Cookie=cookie_of(alice), Origin=portal.url)
    accept = {"Accept": "text/event-stream"}
    with alice.stream("GET", "/api/v1/sessions", headers=accept) as stream:
        beside.post("/logout")
        begun = time.monotonic()
        assert list(stream.iter_lines()) is not None
        assert time.monotonic() - begun < 8


def test_what_a_container_gets_bears_neither_our_cookie_nor_our_token(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    cookie = cookie_of(portal.client("alice"))
    crowd = f"a=1; {cookie}; b=2; {COOKIE}=other;{cookie}"
    by_cookie = portal.guest(Cookie=cookie + "; a=1; b=2").get(session["url"] + "echo?x=1").json()
    sent = {name.lower(): value for name, value in by_cookie["headers"]}
    assert COOKIE not in json.dumps(by_cookie)
    assert "a=1" in sent["cookie"]
    assert sent["x-remote-user"] == "alice"
    assert sent["x-session-access"] == "owner"
    assert sent["x-script-name"] == f"/user/alice/containers/{session['id']}"
    assert sent["x-forwarded-proto"] == "https"
    by_crowd = portal.guest(Cookie=crowd).get(session["url"] + "echo")
    assert COOKIE not in by_crowd.text
    assert "rapp_" not in portal.api("alice").get(session["url"] + "echo").text
    with websocket(portal, session["url"] + "ws?headers", Cookie=cookie) as socket:
        assert COOKIE not in str(socket.recv())
    bearer = f"Bearer {portal.token('alice')}"
    with websocket(portal, session["url"] + "ws?headers", Authorization=bearer) as socket:
        assert "rapp_" not in str(socket.recv())
    del realm


def test_headers_that_a_container_trusts_cannot_be_forged(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    forged = {"X-Remote-User": "root", "X-Session-Access": "view", "X-Forwarded-For": "1.2.3.4"}
    answer = portal.api("alice").get(session["url"] + "echo", headers=forged).json()
    sent = [(name.lower(), value) for name, value in answer["headers"]]
    assert [value for name, value in sent if name == "x-remote-user"] == ["alice"]
    assert [value for name, value in sent if name == "x-session-access"] == ["owner"]
    assert [value for name, value in sent if name == "x-forwarded-for"] == ["127.0.0.1"]
    del realm


def test_an_applications_own_authorization_passes(portal: RunningPortal, realm: Realm) -> None:
    session = portal.start("alice")
    alice = portal.client("alice")
    answer = alice.get(session["url"] + "echo", headers={"Authorization": "token of-its-own"})
    assert "token of-its-own" in answer.text
    del realm


def test_paths_reach_the_container_as_they_were_sent(portal: RunningPortal, realm: Realm) -> None:
    session = portal.start("alice")
    answer = portal.api("alice").get(session["url"] + "echo/a%2Fb//c%20d?q=%2F").json()
    assert answer["path"].endswith("/echo/a%2Fb//c%20d")
    del realm


@pytest.mark.parametrize("code", [404, 500, 502, 503, 401, 403])
def test_the_applications_own_errors_pass_unchanged(
    portal: RunningPortal, realm: Realm, code: int
) -> None:
    session = portal.start("alice")
    answer = portal.api("alice").get(f"{session['url']}status/{code}")
    assert answer.status_code == code
    assert "urn:remoteapp" not in answer.text
    del realm


def test_a_system_users_files_are_theirs_on_the_host(portal: RunningPortal, realm: Realm) -> None:
    session = portal.start("dora")
    inside = realm.containers()[session["id"]]
    mounts = {one["Destination"]: one for one in inside.attrs["Mounts"]}
    assert mounts["/workspace"]["Source"] == f"/home/{portal.dora}"
    assert mounts["/workspace"]["RW"] is True


def test_a_second_start_is_409_with_the_running_one_and_replace_takes_its_place(
    portal: RunningPortal, realm: Realm
) -> None:
    api = portal.api("alice")
    first = portal.start("alice")
    body = {"grant_id": portal.grants["alice", HELLO]}
    refused = api.post("/api/v1/sessions", json=body)
    assert refused.status_code == 409
    assert [one["id"] for one in refused.json()["sessions"]] == [first["id"]]
    second = api.post("/api/v1/sessions", json={**body, "replace": True}).json()
    portal.wait_for(api, second["id"], "ready")
    until(lambda: realm.holds_only(second["id"]))


def test_three_starts_and_a_stop_run_beside_each_other(portal: RunningPortal, realm: Realm) -> None:
    grants = [("alice", HELLO), ("alice", TERMINAL), ("bob", HELLO)]
    made = [
        portal.api(name).post("/api/v1/sessions", json={"grant_id": portal.grants[name, image]})
        for name, image in grants
    ]
    ids = [one.json()["id"] for one in made]
    for (name, _), session_id in zip(grants, ids, strict=True):
        portal.wait_for(portal.api(name), session_id, "ready")
    until(lambda: realm.holds_only(*ids))


def _told_until(api: httpx.Client, session_id: str, state: str) -> list[dict[str, str]]:
    told = []
    with api.stream("GET", f"/api/v1/sessions/{session_id}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                told.append(json.loads(line[5:]))
                if told[-1]["state"] == state:
                    break
    assert all(set(one) == {"session", "state", "message", "at"} for one in told)
    return told
