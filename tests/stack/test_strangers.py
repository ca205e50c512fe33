"""charlie must never see what is alice's, and nobody sees anything without a sign-in."""

import pytest
from portal import HELLO, RunningPortal
from stack.conftest import Realm, cookie_of, until, websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def session(portal: RunningPortal, realm: Realm) -> dict[str, str]:
    del realm
    return portal.start("alice")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/sessions/{id}"),
        ("DELETE", "/api/v1/sessions/{id}"),
        ("GET", "/api/v1/sessions/{id}/events"),
        ("GET", "/api/v1/sessions/{id}/log"),
        ("GET", "/sessions/{id}"),
        ("GET", "/user/alice/containers/{id}/"),
        ("POST", "/user/alice/containers/{id}/echo"),
        ("GET", "/user/charlie/containers/{id}/"),
        ("GET", "/user/alice/containers/{id}/../../../charlie/containers/{id}/"),
    ],
)
def test_charlie_gets_404_for_everything_of_alices_session(
    portal: RunningPortal, session: dict[str, str], method: str, path: str
) -> None:
    home = portal.home(session["id"]) if path.startswith("/user") else portal.url
    address = home + path.format(id=session["id"])
    unknown = home + path.format(id="0" * 32)
    by_token = () if path.startswith("/sessions") else (portal.api("charlie"),)  # pages: a cookie
    for charlie in (portal.client("charlie"), *by_token):
        theirs = charlie.request(method, address, headers={"Origin": home})
        nobodys = charlie.request(method, unknown, headers={"Origin": home})
        assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert portal.api("alice").get(session["url"]).status_code == 200


def test_charlie_starts_nothing_with_alices_grant_and_sees_no_icon(portal: RunningPortal) -> None:
    grant = next(iter(portal.grants.values()))
    api = portal.api("charlie")
    assert api.post("/api/v1/sessions", json={"grant_id": grant}).status_code == 404
    assert api.get(f"/api/v1/applications/{grant}/icon").status_code == 404


def test_the_handshake_is_judged_apart_from_http(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    address = session["url"] + "ws"
    charlie, alice = cookie_of(portal.client("charlie")), cookie_of(portal.client("alice"))
    with pytest.raises(InvalidStatus, match="404"):
        websocket(portal, address, Cookie=charlie)
    with pytest.raises(InvalidStatus, match="404"):
        websocket(portal, address, Authorization=f"Bearer {portal.token('charlie')}")
    with pytest.raises(InvalidStatus, match="401"):
        websocket(portal, address)
    with pytest.raises(InvalidStatus, match="401"):
        websocket(portal, address, Cookie="__Host-remoteapp=forged")
    with websocket(portal, address, Cookie=alice) as socket:
        socket.send(b"\x00" * 65536)
        assert socket.recv() == b"\x00" * 65536


def test_two_users_ask_for_one_session_in_turn_and_each_gets_their_own_answer(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    alice, charlie = portal.client("alice"), portal.client("charlie")
    for _ in range(5):
        assert alice.get(session["url"]).status_code == 200
        assert charlie.get(session["url"]).status_code == 404
        assert portal.guest().get(session["url"]).status_code == 401


def test_the_right_session_under_a_wrong_owner_is_404(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    for owner in ("bob", "alice%2F", "Alice", "alice%20"):
        wrong = f"{portal.home(session['id'])}/user/{owner}/containers/{session['id']}/"
        assert portal.client("alice").get(wrong).status_code == 404


def test_a_browser_that_is_not_signed_in_is_sent_to_the_form_and_back(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    path = session["url"].removeprefix(portal.home(session["id"]))
    sent = portal.guest().get(session["url"], headers=BROWSER)
    assert sent.status_code == 302
    assert sent.headers["location"] == f"{portal.url}/login?next={path}"
    framed = portal.guest().get(session["url"], headers={**BROWSER, "Sec-Fetch-Dest": "iframe"})
    assert (framed.status_code, "_top" in framed.text) == (401, True)
    assert portal.guest().post(session["url"], headers=BROWSER).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/me"),
        ("GET", "/api/v1/applications"),
        ("GET", "/api/v1/sessions"),
        ("POST", "/api/v1/sessions"),
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens"),
        ("DELETE", "/api/v1/me/signins"),
    ],
)
def test_without_a_sign_in_the_api_is_401(portal: RunningPortal, method: str, path: str) -> None:
    answer = portal.guest().request(method, path)
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:remoteapp:not-signed-in"


def test_a_read_only_token_changes_nothing(portal: RunningPortal, session: dict[str, str]) -> None:
    body = {"name": "reader", "scopes": ["sessions:read"], "expires_in": 600}
    token = portal.api("alice").post("/api/v1/tokens", json=body).json()["token"]
    reader = portal.guest(Authorization=f"Bearer {token}")
    assert reader.get("/api/v1/sessions").status_code == 200
    refused = reader.delete(f"/api/v1/sessions/{session['id']}")
    assert refused.status_code == 403
    assert "sessions:write" in refused.json()["detail"]


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "https://localhost", "http://localhost:8443"]
)
def test_a_cookie_changes_nothing_from_another_origin(
    portal: RunningPortal, session: dict[str, str], origin: str | None
) -> None:
    headers = {"Cookie": cookie_of(portal.client("alice"))}
    stranger = portal.guest(**headers, **({"Origin": origin} if origin else {}))
    assert stranger.delete(f"/api/v1/sessions/{session['id']}").status_code == 403
    assert stranger.post("/logout").status_code == 403
    assert stranger.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("origin", ["https://localhost:9", "https://evil.example", "null"])
