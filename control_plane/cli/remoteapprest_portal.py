"""How remoteapprest speaks with a portal, and what it makes of a refusal.

Invariant: the portal's certificate is verified in every request, and what a portal says reaches
the terminal escaped.
"""

import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote

import click
import httpx

from control_plane.cli import profiles
from control_plane.cli.tables import Form, show
from control_plane.domain.names import shown
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
    NotSupportedError,
    PreconditionError,
    TooLargeError,
    TooManyError,
    UnavailableError,
)

Json = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_LONGEST = 1000
_TRIES = 4
ADMINISTRATION = " admin:"  # how the scopes begin that a refusal names
# A stop answers when the container is gone.
_PATIENCE = httpx.Timeout(60, connect=10)
_REFUSALS: Mapping[int, type[ControlPlaneError]] = {
    401: NotSignedInError,
    403: ForbiddenError,
    404: NotFoundError,
    405: NotSupportedError,
    409: ConflictError,
    412: PreconditionError,
    413: TooLargeError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}

as_json = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")


def profile_name(ctx: click.Context) -> str:
    """Return what `--profile` says."""
    return str(ctx.find_root().params["profile"])


def profile_of(ctx: click.Context) -> profiles.Profile:
    """Return the profile of this command; NotSignedInError when there is none."""
    name = profile_name(ctx)
    found = profiles.load(name)
    if found is None:
        raise NotSignedInError(
            f"The profile {shown(name)} is not signed in anywhere.",
            "Sign in with remoteapprest login URL.",
        )
    return found


def portal(ctx: click.Context) -> httpx.Client:
    """Return a client of the profile's portal, open until the command ends."""
    found = profile_of(ctx)
    return ctx.with_resource(client(found.url, found.ca, found.token))


def client(url: str, ca: str | None, token: str = "") -> httpx.Client:
    """Return a client of the API at `url`; with `ca`, certificates of that file alone count."""
    return httpx.Client(
        base_url=f"{url}/api/v1",
        verify=_trust(ca),
        headers={"Authorization": f"Bearer {token}"} if token else None,
        timeout=_PATIENCE,
    )


def ask(
    found: httpx.Client, method: str, path: str, *, hint: str = "", **what: Any
) -> httpx.Response:
    """Send a request and return its answer; a refusal is raised, a 404 with this `hint`."""
    try:
        return checked(found.request(method, path, **what), hint)
    except httpx.TransportError as error:
        raise unreachable(found, error) from error


def checked(response: httpx.Response, hint: str = "") -> httpx.Response:
    """Return the answer if it is a success; else raise what it says."""
    if response.is_success:
        return response
    response.read()
    raise _refusal(response, hint)


