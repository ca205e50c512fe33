"""Starting from a form: of the catalogue, and of a session that is to be started again.

Invariant: what was chosen is never lost: a refused start, or a question, shows it again.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session
from control_plane.errors import ConflictError, InvalidError, StartError
from control_plane.web import catalogue_page, forms, render
from control_plane.web.forms import Form
from control_plane.web.gate import plane_of, require_own_origin
from control_plane.web.signing_in import signed_in
from control_plane.web.start_form import FIELDS, KEPT, options_of
from control_plane.web.templating import render_page


async def come(request: Request) -> Response:
    """GET /applications/{grant_id}/start: whoever had to sign in first chooses again."""
    signed_in(request)
    return RedirectResponse("/", 303)


async def start(request: Request) -> Response:
    """POST /applications/{grant_id}/start: 303 to the session, or a page that asks or complains."""
    require_own_origin(request)
    caller, form = signed_in(request), await forms.sent(request, FIELDS)
    return await run_in_threadpool(_started, request, caller, form)


def _started(request: Request, caller: Caller, form: Form) -> Response:
    plane, grant_id = plane_of(request), request.path_params["grant_id"]
    chosen, instead = options_of(form), bool(form.text("instead"))
    fitted = form.text("resolution") == "window" and "resolution" in chosen
    try:
        session = sessions.begin(plane, caller, grant_id, chosen, instead=instead, fitted=fitted)
    except (ConflictError, InvalidError, StartError) as error:
        if isinstance(error, ConflictError) and error.details:
            return _question(request, form, error)
        refused = form.refuse(error)
        refusal = catalogue_page.Refusal(grant_id, refused, render.status_of(error))
        return catalogue_page.shown(request, refusal)
    return RedirectResponse(f"/sessions/{session.id}", 303)


def _question(request: Request, form: Form, error: ConflictError) -> Response:
    """Ask what is to become of what stands in the way."""
    grant_id = request.path_params["grant_id"]
    found = [one for one in error.details if isinstance(one, Session)]
    same = bool(found) and all(one.grant_id == grant_id for one in found)
    context = {
        "name": found[0].application if same else "",
        "same": same,
        "kept": {name: form.text(name) for name in (*KEPT, "window") if form.text(name)},
        "error": error,
        "sessions": render.sessions(plane_of(request), found),
    }
    return render_page(request, "start_conflict.html", context, 409)
