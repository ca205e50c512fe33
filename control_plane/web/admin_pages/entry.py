"""Who comes to the pages of administration, and how an act on them ends.

Invariant: a page changes something only for an administrator whose browser says that the portal's
own page sent the form; what a page says is done is in force for the next request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import lifecycle
from control_plane.domain.access import Caller
from control_plane.domain.ports import Books, Plane
from control_plane.domain.roles import Actor
from control_plane.errors import ControlPlaneError, ForbiddenError, NotFoundError
from control_plane.web import gate
from control_plane.web.forms import Form
from control_plane.web.operations import Call
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page

LOOK, CHANGE = "admin:read", "admin:write"
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Visit:
    """One administrator's request for one page."""

    request: Request
    plane: Plane
    caller: Caller

    @property
    def actor(self) -> Actor:
        """The visitor as the audit log and the rules of administration see them."""
        return self.call.actor

    @property
    def call(self) -> Call:
        """The visit as the endpoints of the API see a request, without query and body."""
        request, address = self.request, gate.client_address(self.request)
        path, headers = request.path_params, request.headers
        return Call(self.plane, self.caller, path, None, headers, None, address)

    @property
    def books(self) -> Books:
        """What the use cases of administration are given."""
        return self.plane.books

    def named(self, name: str = "id") -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def page(self, name: str, context: Mapping[str, object], form: Form | None = None) -> Response:
        """Return a page; 422 where its form was refused."""
        shown = {
            "section": name.partition("/")[2].partition("_")[0].removesuffix(".html"),
            "done": self.request.query_params.get("done", ""),
            "writable": self.plane.accounting.writable,
            "form": form,
            **context,
        }
        return render_page(self.request, name, shown, 422 if form and form.refused else 200)


def look(request: Request) -> Visit:
    """Let an administrator look; ForbiddenError for anybody else."""
    return _visit(request, LOOK)


def change(request: Request) -> Visit:
    """Let an administrator act by a form of ours; ForbiddenError."""
    gate.require_own_origin(request)
    return _visit(request, CHANGE)


async def attempt(visit: Visit, form: Form, act: Callable[[], object]) -> Form:
    """Act; return the form, with what was refused where it was."""
    try:
        await run_in_threadpool(act)
    except NotFoundError as error:
        if not form.fields:
            raise
        return form.refuse(error)
    except ControlPlaneError as error:
        return form.refuse(error)
    await run_in_threadpool(lifecycle.refresh, visit.plane)
    return form


def content_of(model: type[M], form: Form) -> M:
    """Return what a form holds as the API's body of it; InvalidError names its bad fields."""
    return gate.checked(model, form.content(), "Some fields have to be put right.")


def leads_to(path: str, done: str) -> Response:
    """Lead on after an act; the page says by a word of its own what was `done`."""
    sign = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{sign}{urlencode({'done': done})}", 303)


def _visit(request: Request, scope: str) -> Visit:
    caller = signed_in(request)
    if scope not in caller.scopes:
        raise ForbiddenError("These pages are for administrators.", "Ask one for what you need.")
    return Visit(request, gate.plane_of(request), caller)
