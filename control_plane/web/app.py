"""The application: the route table is the product's table of contents."""

import asyncio
from collections.abc import Sequence
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan

from control_plane.errors import ControlPlaneError
from control_plane.web import api, faults, gate, health, openapi, pages, schemas, streams
from control_plane.web.authorise import authorise, away
from control_plane.web.middleware import Headers
from control_plane.web.operations import Operation

READ, WRITE = "sessions:read", "sessions:write"
S = schemas

# fmt: off
API: Sequence[Operation] = (
    Operation("GET", "/me", api.me, "Who is signed in", {200: S.MeAnswer}),
    Operation("POST", "/me/password", api.change_password, "Change one's own password", {204: None}, WRITE, S.ChangePassword, problems=(409, 429)),
    Operation("DELETE", "/me/signins", api.sign_out_everywhere, "Sign out everywhere", {204: None}, WRITE),
    Operation("POST", "/tokens", api.issue_token, "Issue a token", {201: S.NewTokenAnswer}, scope=WRITE, body=S.IssueToken, basic=True, problems=(429,)),
    Operation("GET", "/tokens", api.tokens, "List one's own tokens", {200: S.TokenList}, READ, query=S.PAGE),
    Operation("DELETE", "/tokens/{id}", api.revoke_token, "Revoke a token", {204: None}, WRITE, problems=(404,)),
    Operation("GET", "/applications", api.applications, "The catalogue: what one may start", {200: S.ApplicationList}, READ, query=S.PAGE, problems=(503,)),
    Operation("GET", "/applications/{id}/icon", api.icon, "The icon of an application", {200: None}, READ, media="image/png", problems=(404, 503)),
    Operation("POST", "/sessions", api.start_session, "Start an application", {202: S.SessionAnswer}, WRITE, S.StartSession, problems=(404, 409, 503)),
    Operation("GET", "/sessions", streams.list_or_stream, "List sessions, or follow them as events", {200: S.SessionList}, READ, query=S.PAGE | S.STATE, stream=True),
    Operation("GET", "/sessions/{id}", api.show_session, "Show a session", {200: S.SessionAnswer}, READ, problems=(404,)),
    Operation("DELETE", "/sessions/{id}", api.stop_session, "Stop a session, or dismiss a failure", {204: None}, WRITE, problems=(404, 503)),
    Operation("GET", "/sessions/{id}/events", streams.session_events, "Follow a session", {200: None}, READ, media="text/event-stream", problems=(404,)),
    Operation("GET", "/sessions/{id}/log", api.session_log, "The container's output", {200: None}, READ, query=S.TAIL, media="text/plain", problems=(404, 503)),
)

PAGES: Sequence[BaseRoute] = (
    Route("/", pages.catalogue, methods=["GET"]),
    Route("/login", pages.login, methods=["GET"]),
    Route("/login", pages.sign_in, methods=["POST"]),
    Route("/logout", pages.sign_out, methods=["POST"]),
    Route("/sessions/{id}", pages.session, methods=["GET"]),
    Route("/api/docs", openapi.page, methods=["GET"]),
    Route("/api/v1/openapi.json", openapi.document, methods=["GET"]),
    Route("/healthz", health.healthz, methods=["GET"]),
    Route("/readyz", health.readyz, methods=["GET"]),
    Route("/internal/authorise", authorise, methods=["GET"]),
    Route("/internal/away", away, methods=["GET"]),
    Mount("/static", StaticFiles(directory=str(files("control_plane.web") / "static"))),
)
# fmt: on


def create(lifespan: Lifespan[Starlette]) -> Starlette:
    """Return the application; `lifespan` opens the plane and puts it into the state."""
    app = Starlette(
        routes=[*PAGES, *(_route(one) for one in API)],
        middleware=[Middleware(Headers), Middleware(faults.Faults)],
        exception_handlers={
            ControlPlaneError: faults.refused,
            HTTPException: faults.not_routed,
        },
        lifespan=lifespan,
    )
    # A path with an end slash is another path: 404, not a redirect that loses a body.
    app.router.redirect_slashes = False
    app.state.asking = asyncio.Lock()
    app.state.document = openapi.build(API)
    return app


def _route(operation: Operation) -> Route:
    path = f"/api/v1{operation.path}"
    return Route(path, gate.handler(operation), methods=[operation.method])
