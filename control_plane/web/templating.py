"""HTML from templates, in the visitor's language.

Invariant: every value is escaped; a name that a template lacks is an error, never an empty place.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files

from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from control_plane.domain.face import origin
from control_plane.web import face, words
from control_plane.web import language as languages
from control_plane.web.gate import cookie_caller
from control_plane.web.language import Language
from control_plane.web.middleware import widen


def render_page(
    request: Request,
    name: str,
    context: Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return the template `name` as an answer; `user` in it is who is signed in, or None.

    `look` is the site's own face.

    A page extends `page.html` and fills its blocks `title`, `head` and `content`. Its own text
    stands in `_("…")` or `{% trans %}`; a sentence that Python made goes through the filter `said`,
    a time through the filter `moment`.
    It may use the classes `prose` (text in one column), `card`, `facts` (a list of short facts),
    `muted`, `alert`, `notice`, `button` with `primary`, `quiet` or `danger`, `spread` (a row whose
    ends lie apart) and `scroll` (around a wide table). `table`, `code`, `pre` and `details` are
    styled as they are. The policy allows no inline script, style or handler.
    """
    caller = cookie_caller(request)
    administers = bool(caller and "admin:read" in caller.scopes)
    who = {"user": caller and caller.user, "administers": administers}
    return _page(request, name, {**who, **context}, status, headers)


def render_plainly(
    request: Request, name: str, context: Mapping[str, object], status: int
) -> HTMLResponse:
    """Return a page without asking who is signed in: for when the fault may lie there."""
    shown = {"user": None, "administers": False, **context}
    return _page(request, name, shown, status, None)


def _page(
    request: Request,
    name: str,
    context: Mapping[str, object],
    status: int,
    headers: Mapping[str, str] | None,
) -> HTMLResponse:
    language, look = languages.of(request), face.of(request)
    shown = {"path": request.url.path, "look": look, **context}
    content = _templates(language.tag).get_template(name).render(shown)
    answer = HTMLResponse(content, status, headers)
    answer.headers.append("Content-Language", language.tag)
    answer.headers.append("Vary", languages.DEPENDS)
    if look.consent.script:
        widen(answer, dict.fromkeys(("script-src", "connect-src"), origin(look.consent.script)))
    return answer


@cache
def _templates(tag: str) -> Environment:
    """Return the templates of one language."""
    made = Environment(
        loader=FileSystemLoader(str(files("control_plane.web") / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    language = languages.languages()[tag]
    made.policies["ext.i18n.trimmed"] = True
    # The extension gives the environment this verb, which its types do not tell.
    made.install_gettext_translations(language.catalogue, newstyle=True)  # type: ignore[attr-defined] # the extension adds it
    made.globals |= {"language": language, "languages": languages.languages()}
    made.filters |= {
        "said": language.sentence,
        "number": language.number,
        "size": lambda count: language.value(words.size(count)),
        "lasting": lambda seconds: language.value(words.lasting(seconds)),
    }
    made.filters |= {"moment": moment, "day": day, "hours": _hours_in(language)}
    return made


def day(one: date) -> Markup:
    """Return a day of the calendar; times.js writes it in the visitor's language."""
    told = one.strftime("%Y-%m-%d")
    return Markup('<time datetime="{}" data-form="day">{}</time>').format(told, told)


def _hours_in(language: Language) -> Callable[..., str]:
    """Return what writes hours with one decimal and their unit, which may be empty."""

    def hours(count: float, unit: str = "h") -> str:
        number = format_decimal(count, "#,##0.0", language.locale)
        return f"{number}\N{NO-BREAK SPACE}{unit}" if unit else number

    return hours


def moment(at: datetime, form: str = "short") -> Markup:
    """Return a time in UTC; times.js writes it in the visitor's zone: short, long or relative."""
    told = at.astimezone(UTC)
    return Markup('<time datetime="{}" data-form="{}">{} UTC</time>').format(
        told.isoformat(), form, told.strftime("%Y-%m-%d %H:%M")
    )
