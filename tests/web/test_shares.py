"""Sharing over the HTTP API: who may, what is answered, and what those are told who are let in."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest
from adapters.fakes_forwarder import FakeForwarder
from starlette.testclient import TestClient
from usecases.conftest import caller, grant_of, until
from web.conftest import ORIGIN, ClientOf

from control_plane import auth, sessions, sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, Group, Policy, Session, State
from control_plane.domain.ports import Plane
from control_plane.errors import ForwarderUnavailableError
from control_plane.sharing import Wanted
from control_plane.web import streams
from control_plane.web.operations import Call

API = "/api/v1/sessions"
DAY = 24 * 3600
EVENTS = "text/event-stream"
Told = Callable[[], "Future[Mapping[str, Any]]"]


@pytest.fixture
def forwarder(plane: Plane) -> FakeForwarder:
    assert isinstance(plane.forwarder, FakeForwarder)
    return plane.forwarder


@pytest.fixture
def desk(plane: Plane, alice: Caller, client_of: ClientOf) -> Session:
    """A desktop of alice's that is ready, and that she may share with control."""
    del client_of  # the portal is up
    session = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[session.id].ready_at)
    until(lambda: not plane.jobs.busy(session.id))
    current = plane.access.sessions[session.id]
    policy = replace(current.policy or Policy(), share="control")
    return sessions.change(plane, current, "Ready.", type="vncapp", policy=policy)


@pytest.fixture
def owner(client_of: ClientOf) -> TestClient:
    return client_of("alice", *SCOPES)


def shared(client: TestClient, session: Session, **body: object) -> dict[str, Any]:
    answer = client.post(f"{API}/{session.id}/shares", json=body)
    assert answer.status_code == 201
    return cast("dict[str, Any]", answer.json())


def test_a_share_is_made_listed_and_revoked(owner: TestClient, desk: Session) -> None:
    answer = owner.post(f"{API}/{desk.id}/shares", json={"user": "bob", "access": "control"})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"{API}/{desk.id}/shares/{made['id']}"
    begun, ends = (datetime.fromisoformat(made[key]) for key in ("created_at", "expires_at"))
    assert (ends - begun).total_seconds() == DAY
    assert made == {
        "id": made["id"],
        "user": "bob",
        "group": None,
        "link": False,
        "access": "control",
        "created_at": made["created_at"],
        "expires_at": made["expires_at"],
        "watching": [],
        "url": f"{ORIGIN}/sessions/{desk.id}",
    }
    listed = {key: value for key, value in made.items() if key != "url"}
    path = f"{API}/{desk.id}/shares"
    assert owner.get(path).json() == {"items": [listed], "total": 1}
    assert owner.delete(f"{path}/{made['id']}").status_code == 204
    assert owner.delete(f"{path}/{made['id']}").status_code == 404
    assert owner.get(path).json() == {"items": [], "total": 0}


