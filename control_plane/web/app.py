"""The application: the route table is the product's table of contents."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan

from control_plane import operators
from control_plane.errors import ControlPlaneError
from control_plane.web import (
    account,
    admin,
    admin_images,
    admin_portal,
    admin_portal_schemas,
    admin_schemas,
    admin_sessions,
    admin_usage,
    api,
    catalogue_page,
    consent,
    entering,
    face,
    faults,
    gate,
    health,
    home_files_page,
    language_choice,
    openapi,
    operator,
    schemas,
    session_pages,
    share_links,
    share_pages,
    share_schemas,
    shares,
    signing_in,
    starting,
    stopping,
    streams,
    told,
    visits,
)
from control_plane.web.admin_pages import (
    announcement,
    applications,
    audit,
    dashboard,
    events,
    grants,
    groups,
    images,
    sessions,
    usage,
    users,
)
from control_plane.web.admin_pages.pulls import Pulls
from control_plane.web.authorise import authorise, away
from control_plane.web.middleware import Headers, Languages
from control_plane.web.operations import Operation

READ, WRITE, SHARE = "sessions:read", "sessions:write", "shares:write"
LOOK, CHANGE = "admin:read", "admin:write"
EVENTS, CSV = "text/event-stream", "text/csv"
S, A, P, L = schemas, admin_schemas, admin_portal_schemas, admin_images
H = share_schemas
# What a write to accounting may meet: a store that is read only, something unknown, or in the way.
STORE = (404, 405, 409)

# fmt: off
API: Sequence[Operation] = (
    Operation("GET", "/me", api.me, "Who is signed in", {200: S.MeAnswer}),
    Operation("POST", "/me/password", api.change_password, "Change one's own password", {204: None}, WRITE, S.ChangePassword, problems=(409, 429)),
    Operation("DELETE", "/me/signins", api.sign_out_everywhere, "Sign out everywhere", {204: None}, WRITE),
    Operation("POST", "/tokens", api.issue_token, "Issue a token", {201: S.NewTokenAnswer}, scope=WRITE, body=S.IssueToken, basic=True, problems=(429,)),
    Operation("GET", "/tokens", api.tokens, "List one's own tokens", {200: S.TokenList}, READ, query=S.Page),
    Operation("DELETE", "/tokens/{id}", api.revoke_token, "Revoke a token", {204: None}, WRITE, problems=(404,)),
    Operation("GET", "/applications", api.applications, "The catalogue: what one may start", {200: S.ApplicationList}, READ, query=S.Page, problems=(503,)),
    Operation("GET", "/applications/{id}/icon", api.icon, "The icon of an application", {200: None}, READ, media="image/png", query=S.Icon, problems=(404, 503)),
    Operation("GET", "/applications/{id}/files", api.home_files, "Look into one's home for a file to open", {200: S.FileList}, WRITE, query=S.Directory, problems=(403, 404, 409, 503)),
    Operation("POST", "/sessions", api.start_session, "Start an application", {202: S.SessionAnswer}, WRITE, S.StartSession, problems=(404, 409, 503)),
    Operation("GET", "/sessions", streams.list_or_stream, "List sessions, or follow them as events", {200: S.SessionList}, READ, query=S.SessionFilter, also=EVENTS),
    Operation("GET", "/sessions/{id}", api.show_session, "Show a session", {200: S.SessionAnswer}, READ, problems=(404,)),
    Operation("DELETE", "/sessions/{id}", api.stop_session, "Stop a session, or dismiss a failure", {204: None}, WRITE, problems=(404, 503)),
    Operation("GET", "/sessions/{id}/events", streams.session_events, "Follow a session", {200: None}, READ, media=EVENTS, problems=(404,)),
    Operation("POST", "/sessions/{id}/extend", api.extend_session, "Let a session run on", {200: S.SessionAnswer}, WRITE, S.Extend, problems=(404, 409)),
    Operation("GET", "/sessions/{id}/log", api.session_log, "The container's output", {200: None}, READ, query=S.Tail, media="text/plain", problems=(404, 503)),
    Operation("POST", "/sessions/{id}/shares", shares.share_session, "Share a session", {201: H.NewShareAnswer}, SHARE, H.ShareSession, problems=(403, 404, 409, 503)),
    Operation("GET", "/sessions/{id}/shares", shares.shares, "List who else may enter", {200: H.ShareList}, READ, query=S.Page, problems=(404,)),
    Operation("DELETE", "/sessions/{id}/shares/{share}", shares.revoke_share, "Revoke a share", {204: None}, SHARE, problems=(404, 503)),
    # Administration: people.
    Operation("GET", "/admin/users", admin.users, "List users", {200: A.UserList}, LOOK, query=A.UserFilter),
    Operation("POST", "/admin/users", admin.create_user, "Create a user", {201: A.UserAnswer}, CHANGE, A.CreateUser, tagged=True, problems=STORE),
    Operation("GET", "/admin/users/{id}", admin.show_user, "Show a user", {200: A.UserAnswer}, LOOK, tagged=True, problems=(404,)),
    Operation("PATCH", "/admin/users/{id}", admin.change_user, "Change a user", {200: A.UserAnswer}, CHANGE, A.ChangeUser, tagged=True, problems=STORE),
    Operation("DELETE", "/admin/users/{id}", admin.remove_user, "Remove a user, or tell what would go", {200: A.DepartureAnswer}, CHANGE, query=A.RemoveUser, problems=STORE),
    Operation("GET", "/admin/groups", admin.groups, "List groups", {200: A.GroupList}, LOOK, query=A.GroupFilter),
    Operation("POST", "/admin/groups", admin.create_group, "Create a group", {201: A.GroupAnswer}, CHANGE, A.CreateGroup, tagged=True, problems=STORE),
    Operation("GET", "/admin/groups/{id}", admin.show_group, "Show a group", {200: A.GroupAnswer}, LOOK, tagged=True, problems=(404,)),
    Operation("PATCH", "/admin/groups/{id}", admin.change_group, "Change who is in a group", {200: A.GroupAnswer}, CHANGE, A.ChangeGroup, tagged=True, problems=STORE),
    Operation("DELETE", "/admin/groups/{id}", admin.remove_group, "Remove a group and its grants", {204: None}, CHANGE, problems=STORE),
    # Administration: what there is, and who may run it.
    Operation("GET", "/admin/applications", admin.admin_applications, "List all applications", {200: A.AdminApplicationList}, LOOK, query=A.AdminApplicationFilter),
    Operation("POST", "/admin/applications", admin.create_application, "Create an application", {201: A.AdminApplicationAnswer}, CHANGE, A.CreateApplication, tagged=True, problems=STORE),
    Operation("GET", "/admin/applications/{id}", admin.show_application, "Show an application", {200: A.AdminApplicationAnswer}, LOOK, tagged=True, problems=(404,)),
    Operation("PATCH", "/admin/applications/{id}", admin.change_application, "Change an application", {200: A.AdminApplicationAnswer}, CHANGE, A.ChangeApplication, tagged=True, problems=STORE),
    Operation("DELETE", "/admin/applications/{id}", admin.remove_application, "Remove an application and its grants", {204: None}, CHANGE, problems=STORE),
    Operation("GET", "/admin/grants", admin.grants, "List grants", {200: A.GrantList}, LOOK, query=A.GrantFilter),
    Operation("POST", "/admin/grants", admin.create_grant, "Grant an application", {201: A.GrantAnswer}, CHANGE, A.CreateGrant, tagged=True, problems=STORE),
    Operation("GET", "/admin/grants/{id}", admin.show_grant, "Show a grant", {200: A.GrantAnswer}, LOOK, tagged=True, problems=(404,)),
    Operation("PATCH", "/admin/grants/{id}", admin.change_grant, "Change a grant's policy", {200: A.GrantAnswer}, CHANGE, A.ChangeGrant, tagged=True, problems=STORE),
    Operation("DELETE", "/admin/grants/{id}", admin.revoke_grant, "Revoke a grant", {204: None}, CHANGE, query=A.RevokeGrant, problems=STORE),
    # Administration: the engine's images.
    Operation("GET", "/admin/images", L.list_images, "List images", {200: L.ImageList}, LOOK, query=S.Page),
    Operation("POST", "/admin/images", L.pull_image, "Pull an image", {201: L.ImageList}, CHANGE, L.PullImage, event=L.PullEvent, problems=(409,)),
    Operation("POST", "/admin/images/archive", L.upload_images, "Take in an archive of images", {201: L.ImageList}, CHANGE, upload=L.ARCHIVE, problems=(409,)),
    Operation("DELETE", "/admin/images/{name:path}", L.remove_image, "Remove an image", {200: L.RemovedImageAnswer}, CHANGE, problems=(404, 409)),
    # Administration: what runs, what was used, who did what.
    Operation("GET", "/admin/sessions", admin_sessions.everyones_sessions, "List everyone's sessions", {200: P.AdminSessionList}, LOOK, query=P.AdminSessionFilter),
    Operation("GET", "/admin/sessions/{id}", admin_sessions.show_anyones_session, "Show anyone's session", {200: P.AdminSessionAnswer}, LOOK, problems=(404,)),
    Operation("DELETE", "/admin/sessions/{id}", admin_sessions.stop_anyones_session, "Stop anyone's session", {204: None}, CHANGE, problems=(404, 503)),
    Operation("POST", "/admin/sessions/{id}/message", admin_sessions.send_message, "Tell the owner something", {204: None}, CHANGE, P.SendMessage, problems=(404, 409)),
    Operation("GET", "/admin/usage", admin_usage.usage, "What was used, by whom or of what", {200: P.UsageList}, LOOK, query=P.UsageFilter, also=CSV),
    Operation("GET", "/admin/audit", admin_usage.audit, "Who did what", {200: P.AuditList}, LOOK, query=P.AuditFilter, also=CSV),
    Operation("GET", "/admin/stats", admin_portal.stats, "Figures of the portal", {200: P.StatsAnswer}, LOOK),
    Operation("GET", "/admin/announcement", admin_portal.announcement, "What everyone is told", {200: P.AnnouncementAnswer}, LOOK, problems=(404,)),
    Operation("PUT", "/admin/announcement", admin_portal.announce, "Tell everyone something", {200: P.AnnouncementAnswer}, CHANGE, P.Announce),
    Operation("DELETE", "/admin/announcement", admin_portal.take_back_announcement, "Take it back", {204: None}, CHANGE, problems=(404,)),
)

PAGES: Sequence[BaseRoute] = (
    Route("/", catalogue_page.show, methods=["GET"]),
    Route("/login", signing_in.login, methods=["GET"]),
    Route("/login", signing_in.sign_in, methods=["POST"]),
    Route("/login/token", signing_in.ask_for_token, methods=["GET"]),
    Route("/login/token", signing_in.give_token, methods=["POST"]),
    Route("/login/{source}", signing_in.set_out, methods=["GET"]),
    Route("/login/{source}/callback", signing_in.come_back, methods=["GET"]),
    Route("/logout", signing_in.sign_out, methods=["POST"]),
    Route("/language", language_choice.choose, methods=["POST"]),
    Route("/api/v1/signin-methods", signing_in.methods, methods=["GET"]),
    Route("/applications/{grant_id}/start", starting.come, methods=["GET"]),
    Route("/applications/{grant_id}/start", starting.start, methods=["POST"]),
    Route("/applications/{grant_id}/files", home_files_page.show, methods=["GET"]),
    Route("/sessions/{id}", session_pages.show, methods=["GET"]),
    Route("/sessions/{id}/log", session_pages.log, methods=["GET"]),
    Route("/sessions/{id}/extend", session_pages.extend, methods=["POST"]),
    Route("/sessions/{id}/share", share_pages.show, methods=["GET"]),
    Route("/sessions/{id}/share", share_pages.share, methods=["POST"]),
    Route("/sessions/{id}/share/{share}/revoke", share_pages.revoke, methods=["POST"]),
    Route("/sessions/{id}/open", visits.open_it, methods=["POST"]),
    Route("/sessions/{id}/tab", visits.tab, methods=["GET"]),
    Route("/sessions/{id}/told", visits.told, methods=["GET"]),
    Route("/share/{share}", share_links.show, methods=["GET"]),
    Route("/share/{share}", share_links.enter, methods=["POST"]),
    Route("/sessions/{id}/stop", stopping.ask, methods=["GET"]),
    Route("/sessions/{id}/stop", stopping.stop, methods=["POST"]),
    Route("/messages/dismiss", told.dismiss, methods=["POST"]),
    # One's own account, and the site's face.
    Route("/account", account.show, methods=["GET"]),
    Route("/account/password", account.change_password, methods=["POST"]),
    Route("/account/tokens", account.issue_token, methods=["POST"]),
    Route("/account/tokens/{id}/remove", account.leaving_token, methods=["GET"]),
    Route("/account/tokens/{id}/remove", account.revoke_token, methods=["POST"]),
    Route("/account/sign-out", account.leaving_everywhere, methods=["GET"]),
    Route("/account/sign-out", account.sign_out_everywhere, methods=["POST"]),
    Route("/analytics", consent.choose, methods=["POST"]),
    Route("/face/{file}", face.file, methods=["GET"]),
    # Administration, for people.
    Route("/admin", dashboard.show, methods=["GET"]),
    Route("/admin/", dashboard.show, methods=["GET"]),
    Route("/admin/events", events.followed, methods=["GET"]),
    Route("/admin/users", users.listed, methods=["GET"]),
    Route("/admin/users/new", users.new, methods=["GET"]),
    Route("/admin/users/new", users.create, methods=["POST"]),
    Route("/admin/users/{id}", users.show, methods=["GET"]),
    Route("/admin/users/{id}", users.change, methods=["POST"]),
    Route("/admin/users/{id}/password", users.set_password, methods=["POST"]),
    Route("/admin/users/{id}/disable", users.disabling, methods=["GET"]),
    Route("/admin/users/{id}/disable", users.disable, methods=["POST"]),
    Route("/admin/users/{id}/enable", users.enable, methods=["POST"]),
    Route("/admin/users/{id}/remove", users.leaving, methods=["GET"]),
    Route("/admin/users/{id}/remove", users.remove, methods=["POST"]),
    Route("/admin/groups", groups.listed, methods=["GET"]),
    Route("/admin/groups/new", groups.new, methods=["GET"]),
    Route("/admin/groups/new", groups.create, methods=["POST"]),
    Route("/admin/groups/{id}", groups.show, methods=["GET"]),
    Route("/admin/groups/{id}", groups.change, methods=["POST"]),
    Route("/admin/groups/{id}/remove", groups.leaving, methods=["GET"]),
    Route("/admin/groups/{id}/remove", groups.remove, methods=["POST"]),
    Route("/admin/applications", applications.listed, methods=["GET"]),
    Route("/admin/applications/new", applications.new, methods=["GET"]),
    Route("/admin/applications/new", applications.create, methods=["POST"]),
    Route("/admin/applications/{id}", applications.show, methods=["GET"]),
    Route("/admin/applications/{id}", applications.change, methods=["POST"]),
    Route("/admin/applications/{id}/icon", applications.icon, methods=["GET"]),
    Route("/admin/applications/{id}/check", applications.check, methods=["POST"]),
    Route("/admin/applications/{id}/remove", applications.leaving, methods=["GET"]),
    Route("/admin/applications/{id}/remove", applications.remove, methods=["POST"]),
    Route("/admin/grants", grants.listed, methods=["GET"]),
    Route("/admin/grants/new", grants.new, methods=["GET"]),
    Route("/admin/grants/new", grants.create, methods=["POST"]),
    Route("/admin/grants/revoke", grants.leaving, methods=["GET"]),
    Route("/admin/grants/revoke", grants.revoke, methods=["POST"]),
    Route("/admin/grants/{id}", grants.show, methods=["GET"]),
    Route("/admin/grants/{id}", grants.change, methods=["POST"]),
    Route("/admin/sessions", sessions.listed, methods=["GET"]),
    Route("/admin/sessions/stop", sessions.ask, methods=["GET"]),
    Route("/admin/sessions/stop", sessions.stop, methods=["POST"]),
    Route("/admin/sessions/{id}", sessions.show, methods=["GET"]),
    Route("/admin/sessions/{id}", sessions.send_message, methods=["POST"]),
    Route("/admin/sessions/{id}/shares/{share}/revoke", sessions.revoke_share, methods=["POST"]),
    Route("/admin/images", images.listed, methods=["GET"]),
    Route("/admin/images", images.pull, methods=["POST"]),
    Route("/admin/images/remove", images.leaving, methods=["GET"]),
    Route("/admin/images/remove", images.remove, methods=["POST"]),
    Route("/admin/usage", usage.listed, methods=["GET"]),
    Route("/admin/audit", audit.listed, methods=["GET"]),
    Route("/admin/announcement", announcement.show, methods=["GET"]),
    Route("/admin/announcement", announcement.announce, methods=["POST"]),
    Route("/api/docs", openapi.page, methods=["GET"]),
    Route("/api/v1/openapi.json", openapi.document, methods=["GET"]),
    Route("/healthz", health.healthz, methods=["GET"]),
    Route("/readyz", health.readyz, methods=["GET"]),
    Route("/internal/authorise", authorise, methods=["GET"]),
    Route("/internal/away", away, methods=["GET"]),
    # What nginx passes on the applications' origins alone, below /.remoteapp/.
    Route("/internal/arrive", entering.arrive, methods=["GET"]),
    Route("/internal/enter", entering.enter, methods=["POST"]),
    Route(operators.STOP_SESSIONS, operator.stop_sessions, methods=["POST"]),
    Route(operators.RECONCILE, operator.reconcile, methods=["POST"]),
    Mount("/static", StaticFiles(directory=str(files("control_plane.web") / "static"))),
)
# fmt: on


def create(lifespan: Lifespan[Starlette]) -> Starlette:
    """Return the application; `lifespan` opens the plane and puts it into the state."""
    app = Starlette(
        routes=[*PAGES, *_routes(API)],
        middleware=[Middleware(Headers), Middleware(Languages), Middleware(faults.Faults)],
        exception_handlers={
            ControlPlaneError: faults.refused,
            HTTPException: faults.not_routed,
        },
        lifespan=lifespan,
    )
    # A path with an end slash is another path: 404, not a redirect that loses a body.
    app.router.redirect_slashes = False
    app.state.asking = asyncio.Lock()
    app.state.pulls = Pulls()
    app.state.asking_providers = asyncio.Semaphore(8)
    app.state.document = openapi.build(API)
    return app


def _routes(operations: Sequence[Operation]) -> list[Route]:
    """Return one route a path: a wrong method is told all that the path takes."""
    paths: dict[str, dict[str, gate.Handler]] = {}
    for one in operations:
        paths.setdefault(f"/api/v1{one.path}", {})[one.method] = gate.handler(one)
    return [
        Route(path, _by_method(handlers), methods=list(handlers))
        for path, handlers in paths.items()
    ]


def _by_method(handlers: Mapping[str, gate.Handler]) -> gate.Handler:
    async def handle(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return handle
