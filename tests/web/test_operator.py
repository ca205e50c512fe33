"""The operator's endpoints: signed, or nothing."""

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from adapters.fakes_engine import FakeEngine
from itsdangerous import TimestampSigner
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import grant_of, until

from control_plane import operators, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, State
from control_plane.domain.ports import Plane
from control_plane.web import app, openapi

BODY = {"actor": "cli:root", "reason": "new disks"}


class _YesterdaysSigner(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(time.time()) - 61


@pytest.fixture
def host(plane: Plane) -> Iterator[TestClient]:
    """A client on the service's own socket."""
    with TestClient(portal_of(plane), base_url="http://control-plane") as client:
        yield client


def asked(host: TestClient, plane: Plane, path: str, content: object) -> Any:
    body = json.dumps(content).encode()
    shown = operators.signature(plane.site.secret, path, body)
    return host.post(path, content=body, headers={operators.HEADER: shown})


def ready(plane: Plane, name: str) -> Session:
    caller = Caller(plane.access.users[name], frozenset())
    session = sessions.begin(plane, caller, grant_of(plane, name), {}, instead=False)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    return session


def test_all_sessions_stop_and_their_owners_know_why(
    host: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    started = [ready(plane, name) for name in ("alice", "bob")]
    answer = asked(host, plane, operators.STOP_SESSIONS, BODY)
    assert (answer.status_code, answer.json()) == (200, {"stopped": 2})
    assert engine.found == {}
    ended = [plane.records.session(one.id) for one in started]
    because = "stopped by the operator: new disks"
    assert [one and (one.state, one.ends_because) for one in ended] == [("stopped", because)] * 2
    acts = plane.records.audit(action="session-stop")
    assert {(one.actor, one.target) for one in acts} == {("cli:root", one.id) for one in started}


def test_where_nothing_runs_nothing_is_stopped(host: TestClient, plane: Plane) -> None:
    answer = asked(host, plane, operators.STOP_SESSIONS, {"actor": "cli:root"})
    assert (answer.status_code, answer.json()) == (200, {"stopped": 0})


def test_an_engine_that_is_away_is_said(host: TestClient, plane: Plane, engine: FakeEngine) -> None:
    ready(plane, "alice")
    engine.away = True
    answer = asked(host, plane, operators.STOP_SESSIONS, BODY)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:remoteapp:engine-unavailable")
    engine.away = False


def test_what_drifted_is_mended_at_once(host: TestClient, plane: Plane, engine: FakeEngine) -> None:
    session = ready(plane, "alice")
    engine.found.clear()
    answer = asked(host, plane, operators.RECONCILE, {})
    # The session that was lost, and its route.
    assert (answer.status_code, answer.json()) == (200, {"mended": 2})
    ended = plane.records.session(session.id)
    assert ended
    assert ended.state is State.STOPPED


@pytest.mark.parametrize("path", [operators.STOP_SESSIONS, operators.RECONCILE])
def test_nothing_is_done_without_the_operators_own_fresh_signature(
    host: TestClient, plane: Plane, path: str
) -> None:
    session = ready(plane, "alice")
    body = json.dumps(BODY).encode()
    old = _YesterdaysSigner(plane.site.secret, salt="operator", digest_method=hashlib.sha256)
    good = operators.signature(plane.site.secret, path, body)
    signed = operators.signature(plane.site.secret, path, body).split(".", 1)[0]
    for shown in (
        "",
        "nonsense",
        operators.signature(b"x" * 32, path, body),
        operators.signature(plane.site.secret, path, b"{}"),
        operators.signature(plane.site.secret, "/internal/operator/other", body),
        old.sign(signed).decode(),
    ):
        answer = host.post(path, content=body, headers={operators.HEADER: shown})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:remoteapp:forbidden")
        assert plane.site.secret.decode() not in answer.text
    assert plane.access.sessions[session.id].state is State.READY
    assert host.get(path, headers={operators.HEADER: good}).status_code == 405


@pytest.mark.parametrize(
    "content",
    [{}, {"actor": ""}, {"actor": "x", "reason": 5}, {"actor": "x", "reason": "y" * 201},
     {"actor": "x", "more": 1}],
)  # fmt: skip
def test_a_signed_body_is_checked_all_the_same(
    host: TestClient, plane: Plane, content: object
) -> None:
    answer = asked(host, plane, operators.STOP_SESSIONS, content)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:remoteapp:invalid")


def test_a_body_without_end_is_not_read(host: TestClient, plane: Plane) -> None:
    answer = asked(host, plane, operators.STOP_SESSIONS, {"actor": "x" * 70_000})
    assert answer.status_code == 413


def test_the_public_document_does_not_know_it() -> None:
    assert "operator" not in json.dumps(openapi.build(app.API))
