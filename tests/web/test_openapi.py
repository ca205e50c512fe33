"""The OpenAPI document: valid, whole, true to the routes and to the answers."""

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

import httpx
import openapi_check
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from served import portal_of
from starlette.routing import Route
from starlette.testclient import TestClient

from control_plane import auth, sessions
from control_plane.domain.access import Caller
from control_plane.domain.ports import Plane
from control_plane.errors import StartError
from control_plane.web import app, openapi
from control_plane.web.openapi import PREFIX
from control_plane.web.operations import Operation

ORIGIN = "https://portal.test"
DOCUMENT: Mapping[str, Any] = openapi.build(app.API)
SCHEMAS: Mapping[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method.upper(), path, described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
NO_SESSION = "0" * 32


@pytest.fixture
def client(plane: Plane) -> Iterator[TestClient]:
    """Return someone whom nobody knows."""
    with TestClient(portal_of(plane), base_url=ORIGIN, follow_redirects=False) as made:
        made.event_hooks["response"].append(openapi_check.hook(DOCUMENT))
        yield made


@pytest.fixture
def alices(client: TestClient, plane: Plane) -> TestClient:
    proof = auth.Proof("alice", "alice's password", "127.0.0.1")
    client.headers["Cookie"] = f"__Host-remoteapp={auth.sign_in(plane, proof)}"
    client.headers["Origin"] = ORIGIN
    return client


# the document


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_it_tells_of_every_route_and_of_no_other(plane: Plane) -> None:
    routes = {
        (method, re.sub(r":\w+\}", "}", route.path))
        for route in portal_of(plane).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    served = {
        one for one in routes if one[1].startswith("/api/") or one[1] in ("/healthz", "/readyz")
    }
    assert {(method, path) for method, path, _ in OPERATIONS} == served


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [described["operationId"] for _, _, described in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(described["summary"] for _, _, described in OPERATIONS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_says_what_it_is(name: str) -> None:
    assert SCHEMAS[name]["description"].endswith(".")


@pytest.mark.parametrize("operation", app.API, ids=lambda one: f"{one.method} {one.path}")
def test_an_operation_tells_who_may_call_it_and_how_it_is_refused(
    operation: Operation,
) -> None:
    path = re.sub(r":\w+\}", "}", operation.path)
    described = DOCUMENT["paths"][PREFIX + path][operation.method.lower()]
    ways = [name for one in described["security"] for name in one]
    assert ways == [*(["password"] if operation.basic else []), "cookie", "token"]
    scopes = {scope for one in described["security"] for found in one.values() for scope in found}
    assert scopes == ({operation.scope} if operation.scope else set())
    expected = {200, 201, 202, 204} & set(operation.answers) | {401, 500, 503}
    expected |= {200} if operation.event else set()
    expected |= {403} if operation.scope or operation.changes else set()
    expected |= {413, 415, 422} if operation.body or operation.upload else set()
    expected |= {422} if operation.query else set()
    streams = "text/event-stream" in (operation.media, operation.also) and not operation.changes
    expected |= {429} if streams else set()
    expected |= {412} if "If-Match" in [one["name"] for one in described["parameters"]] else set()
    assert {int(one) for one in described["responses"]} == expected | set(operation.problems)
    assert ("requestBody" in described) == bool(operation.body or operation.upload)


def test_an_event_stream_is_one_by_its_media_type() -> None:
    for path, media in (
        ("/sessions", ["application/json", "text/event-stream"]),
        ("/sessions/{id}/events", ["text/event-stream"]),
    ):
        described = DOCUMENT["paths"][PREFIX + path]["get"]
        assert list(described["responses"]["200"]["content"]) == media
        assert "Last-Event-ID" in [one["name"] for one in described["parameters"]]
    stream = described["responses"]["200"]["content"]["text/event-stream"]["schema"]
    event = stream["contentSchema"]["items"]["properties"]["data"]
    assert event["contentSchema"] == {"$ref": "#/components/schemas/StateEvent"}


# its two forms


def test_everyone_may_read_the_document(client: TestClient) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


class Page(HTMLParser):
    """The names and the links of a page, and whatever its policy would not allow."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.refused: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.names += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src") if name in found]
        inline = [name for name in found if name == "style" or name.startswith("on")]
        self.refused += inline + ([tag] if tag == "style" else [])
        self.refused += ["script"] if tag == "script" and "src" not in found else []


@pytest.mark.parametrize("who", ["client", "alices"])
def test_the_page_shows_all_of_it_by_own_means_alone(
    request: pytest.FixtureRequest, who: str
) -> None:
    answer = request.getfixturevalue(who).get("/api/docs")
    page = Page(answer.text)
    expected = {described["operationId"] for _, _, described in OPERATIONS} | set(SCHEMAS)
    assert expected <= set(page.names)
    assert len(set(page.names)) == len(page.names)
    assert {one[1:] for one in page.links if one.startswith("#")} <= set(page.names)
    assert [one for one in page.links if not re.match(r"[#/](?!/)", one)] == []
    assert page.refused == []
    for method, path, _ in OPERATIONS:
        assert f">{method}</span> <code>{path}</code>" in answer.text


# the answers


def test_the_answers_to_strangers_are_as_documented(client: TestClient) -> None:
    for method, path, described in OPERATIONS:
        answer = client.request(method, path.replace("{id}", NO_SESSION))
        assert (answer.status_code == 401) == bool(described["security"]), path


def test_the_answers_of_a_session_are_as_documented(alices: TestClient) -> None:
    grant = alices.get("/api/v1/applications").json()["items"][0]
    assert alices.get(grant["icon_url"]).headers["content-type"] == "image/png"
    body = {"grant_id": grant["grant_id"]}
    started = alices.post("/api/v1/sessions", json=body)
    assert started.status_code == 202
    here = started.headers["location"]
    assert alices.post("/api/v1/sessions", json=body).json()["sessions"][0]["id"] in here
    assert alices.get(here).json()["owner"] == "alice"
    assert alices.get(f"{here}/log").headers["content-type"].startswith("text/plain")
    assert alices.get("/api/v1/sessions?limit=1").json()["total"] == 1
    assert alices.delete(here).status_code == 204
    assert alices.get("/api/v1/sessions?state=all").json()["items"][0]["state"] == "stopped"
    assert alices.get("/readyz").json()["ready"] is True


def test_the_answers_about_oneself_are_as_documented(alices: TestClient) -> None:
    assert alices.get("/api/v1/me").json()["name"] == "alice"
    issued = alices.post("/api/v1/tokens", json={"name": "laptop"}).json()
    assert issued["token"].startswith("rapp_")
    assert alices.get("/api/v1/tokens").json()["total"] == 1
    assert alices.delete(f"/api/v1/tokens/{issued['id']}").status_code == 204
    assert alices.head("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        ('{"grant_id": 1}', "application/json", 422),
        ("{", "application/json", 415),
        ("grant_id=1", "application/x-www-form-urlencoded", 415),
        (json.dumps({"grant_id": "x" * 70000}), "application/json", 413),
        (json.dumps({"grant_id": NO_SESSION}), "application/json", 404),
    ],
)
def test_refused_bodies_are_as_documented(
    alices: TestClient, content: str, media: str, status: int
) -> None:
    headers = {"Content-Type": media}
    answer = alices.post("/api/v1/sessions", content=content, headers=headers)
    assert answer.status_code == status


def test_other_refusals_are_as_documented(alices: TestClient) -> None:
    assert alices.get("/api/v1/sessions?limit=many").status_code == 422
    assert alices.get(f"/api/v1/sessions/{NO_SESSION}").status_code == 404
    assert alices.get("/api/v1/nothing").status_code == 404
    assert alices.put("/api/v1/sessions").status_code == 405
    assert alices.delete("/api/v1/me/signins", headers={"Origin": "null"}).status_code == 403


def test_a_session_that_failed_is_as_documented(
    alices: TestClient, alice: Caller, plane: Plane
) -> None:
    grant = plane.accounting.grants_of("alice")[0]
    session = sessions.begin(plane, alice, grant.id, {}, instead=False)
    sessions.fail(plane, session, StartError("exited", "It ended."), "its last words")
    (item,) = alices.get("/api/v1/sessions").json()["items"]
    assert item["failure"] == {
        "code": "exited",
        "message": "It ended.",
        "log_tail": "its last words",
    }


# the judge itself


def judged(method: str, path: str, answer: httpx.Response) -> None:
    """Judge an answer as if a client had got it."""
    answer.request = httpx.Request(method, f"{ORIGIN}{path}")
    openapi_check.hook(DOCUMENT)(answer)


ME = {"name": "alice", "kind": "virtual", "groups": [], "admin": False, "scopes": []}
PROBLEM = {"type": "urn:remoteapp:not-found", "title": "", "status": 404, "detail": ""}
AS_PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/v1/me", httpx.Response(200, json=ME)),
        ("/api/v1/nothing", httpx.Response(404, json=PROBLEM, headers=AS_PROBLEM)),
        (
            "/api/v1/sessions/1/events",
            httpx.Response(200, content=iter([b""]), headers={"Content-Type": "text/event-stream"}),
        ),
        ("/login", httpx.Response(418)),
    ],
)
def test_the_judge_passes_what_is_documented(path: str, answer: httpx.Response) -> None:
    judged("GET", path, answer)


def test_the_judge_does_not_wait_for_the_end_of_a_stream() -> None:
    def endless() -> Iterator[bytes]:
        pytest.fail("the stream was read")
        yield b""

    headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    judged("GET", "/api/v1/sessions", httpx.Response(200, content=endless(), headers=headers))


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("/api/v1/hidden", httpx.Response(200, json={}), "not in the document"),
        (
            "/api/v1/hidden",
            httpx.Response(
                401, json={**PROBLEM, "type": "urn:remoteapp:not-signed-in"}, headers=AS_PROBLEM
            ),
            "by a route that is not in the document",
        ),
        ("/api/v1/me", httpx.Response(204), "tells of 200, 401"),
        ("/api/v1/me", httpx.Response(200, text="alice"), "text/plain"),
        ("/api/v1/me", httpx.Response(200, json={"name": "alice"}), "required property"),
        ("/api/v1/me", httpx.Response(200, json={**ME, "shoe_size": 9}), "shoe_size"),
        ("/api/v1/me", httpx.Response(200, json={**ME, "kind": "ghost"}), "is not one of"),
        ("/api/v1/me", httpx.Response(503, json=PROBLEM, headers=AS_PROBLEM), "no Retry-After"),
        ("/healthz", httpx.Response(200, json={"status": "down"}), "was expected"),
        (
            "/api/v1/tokens",
            httpx.Response(
                200,
                json={
                    "total": 1,
                    "items": [
                        {
                            "id": "1",
                            "name": "laptop",
                            "scopes": [],
                            "created_at": "yesterday",
                            "expires_at": "2030-01-01T00:00:00Z",
                        }
                    ],
                },
            ),
            "is not a 'date-time'",
        ),
    ],
)
def test_the_judge_fails_what_is_not_documented(
    path: str, answer: httpx.Response, words: str
) -> None:
    with pytest.raises(AssertionError, match=re.escape(words)):
        judged("GET", path, answer)