def content(response: httpx.Response) -> Json:
    """Return the JSON object of an answer."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _strange(response)
    return found


def every(found: httpx.Client, path: str, *, hint: str = "", **filters: object) -> list[Json]:
    """Return all items of a list, page by page; a filter that is None or empty is none.

    A 404 is raised with this `hint`.
    """
    items: list[Json] = []
    wanted = {name: value for name, value in filters.items() if value not in (None, "")}
    while True:
        part = {**wanted, "offset": len(items)}
        page = content(ask(found, "GET", path, hint=hint, params=part))
        items += page["items"]
        if not page["items"] or len(items) >= page["total"]:
            return items


def amend(found: httpx.Client, path: str, change: Callable[[Json], Json], *, hint: str) -> Json:
    """Send what `change` makes of a thing as it is; return the thing as it is then.

    Where somebody else was faster, it is read again; PreconditionError after a few times.
    """
    for _ in range(_TRIES):
        with suppress(PreconditionError):
            return _amended(found, path, change, hint)
    return _amended(found, path, change, hint)


def refusal(said: Json, hint: str = "", pause: int = 0) -> ControlPlaneError:
    """Return the error that a problem tells of; `pause` is in seconds, where it is one."""
    status = said["status"]
    message, hint = _text(said["detail"]), _hint(said, status, hint)
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return InvalidError(message, _fields(said), hint)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return TooManyError(message, pause, f"{hint} It may be tried again after {pause} s.")
    return _REFUSALS.get(status, ControlPlaneError)(message, hint)


def segment(text: object) -> str:
    """Return an id as one segment of a path."""
    return quote(str(text), safe="")


def tell(value: Json, sentence: str, *, as_json: bool) -> None:
    """Print a sentence for people, or the value for programs."""
    if as_json:
        tell_json(value)
    else:
        click.echo(sentence)


def tell_list(
    columns: Sequence[str], items: Sequence[Json], rows: Sequence[Json], form: Form
) -> None:
    """Print the columns of the rows; for programs the items as the portal sent them."""
    if form == "json":
        tell_json(items)
    else:
        show(columns, [{name: _joined(one[name]) for name in columns} for one in rows], form)


def tell_one(columns: Sequence[str], item: Json, form: Form) -> None:
    """Print these fields of one thing, a line each; for programs the whole."""
    rows = [{"field": name, "value": _joined(item[name])} for name in columns]
    if form == "json":
        tell_json(item)
    else:
        show(("field", "value"), rows, form)


def tell_json(value: object) -> None:
    """Print a value for programs."""
    click.echo(json.dumps(value, indent=2))


def unreachable(found: httpx.Client, error: httpx.TransportError) -> UnavailableError:
    """Return why no answer came."""
    url = str(found.base_url).removesuffix("/api/v1/")
    if doubt := _doubt(error):
        return UnavailableError(
            f"The certificate of {url} is not trusted: {doubt}.",
            "If the portal has a CA of its own: remoteapprest login URL --ca FILE.",
        )
    why = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error)
    return UnavailableError(
        f"{url} cannot be reached: {shown(why, _LONGEST)}.", "Check the address and the network."
    )


def _joined(value: object) -> object:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else value


def _amended(found: httpx.Client, path: str, change: Callable[[Json], Json], hint: str) -> Json:
    seen = ask(found, "GET", path, hint=hint)
    fields, unchanged = change(content(seen)), {"If-Match": seen.headers.get("etag", "*")}
    return content(ask(found, "PATCH", path, hint=hint, json=fields, headers=unchanged))


def _doubt(error: BaseException | None) -> str:
    """Return what is wrong with the certificate, where that is why; httpx tells it as a cause."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return _doubt(error.__cause__ or error.__context__) if error else ""


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ControlPlaneError(
            f"The CA file {ca} cannot be used: {error.strerror}.", "Give a PEM file with --ca."
        ) from error


def _refusal(response: httpx.Response, hint: str) -> ControlPlaneError:
    said = _problem(response)
    seconds = response.headers.get("retry-after", "")
    pause = int(seconds) if seconds.isascii() and seconds.isdecimal() else 0
    if "detail" not in said:
        return _strange(response)
    return refusal({**said, "status": response.status_code}, hint, pause)


def _hint(said: Json, status: int, hint: str) -> str:
    if status == httpx.codes.UNAUTHORIZED:
        return "Sign in again with remoteapprest login URL."
    if status == httpx.codes.FORBIDDEN and ADMINISTRATION in str(said["detail"]):
        return "As an administrator, sign in again with remoteapprest login URL --admin."
    if status == httpx.codes.NOT_FOUND and hint:
        return hint
    running = ", ".join(_text(one["id"]) for one in said.get("sessions") or ())
    parts = (
        _text(said.get("hint") or ""),
        f"Running: {running}." if running else "",
        f"Reference: {_text(said['reference'])}." if said.get("reference") else "",
    )
    return " ".join(part for part in parts if part)


def _fields(said: Json) -> list[FieldError]:
    return [
        FieldError(_text(one["field"]), _text(one["message"])) for one in said.get("errors") or ()
    ]


def _problem(response: httpx.Response) -> Json:
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return {}
    return content(response)


def _strange(response: httpx.Response) -> ControlPlaneError:
    kind = _REFUSALS.get(response.status_code, ControlPlaneError)
    away = issubclass(kind, UnavailableError)
    return (kind if away else ControlPlaneError)(
        f"{response.request.url} answered {response.status_code}, not as a portal does.",
        "Try again soon." if away else "Check that this is the address of a Remoteapp portal.",
    )


def _text(value: object) -> str:
    return shown(str(value), _LONGEST) if value != "" else ""
