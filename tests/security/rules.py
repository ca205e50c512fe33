"""Who may do what: one rule for each endpoint of the route table, each by itself.

Nothing here is read from the table: what an endpoint lets by is said twice, and a test compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class To(StrEnum):
    """Whom an endpoint answers."""

    ALL = "everybody alike, also who is not signed in"
    GUESTS = "who is not signed in; anybody else is led on"
    USERS = "everybody who is signed in, about themselves"
    OWNER = "the owner of the thing; to anybody else it is unknown"
    ADMINISTRATORS = "administrators"


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom it answers, and with which status; a token needs the scope.

    `thing` is the World's method that makes what the path names; `body` is JSON, in which "{}"
    stands for the thing. `shared` is the status for whom it is shared with, `administrator` for an
    administrator, where it is not unknown to them; `guest` for a guest, where one is somebody.
    """

    to: To
    status: int = 200
    scope: str = ""
    thing: str = ""
    query: str = ""
    body: Mapping[str, object] | None = None
    shared: int = 404
    guest: int = 0
    administrator: int = 404


_READ, _WRITE, _SHARE = "sessions:read", "sessions:write", "shares:write"
_LOOK, _CHANGE = "admin:read", "admin:write"


def _all(status: int = 200, query: str = "") -> Rule:
    return Rule(To.ALL, status, query=query)


def _users(status: int = 200, scope: str = "", thing: str = "", **more: object) -> Rule:
    return Rule(To.USERS, status, scope, thing, body=more or None)


def _owner(status: int, scope: str, thing: str, **more: object) -> Rule:
    return Rule(To.OWNER, status, scope, thing, body=more or None)


def _entered(status: int) -> Rule:
    """Return the rule of what whoever may enter a session is answered alike."""
    return Rule(To.OWNER, status, "", "session", shared=status, guest=status)


def _look(status: int = 200, thing: str = "", query: str = "") -> Rule:
    return Rule(To.ADMINISTRATORS, status, _LOOK, thing, query)


def _change(status: int, thing: str = "", query: str = "", **more: object) -> Rule:
    return Rule(To.ADMINISTRATORS, status, _CHANGE, thing, query, body=more or None)


_NO_SIZE = {"resolution": "1x1"}  # refused after the grant was looked for: nothing starts

API: Mapping[str, Rule] = {
    "GET /me": _users(),
    "POST /me/password": _users(422, _WRITE, old="wrong", new="long enough"),
    "DELETE /me/signins": _users(204, _WRITE),
    "POST /tokens": _users(201, _WRITE, name="laptop", scopes=[_WRITE]),
    "GET /tokens": _users(200, _READ),
    "DELETE /tokens/{id}": _owner(204, _WRITE, "token_id"),
    "GET /applications": _users(200, _READ),
    "GET /applications/{id}/icon": _owner(200, _READ, "grant_of_alice"),
    "GET /applications/{id}/files": _owner(200, _WRITE, "grant_of_alice"),
    "POST /sessions": _owner(422, _WRITE, "grant_of_alice", grant_id="{}", options=_NO_SIZE),
    "GET /sessions": _users(200, _READ),
    "GET /sessions/{id}": Rule(To.OWNER, 200, _READ, "session", shared=200),
    "DELETE /sessions/{id}": _owner(204, _WRITE, "session"),
    "GET /sessions/{id}/events": Rule(To.OWNER, 200, _READ, "session", shared=200),
    "POST /sessions/{id}/shares": _owner(201, _SHARE, "session", link=True),
    "GET /sessions/{id}/shares": _owner(200, _READ, "session"),
    "DELETE /sessions/{id}/shares/{share}": _owner(204, _SHARE, "share_of_alice"),
    "POST /sessions/{id}/extend": _owner(200, _WRITE, "session", seconds=60),
    # An administrator reads everyone's.
    "GET /sessions/{id}/log": Rule(To.OWNER, 200, _READ, "session", administrator=200),
    "GET /admin/users": _look(),
    "POST /admin/users": _change(422),
    "GET /admin/users/{id}": _look(200, "user"),
    "PATCH /admin/users/{id}": _change(200, "user", enabled=True),
    "DELETE /admin/users/{id}": _change(200, "user"),
    "GET /admin/groups": _look(),
    "POST /admin/groups": _change(422),
    "GET /admin/groups/{id}": _look(200, "group"),
    "PATCH /admin/groups/{id}": _change(200, "group", members=[]),
    "DELETE /admin/groups/{id}": _change(204, "group"),
    "GET /admin/applications": _look(),
    "POST /admin/applications": _change(422),
    "GET /admin/applications/{id}": _look(200, "application"),
    "PATCH /admin/applications/{id}": _change(200, "application", category="Plots"),
    "DELETE /admin/applications/{id}": _change(204, "application"),
    "GET /admin/grants": _look(),
    "POST /admin/grants": _change(422),
    "GET /admin/grants/{id}": _look(200, "grant"),
    "PATCH /admin/grants/{id}": _change(422, "grant"),
    "DELETE /admin/grants/{id}": _change(204, "grant"),
    "GET /admin/images": _look(),
    "POST /admin/images": _change(422),
    "POST /admin/images/archive": _change(415),
    "DELETE /admin/images/{name:path}": _change(404, "nothing"),
    "GET /admin/sessions": _look(),
    "GET /admin/sessions/{id}": _look(200, "session"),
    "DELETE /admin/sessions/{id}": _change(204, "session"),
    "POST /admin/sessions/{id}/message": _change(204, "session", text="Save your work."),
    "GET /admin/usage": _look(),
    "GET /admin/audit": _look(),
    "GET /admin/stats": _look(),
    "GET /admin/announcement": _look(200, "announcement"),
    "PUT /admin/announcement": _change(200, text="New disks on Friday."),
    "DELETE /admin/announcement": _change(204, "announcement"),
}

