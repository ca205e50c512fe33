"""Where every page is: an example or more for each route of the product's table of contents."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from portal_pages.hostile import NAMES, SCIENTIST, Examples
from starlette.routing import Route

from control_plane.domain.entities import State
from control_plane.web.app import PAGES

# Routes that answer a GET with something else than a page of their own.
NO_PAGES = frozenset(
    {
        "/login/{source}",  # leads on to a provider
        "/login/{source}/callback",  # leads on into the portal
        "/api/v1/signin-methods",
        "/api/v1/openapi.json",
        "/healthz",
        "/readyz",
        "/internal/authorise",
        "/internal/away",
        "/admin/events",
        "/admin/applications/{id}/icon",
        "/face/{file}",  # the site's own logo and colours
        "/sessions/{id}/tab",  # leads on into the application
        "/sessions/{id}/told",
        "/internal/arrive",  # a page for the frame alone
        "/applications/{grant_id}/start",  # leads back to the catalogue
    }
)
# Pages for those who are not signed in, too.
OPEN = ("/login", "/api/docs", "/share/{share}")
STRANGE = quote(NAMES[0])
# What a person may search for, and the portal repeats.
SOUGHT = quote("".join(NAMES[:5]))


def routes() -> list[str]:
    """Return the path of every route that a browser may look at."""
    return [one.path for one in PAGES if isinstance(one, Route) and "GET" in (one.methods or ())]


def examples(made: Examples, visitor: str = SCIENTIST) -> Mapping[str, Sequence[str]]:
    """Return the addresses to look at, by route; sessions are the visitor's own."""
    some = made.applications
    own = {state: made.sessions[visitor, state] for state in State}
    visits = made.visits[visitor]
    return {
        "/": ("/",),
        "/login": (f"/login?next=/{SOUGHT}",),
        "/login/token": (f"/login/token?name={STRANGE}",),
        "/applications/{grant_id}/files": (f"/applications/{made.grants[visitor]}/files",),
        "/sessions/{id}": tuple(f"/sessions/{one}" for one in (*own.values(), *visits)),
        "/sessions/{id}/share": tuple(f"/sessions/{one}/share" for one in own.values()),
        "/share/{share}": (f"/share/{made.link[0]}",),
        "/sessions/{id}/log": (f"/sessions/{own[State.READY]}/log",),
        "/sessions/{id}/stop": (f"/sessions/{own[State.READY]}/stop",),
        "/account": ("/account", "/account?done=revoked"),
        "/account/tokens/{id}/remove": (f"/account/tokens/{made.tokens[visitor]}/remove",),
        "/account/sign-out": ("/account/sign-out",),
        "/admin": ("/admin",),
        "/admin/": ("/admin/",),
        "/admin/users": ("/admin/users", f"/admin/users?q={SOUGHT}", "/admin/users?sort=-name"),
        "/admin/users/new": ("/admin/users/new",),
        "/admin/users/{id}": (f"/admin/users/{SCIENTIST}", f"/admin/users/{STRANGE}"),
        "/admin/users/{id}/disable": (f"/admin/users/{SCIENTIST}/disable",),
        "/admin/users/{id}/remove": (f"/admin/users/{SCIENTIST}/remove",),
        "/admin/groups": ("/admin/groups",),
        "/admin/groups/new": ("/admin/groups/new",),
        "/admin/groups/{id}": (f"/admin/groups/{STRANGE}",),
        "/admin/groups/{id}/remove": (f"/admin/groups/{STRANGE}/remove",),
        "/admin/applications": ("/admin/applications", f"/admin/applications?q={SOUGHT}"),
        "/admin/applications/new": ("/admin/applications/new",),
        "/admin/applications/{id}": tuple(f"/admin/applications/{one}" for one in some),
        "/admin/applications/{id}/remove": (f"/admin/applications/{some[0]}/remove",),
        "/admin/grants": ("/admin/grants", f"/admin/grants?user={STRANGE}"),
        "/admin/grants/new": ("/admin/grants/new", f"/admin/grants/new?user={STRANGE}"),
        "/admin/grants/revoke": (f"/admin/grants/revoke?id={made.barred}",),
        "/admin/grants/{id}": (f"/admin/grants/{made.barred}",),
        "/admin/sessions": ("/admin/sessions", f"/admin/sessions?q={SOUGHT}"),
        "/admin/sessions/stop": (f"/admin/sessions/stop?id={own[State.READY]}",),
        "/admin/sessions/{id}": tuple(f"/admin/sessions/{one}" for one in own.values()),
        "/admin/images": ("/admin/images", f"/admin/images?q={SOUGHT}"),
        "/admin/images/remove": ("/admin/images/remove?name=lab/hostile0:1",),
        "/admin/usage": ("/admin/usage", "/admin/usage?by=application&days=90"),
        "/admin/audit": ("/admin/audit", f"/admin/audit?actor={SOUGHT}"),
        "/admin/announcement": ("/admin/announcement",),
        "/api/docs": ("/api/docs",),
        # No route at all: the page that says so.
        "": (f"/nowhere/{STRANGE}",),
    }
