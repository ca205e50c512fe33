"""The modules against a portal that is busy, half away, read only, or no portal at all."""

from asyncio import AbstractEventLoop
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO
from bundle.playing import Controller
from served import Served, portal_of, served
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from usecases.conftest import (
    alice,
    application,
    charlie,
    clock,
    engine,
    gateway,
    homes,
    loop,
    plane,
    root,
)

from control_plane import auth
from control_plane.adapters.accounting_csv import COLUMNS, csv_accounting
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, Group, User
from control_plane.domain.ports import Plane

__all__ = [
    "alice",
    "application",
    "charlie",
    "clock",
    "engine",
    "gateway",
    "homes",
    "loop",
    "plane",
    "root",
]
ADMIN = User("admin", "virtual", admin=True, uid=79999, gid=79999)


def token_of(plane: Plane) -> str:
    """Return an administrator's token."""
    caller = Caller(ADMIN, frozenset(SCOPES))
    return auth.issue_token(plane, caller, "tests", SCOPES, timedelta(hours=1))[1]


def controller(portal: Served, directory: Path, token: str) -> Controller:
    return Controller(directory, portal.url, portal.ca, token)


@pytest.fixture
def administered(plane: Plane) -> Plane:
    """A plane with an administrator and a group."""
    plane.accounting.add_user(ADMIN)
    plane.accounting.add_group(Group("lab", ("alice",)))
    return plane


@pytest.mark.parametrize(("others", "failed"), [(1, False), (100, True)])
def test_what_somebody_else_changes_meanwhile_is_read_again(
    administered: Plane, loop: AbstractEventLoop, tmp_path: Path, others: int, *, failed: bool
) -> None:
    portal = portal_of(administered)
    members = iter([("alice", "charlie"), *[("alice",), ("alice", "charlie")] * 50][:others])

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "PATCH" and (now := next(members, None)):
            administered.accounting.change_group("lab", lambda one: replace(one, members=now))
        await portal(scope, receive, send)

    with served(busy, loop, tmp_path) as found:
        machine = controller(found, tmp_path, token_of(administered))
        done = machine.ran("group", name="lab", members=[])
    assert (done.returncode != 0) is failed, done.stdout
    assert ("Somebody else changes it at the same time" in done.stdout) is failed
    now = administered.accounting.group("lab")
    assert now
    assert (now.members == ()) is not failed


@pytest.mark.parametrize(("times", "failed"), [(2, False), (100, True)])
def test_reading_waits_for_a_portal_that_is_away_for_a_moment(
    administered: Plane, loop: AbstractEventLoop, tmp_path: Path, times: int, *, failed: bool
) -> None:
    portal, left = portal_of(administered), iter(range(times))
    body = '{"title": "Service Unavailable", "status": 503, "detail": "The database is away."}'

    async def away(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and next(left, None) is not None:
            kind, pause = "application/problem+json", {"Retry-After": "0"}
            await Response(body, 503, pause, kind)(scope, receive, send)
        else:
            await portal(scope, receive, send)

    with served(away, loop, tmp_path) as found:
        machine = controller(found, tmp_path, token_of(administered))
        done = machine.ran("group", name="lab")
    assert (done.returncode != 0) is failed, done.stdout
    assert ("The database is away. A part of the portal is away" in done.stdout) is failed


def test_a_store_that_is_only_read_says_where_it_is_changed(
    plane: Plane, loop: AbstractEventLoop, tmp_path: Path
) -> None:
    file = tmp_path / "accounting.csv"
    file.write_text(f"{','.join(COLUMNS)}\nadmin,{HELLO},,1,1,0,,,,0\n")
    accounting = csv_accounting(file, lambda _: 71000, lambda _: False)
    site = replace(plane.site, admins=frozenset({"admin"}))
    on_file = replace(plane, accounting=accounting, site=site)
    with served(portal_of(on_file), loop, tmp_path) as found:
        machine = controller(found, tmp_path, token_of(on_file))
        there = machine.told("grant", user="admin", application=HELLO)
        refused = machine.refused("group", name="lab")
    assert there["changed"] is False
    assert refused["status"] == 405
    assert "it is changed where it is kept" in refused["msg"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PlainTextResponse("It works!", 200), "did not answer as a portal does; check the url"),
        (PlainTextResponse("Bad Gateway", 502), "answered 502, not as a portal does"),
        (PlainTextResponse("Not Found", 404), "answered 404, not as a portal does"),
        (RedirectResponse("https://localhost:1/elsewhere"), "answered 307, not as a portal does"),
    ],
)
def test_what_is_no_portal_is_said_to_be_none_and_no_redirect_is_followed(
    loop: AbstractEventLoop, tmp_path: Path, answer: ASGIApp, said: str
) -> None:
    with served(answer, loop, tmp_path) as found:
        refused = controller(found, tmp_path, "rapp_some").refused("group", name="lab")
    assert said in refused["msg"]