def test_a_page_of_another_origin_neither_opens_a_socket_nor_acts_with_the_cookie(
    portal: RunningPortal, session: dict[str, str], origin: str
) -> None:
    cookie = cookie_of(portal.client("alice"))
    with pytest.raises(InvalidStatus, match="404"):
        websocket(portal, session["url"] + "ws", Cookie=cookie, Origin=origin)
    page = portal.guest(Cookie=cookie, Origin=origin)
    assert page.post(session["url"] + "echo").status_code == 404
    assert page.get(session["url"]).status_code == 200  # what a link leads to
    home = portal.home(session["id"])
    with websocket(portal, session["url"] + "ws", Cookie=cookie, Origin=home) as socket:
        socket.send("own")
        assert socket.recv() == "own"


def test_at_the_portals_own_address_only_a_token_is_served_and_a_browser_is_sent_on(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    path = session["url"].removeprefix(portal.home(session["id"]))
    alice, api = portal.client("alice"), portal.api("alice")
    assert api.get(path).status_code == api.post(f"{path}echo").status_code == 200
    sent = alice.get(path, headers=BROWSER)
    assert (sent.status_code, sent.headers["location"]) == (302, session["url"])
    assert alice.get(path).status_code == alice.post(f"{path}echo").status_code == 404
    address, bearer = f"{portal.url}{path}ws", f"Bearer {portal.token('alice')}"
    with pytest.raises(InvalidStatus, match="404"):
        websocket(portal, address, Cookie=cookie_of(alice), Origin=portal.url)
    with websocket(portal, address, Authorization=bearer) as socket:
        socket.send("by token")
        assert socket.recv() == "by token"


def test_the_portals_own_page_does_not_act_in_an_application(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    cookie = cookie_of(portal.client("alice"))
    page = portal.guest(Cookie=cookie, Origin=portal.url)
    assert page.post(session["url"] + "echo").status_code == 404
    with pytest.raises(InvalidStatus, match="404"):
        websocket(portal, session["url"] + "ws", Cookie=cookie, Origin=portal.url)


def test_an_application_changes_nothing_in_the_portal(
    portal: RunningPortal, session: dict[str, str]
) -> None:
    cookie = cookie_of(portal.client("alice"))
    application = portal.guest(Cookie=cookie, Origin=portal.home(session["id"]))
    assert application.delete(f"/api/v1/sessions/{session['id']}").status_code == 403
    assert application.post("/logout").status_code == 403


def test_what_runs_ends_when_its_grant_is_revoked_or_its_user_disabled(
    portal: RunningPortal, realm: Realm
) -> None:
    grant = portal.remoteappdb("app", "grant", HELLO, "charlie")
    api = portal.api("charlie")

    def running() -> dict[str, str]:
        made = api.post("/api/v1/sessions", json={"grant_id": grant}).json()
        return portal.wait_for(api, made["id"], "ready")

    cookie = cookie_of(portal.client("charlie"))
    with websocket(portal, running()["url"] + "ws", Cookie=cookie) as socket:
        portal.remoteappdb("user", "disable", "charlie")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
    portal.remoteappdb("user", "enable", "charlie")
    until(lambda: api.get("/api/v1/me").status_code == 200)
    session = running()
    portal.remoteappdb("app", "revoke", HELLO, "charlie", "--revoke-all")
    until(lambda: session["id"] not in realm.containers(), 5)
    ended = api.get(f"/api/v1/sessions/{session['id']}").json()
    assert ended["ends_because"] == "the grant was revoked"


def test_what_nginx_asks_the_control_plane_nobody_else_asks(portal: RunningPortal) -> None:
    for path in ("/internal/authorise", "/internal/away", "//internal/authorise"):
        assert portal.client("alice").get(path).status_code == 404
