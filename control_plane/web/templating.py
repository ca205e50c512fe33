"""HTML from templates.

Invariant: every value is escaped; a name that a template lacks is an error, never an empty place.
"""

from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from control_plane.web.gate import cookie_caller

_TEMPLATES = Environment(
    loader=FileSystemLoader(str(files("control_plane.web") / "templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(
    request: Request,
    name: str,
    context: Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return the template `name` as an answer; `user` in it is who is signed in, or None.

    A page extends `page.html` and fills its blocks `title`, `head` and `content`. It may use the
    classes `prose` (text in one column), `card`, `facts` (a list of short facts), `muted`, `alert`,
    `button` with `primary`, `quiet` or `danger`, `spread` (a row whose ends lie apart) and
    `scroll` (around a wide table). `table`, `code`, `pre` and `details` are styled as they are.
    The policy allows no inline script, style or handler.
    """
    caller = cookie_caller(request)
    return _page(name, {"user": caller and caller.user, **context}, status, headers)


def render_plainly(name: str, context: Mapping[str, object], status: int) -> HTMLResponse:
    """Return a page without asking who is signed in: for when the fault may lie there."""
    return _page(name, {"user": None, **context}, status, None)


def _page(
    name: str, context: Mapping[str, object], status: int, headers: Mapping[str, str] | None
) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(name).render(context), status, headers)
