"""How remoteapprest speaks with a portal, and what it makes of a refusal.

Invariant: the portal's certificate is verified in every request, and what a portal says reaches
the terminal escaped.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import httpx

from control_plane.cli import profiles
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
    TooManyError,
    UnavailableError,
)

Json = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_LONGEST = 1000
# A stop answers when the container is gone.
_PATIENCE = httpx.Timeout(60, connect=10)
_REFUSALS: Mapping[int, type[ControlPlaneError]] = {
    401: NotSignedInError,
    403: ForbiddenError,
    404: NotFoundError,
    405: NotSupportedError,
    409: ConflictError,
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


def every(found: httpx.Client, path: str) -> list[Json]:
    """Return all items of a list, page by page."""
    items: list[Json] = []
    while True:
        page = content(ask(found, "GET", path, params={"offset": len(items)}))
        items += page["items"]
        if not page["items"] or len(items) >= page["total"]:
            return items


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
    said, status = _problem(response), response.status_code
    if "detail" not in said:
        return _strange(response)
    message, hint = _text(said["detail"]), _hint(said, status, hint)
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return InvalidError(message, _fields(said), hint)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        seconds = response.headers.get("retry-after", "")
        pause = int(seconds) if seconds.isascii() and seconds.isdecimal() else 0
        return TooManyError(message, pause, f"{hint} It may be tried again after {pause} s.")
    return _REFUSALS.get(status, ControlPlaneError)(message, hint)


def _hint(said: Json, status: int, hint: str) -> str:
    if status == httpx.codes.UNAUTHORIZED:
        return "Sign in again with remoteapprest login URL."
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