# Forms are sent empty: what is refused then was let by.
PAGES: Mapping[str, Rule] = {
    "GET /": _users(),
    "GET /login": Rule(To.GUESTS),
    "POST /login": _all(401),
    "GET /login/token": _users(),
    "POST /login/token": _users(),
    "GET /login/{source}": Rule(To.GUESTS, 404),
    "GET /login/{source}/callback": _all(401),
    "POST /logout": _all(303),
    "POST /language": _all(303),
    "GET /api/v1/signin-methods": _all(),
    "GET /applications/{grant_id}/start": _users(303, "", "grant_of_alice"),
    "POST /applications/{grant_id}/start": _owner(409, "", "grant_that_runs"),
    "GET /applications/{grant_id}/files": _owner(200, "", "grant_of_alice"),
    "GET /sessions/{id}": _entered(200),
    "GET /sessions/{id}/log": _owner(200, "", "session"),
    "POST /sessions/{id}/extend": _owner(303, "", "session"),
    "GET /sessions/{id}/share": _owner(200, "", "session"),
    "POST /sessions/{id}/share": _owner(422, "", "session"),
    "POST /sessions/{id}/share/{share}/revoke": _owner(303, "", "share_of_alice"),
    "POST /sessions/{id}/open": _entered(303),
    "GET /sessions/{id}/tab": _entered(303),
    "GET /sessions/{id}/told": _entered(200),
    "GET /share/{share}": _all(404),
    "POST /share/{share}": _all(404),
    "GET /sessions/{id}/stop": _owner(200, "", "session"),
    "POST /sessions/{id}/stop": _owner(303, "", "session"),
    "POST /messages/dismiss": _users(303),
    "GET /account": _users(),
    "POST /account/password": _users(422),
    "POST /account/tokens": _users(422),
    "GET /account/tokens/{id}/remove": _owner(200, "", "token_id"),
    "POST /account/tokens/{id}/remove": _owner(303, "", "token_id"),
    "GET /account/sign-out": _users(),
    "POST /account/sign-out": _users(303),
    "POST /analytics": _all(303),
    "GET /face/{file}": _all(404),
    "GET /admin": _look(),
    "GET /admin/": _look(),
    "GET /admin/events": _look(),
    "GET /admin/users": _look(),
    "GET /admin/users/new": _look(),
    "POST /admin/users/new": _change(422),
    "GET /admin/users/{id}": _look(200, "user"),
    "POST /admin/users/{id}": _change(422, "user"),
    "POST /admin/users/{id}/password": _change(200, "user"),
    "GET /admin/users/{id}/disable": _look(200, "user"),
    "POST /admin/users/{id}/disable": _change(303, "user"),
    "POST /admin/users/{id}/enable": _change(303, "user"),
    "GET /admin/users/{id}/remove": _look(200, "user"),
    "POST /admin/users/{id}/remove": _change(303, "user"),
    "GET /admin/groups": _look(),
    "GET /admin/groups/new": _look(),
    "POST /admin/groups/new": _change(422),
    "GET /admin/groups/{id}": _look(200, "group"),
    "POST /admin/groups/{id}": _change(422, "group"),
    "GET /admin/groups/{id}/remove": _look(200, "group"),
    "POST /admin/groups/{id}/remove": _change(303, "group"),
    "GET /admin/applications": _look(),
    "GET /admin/applications/new": _look(),
    "POST /admin/applications/new": _change(422),
    "GET /admin/applications/{id}": _look(200, "application"),
    "POST /admin/applications/{id}": _change(422, "application"),
    "GET /admin/applications/{id}/icon": _look(200, "application"),
    "POST /admin/applications/{id}/check": _change(422, "application"),
    "GET /admin/applications/{id}/remove": _look(200, "application"),
    "POST /admin/applications/{id}/remove": _change(303, "application"),
    "GET /admin/grants": _look(),
    "GET /admin/grants/new": _look(),
    "POST /admin/grants/new": _change(422),
    "GET /admin/grants/revoke": _look(200),
    "POST /admin/grants/revoke": _change(303),
    "GET /admin/grants/{id}": _look(200, "grant"),
    "POST /admin/grants/{id}": _change(422, "grant"),
    "GET /admin/sessions": _look(),
    "GET /admin/sessions/stop": _look(),
    "POST /admin/sessions/stop": _change(303),
    "GET /admin/sessions/{id}": _look(200, "session"),
    "POST /admin/sessions/{id}": _change(422, "session"),
    "POST /admin/sessions/{id}/shares/{share}/revoke": _change(303, "share_of_alice"),
    "GET /admin/images": _look(),
    "POST /admin/images": _change(422),
    "GET /admin/images/remove": _look(404),
    "POST /admin/images/remove": _change(404),
    "GET /admin/usage": _look(),
    "GET /admin/audit": _look(),
    "GET /admin/announcement": _look(),
    "POST /admin/announcement": _change(303),
    "GET /api/docs": _all(),
    "GET /api/v1/openapi.json": _all(),
    "GET /healthz": _all(),
    "GET /readyz": _all(),
    # What nginx asks, and the operator signs; nginx passes nothing of it on.
    "GET /internal/authorise": _all(403),
    "GET /internal/away": _all(404),
    "POST /internal/operator/sessions/stop": _all(403),
    # What the origins of applications pass on; there are none here.
    "GET /internal/arrive": _all(404),
    "POST /internal/enter": _all(404),
    "POST /internal/operator/reconcile": _all(403),
    "GET /static": _all(),
}