def test_a_links_address_is_told_once_with_its_secret_behind_the_hash(
    owner: TestClient, plane: Plane, desk: Session
) -> None:
    made = shared(owner, desk, link=True, access="view", expires_in=60)
    start, _, secret = made["url"].partition("#")
    assert start == f"{ORIGIN}/share/{made['id']}"
    assert sharing.enter(plane, made["id"], secret, browser(plane, "bob"), "", "") is None
    assert secret not in owner.get(f"{API}/{desk.id}/shares").text
    assert secret not in owner.get(API).text
    assert plane.access.shares[made["id"]].digest not in owner.get(f"{API}/{desk.id}/shares").text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user"),
        ({"user": "bob", "link": True}, "user"),
        ({"user": "nobody"}, "user"),
        ({"user": "alice"}, "user"),
        ({"group": "nobody"}, "group"),
        ({"user": ""}, "user"),
        ({"user": "bob", "access": "owner"}, "access"),
        ({"user": "bob", "expires_in": 0}, "expires_in"),
        ({"user": "bob", "expires_in": 30 * DAY + 1}, "expires_in"),
        ({"user": "bob", "expires_in": None}, "expires_in"),
        ({"user": "bob", "more": 1}, "more"),
    ],
    ids=str,
)
def test_bad_fields_are_named(
    owner: TestClient, plane: Plane, desk: Session, body: dict[str, object], field: str
) -> None:
    answer = owner.post(f"{API}/{desk.id}/shares", json=body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert plane.access.shares == {}


def test_only_looking_at_a_web_application_is_422(
    owner: TestClient, plane: Plane, desk: Session
) -> None:
    sessions.change(plane, desk, "Ready.", type="webapp")
    answer = owner.post(f"{API}/{desk.id}/shares", json={"user": "bob", "access": "view"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "access")
    assert shared(owner, desk, user="bob", access="control")["access"] == "control"


def test_further_than_the_policy_allows_is_403(
    owner: TestClient, plane: Plane, desk: Session
) -> None:
    sessions.change(plane, desk, "Ready.", policy=Policy(share="view"))
    answer = owner.post(f"{API}/{desk.id}/shares", json={"user": "bob", "access": "control"})
    assert answer.status_code == 403


def test_what_has_ended_is_not_shared_any_more(
    owner: TestClient, plane: Plane, desk: Session
) -> None:
    sessions.ask_to_stop(plane, desk, "stopped by alice").result(5)
    answer = owner.post(f"{API}/{desk.id}/shares", json={"user": "bob"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:remoteapp:conflict")


@pytest.mark.parametrize("name", ["bob", "charlie", "admin"])
def test_who_does_not_own_it_is_told_that_there_is_none(
    client_of: ClientOf, owner: TestClient, desk: Session, name: str
) -> None:
    made = shared(owner, desk, user="bob", access="control")
    path, client = f"{API}/{desk.id}/shares", client_of(name, *SCOPES)
    assert client.get(path).status_code == 404
    assert client.post(path, json={"user": "charlie"}).status_code == 404
    assert client.delete(f"{path}/{made['id']}").status_code == 404
    assert client_of("alice", *SCOPES).get(path).json()["total"] == 1


def test_sharing_has_a_scope_of_its_own(client_of: ClientOf, desk: Session) -> None:
    path = f"{API}/{desk.id}/shares"
    client = client_of("alice", "sessions:read", "sessions:write")
    assert client.get(path).status_code == 200
    assert client.post(path, json={"user": "bob"}).status_code == 403
    assert client.delete(f"{path}/{'0' * 32}").status_code == 403
    client = client_of("alice", "shares:write")
    assert client.post(path, json={"user": "bob"}).status_code == 201
    assert client.get(path).status_code == 403


def test_who_is_let_in_sees_the_session_beside_their_own(
    client_of: ClientOf, owner: TestClient, plane: Plane, desk: Session
) -> None:
    plane.accounting.add_group(Group("lab", ("charlie",)))
    plane.access.users["charlie"] = replace(plane.access.users["charlie"], groups=("lab",))
    shared(owner, desk, user="bob", access="view")
    shared(owner, desk, group="lab", access="control")
    own = sessions.begin(plane, caller(plane, "bob"), grant_of(plane, "bob"), {}, instead=False)
    until(lambda: plane.access.sessions[own.id].ready_at)
    bobs = client_of("bob", "sessions:read").get(API).json()
    assert [(one["owner"], one["access"]) for one in bobs["items"]] == [
        ("bob", "owner"),
        ("alice", "view"),
    ]
    assert bobs["total"] == 2
    shown = bobs["items"][1]
    assert (shown["id"], shown["grant_id"], shown["state"]) == (desk.id, "", "ready")
    assert shown["url"].endswith(f"/user/alice/containers/{desk.id}/")
    assert client_of("bob", "sessions:read").get(f"{API}/{desk.id}").json() == shown
    (other,) = client_of("charlie", "sessions:read").get(API).json()["items"]
    assert (other["id"], other["access"]) == (desk.id, "control")


def test_whom_a_session_is_shared_with_may_do_nothing_that_is_its_owners(
    client_of: ClientOf, owner: TestClient, plane: Plane, desk: Session
) -> None:
    shared(owner, desk, user="bob", access="control")
    client = client_of("bob", *SCOPES)
    for method, path in (
        ("DELETE", ""),
        ("GET", "/log"),
        ("GET", "/shares"),
        ("POST", "/extend"),
    ):
        body = {"seconds": 1} if path == "/extend" else None
        assert client.request(method, f"{API}/{desk.id}{path}", json=body).status_code == 404
    assert plane.access.sessions[desk.id].state is State.READY


def test_an_administrator_sees_how_he_was_let_in(
    client_of: ClientOf, owner: TestClient, desk: Session
) -> None:
    shared(owner, desk, user="admin", access="view")
    (shown,) = client_of("admin", *SCOPES).get("/api/v1/admin/sessions").json()["items"]
    assert (shown["access"], shown["grant_id"]) == ("view", desk.grant_id)


def test_after_a_revocation_there_is_no_such_session(
    client_of: ClientOf, owner: TestClient, desk: Session
) -> None:
    made = shared(owner, desk, user="bob", access="view")
    assert owner.delete(f"{API}/{desk.id}/shares/{made['id']}").status_code == 204
    client = client_of("bob", "sessions:read")
    assert client.get(f"{API}/{desk.id}").status_code == 404
    assert client.get(API).json() == {"items": [], "total": 0}


def test_the_owner_sees_who_watches(
    owner: TestClient, plane: Plane, desk: Session, forwarder: FakeForwarder
) -> None:
    made, bob = shared(owner, desk, user="bob"), browser(plane, "bob")
    assert forwarder.connect(made["id"], bob.viewer, "bob")
    sharing.keep(plane)
    (shown,) = owner.get(f"{API}/{desk.id}/shares").json()["items"]
    assert [one["name"] for one in shown["watching"]] == ["bob"]
    forwarder.away = True
    with pytest.raises(ForwarderUnavailableError):
        sharing.keep(plane)
    (shown,) = owner.get(f"{API}/{desk.id}/shares").json()["items"]
    assert shown["watching"] is None


def test_a_revocation_without_the_forwarder_is_503_and_done(
    owner: TestClient, plane: Plane, desk: Session, forwarder: FakeForwarder
) -> None:
    made = shared(owner, desk, user="bob")
    forwarder.away = True
    answer = owner.delete(f"{API}/{desk.id}/shares/{made['id']}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:remoteapp:forwarder-unavailable"
    assert answer.json()["detail"].startswith("The share is revoked")
    assert plane.access.shares == {}


def test_what_is_done_stands_in_the_audit_log(
    owner: TestClient, plane: Plane, desk: Session
) -> None:
    made = shared(owner, desk, user="bob", access="view")
    owner.delete(f"{API}/{desk.id}/shares/{made['id']}", headers={"X-Real-IP": "192.0.2.7"})
    revoked, shared_ = (one for one in plane.records.audit() if one.action.startswith("share"))
    told = {"id": made["id"], "user": "bob", "access": "view"}
    assert (shared_.actor, shared_.action, shared_.target) == ("alice", "share", desk.id)
    assert {key: (shared_.after or {})[key] for key in told} == told
    assert (revoked.action, revoked.target, revoked.address) == (
        "share-revoke",
        desk.id,
        "192.0.2.7",
    )
    assert {key: (revoked.before or {})[key] for key in told} == told


def browser(plane: Plane, name: str) -> Caller:
    cookie = auth.sign_in(plane, auth.Proof(name, f"{name}'s password", "192.0.2.1"))
    found = auth.by_cookie(plane, cookie)
    assert found
    return found


@pytest.fixture
def follow(
    plane: Plane, loop: asyncio.AbstractEventLoop
) -> Iterator[Callable[[Caller, str], Told]]:
    """Return who follows events: all that a caller is told, or one session's.

    What it returns waits for the next; after the last that is empty.
    """
    opened: list[Any] = []

    def made(who: Caller, session_id: str = "") -> Told:
        call = Call(plane, who, {"id": session_id}, None, {"accept": EVENTS}, None, "")
        endpoint = streams.session_events if session_id else streams.list_or_stream
        answer = asyncio.run_coroutine_threadsafe(endpoint(call), loop).result(5)
        stream = cast("Any", answer).body_iterator
        opened.append(stream)

        async def told() -> Mapping[str, Any]:
            async for one in stream:
                return cast("Mapping[str, Any]", json.loads(one.data))
            return {}

        return lambda: asyncio.run_coroutine_threadsafe(told(), loop)

    yield made
    for stream in opened:
        asyncio.run_coroutine_threadsafe(stream.aclose(), loop).result(5)


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Let everyone who waits for events look at what was told so far."""

    async def looked() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(looked(), loop).result(5)


def states(told: Told, count: int) -> list[str]:
    return [told().result(8).get("state", "") for _ in range(count)]


def test_those_who_are_let_in_are_told_what_happens_to_its_end(
    plane: Plane, desk: Session, follow: Callable[..., Told]
) -> None:
    bob = browser(plane, "bob")
    everything = follow(bob)
    sharing.share(plane, caller(plane, "alice"), desk.id, Wanted("user", "bob", "view"))
    assert everything().result(8)["message"] == sharing.CHANGED
    one = follow(bob, desk.id)
    assert states(one, 1) == ["ready"]
    plane.events.tell(desk, "To alice alone.", by="admin")
    stopping, then = everything(), one()
    sessions.ask_to_stop(plane, desk, "stopped by alice").result(5)
    assert [stopping.result(8)["state"], *states(everything, 1)] == ["stopping", "stopped"]
    assert [then.result(8)["state"], *states(one, 2)] == ["stopping", "stopped", ""]


def test_those_who_are_not_let_in_any_more_are_told_nothing(
    plane: Plane, loop: asyncio.AbstractEventLoop, desk: Session, follow: Callable[..., Told]
) -> None:
    bob, alice = browser(plane, "bob"), caller(plane, "alice")
    share, _ = sharing.share(plane, alice, desk.id, Wanted("user", "bob", "view"))
    everything, one = follow(bob), follow(bob, desk.id)
    assert [everything().result(8)["session"], one().result(8)["session"]] == [desk.id, desk.id]
    next_of_all, next_of_one = everything(), one()
    sharing.revoke(plane, alice, desk.id, share.id)
    settle(loop)
    sessions.ask_to_stop(plane, desk, "stopped by alice").result(5)
    own = sessions.begin(plane, caller(plane, "bob"), grant_of(plane, "bob"), {}, instead=False)
    assert next_of_all.result(8)["session"] == own.id
    assert next_of_one.result(8) == {}


def test_nobody_is_told_of_what_is_shared_with_others(
    plane: Plane, loop: asyncio.AbstractEventLoop, desk: Session, follow: Callable[..., Told]
) -> None:
    told = follow(browser(plane, "charlie"))()
    sharing.share(plane, caller(plane, "alice"), desk.id, Wanted("user", "bob", "view"))
    settle(loop)
    assert not told.done()
    sharing.share(plane, caller(plane, "alice"), desk.id, Wanted("user", "charlie", "view"))
    assert told.result(8)["message"] == sharing.CHANGED
