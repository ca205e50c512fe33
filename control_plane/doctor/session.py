"""A session of nobody's, started, asked and stopped through nginx, as somebody with a token does.

Invariant: whatever happens meanwhile, the user, the grant, the token and the session are gone
afterwards; the audit log and the ledger keep that they were there.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from control_plane import administration, auth, installed
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.portal_probe import Nginx
from control_plane.doctor.findings import Check, Finding, failed, ok, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.domain.entities import Application, Grantee, Policy, User
from control_plane.domain.names import shown
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor
from control_plane.errors import ControlPlaneError, NotSupportedError

NAME = "session"
_PREFIX = "remoteapp-doctor-"
_ACTOR = Actor("control-plane doctor")
_LIFE = timedelta(minutes=15)
_NOTICED_SECONDS = 10.0  # the service looks for other writers every half second
_STARTING_SECONDS = 30.0  # beside what the engine may take by the settings
_POLL = 0.25
_API = "/api/v1/sessions"
_REMEDY = f"journalctl -u {SERVICE} --since -5min"


class _FailedError(ControlPlaneError):
    """A step did not go as it must."""


def check(image: str) -> Check:
    """Return the check that starts this image for a user of its own."""
    return Check(NAME, lambda one: _look(one, image), _REMEDY)


def _look(one: Installation, image: str) -> Iterator[Finding]:
    if one.settings.auth.allow_list_file:
        told = "Not looked at: the allow list lets nobody else in."
        yield warning(told, "remoteapprest login, then: remoteapprest app start GRANT_ID --wait")
    elif image not in one.images:
        told = f"Not looked at: the engine does not have the image {shown(image)}."
        yield warning(told, f"docker pull {shown(image)}, or name one that is there: --session")
    else:
        yield _tried(one, image)


def _tried(one: Installation, image: str) -> Finding:
    begun = time.monotonic()
    try:
        with one.as_service(), _guest(_books(one), image) as (grant_id, token):
            trusted = one.places.certificates / "server.pem"
            with closing(Nginx(one.settings.public_url, trusted, token)) as nginx:
                patience = one.settings.engine.start_timeout + _STARTING_SECONDS
                _walk(nginx, grant_id, patience)
    except NotSupportedError as error:
        return warning(f"Not looked at: {error.message}", "Start an application in the browser.")
    except _FailedError as error:
        return failed(error.message, error.hint or _REMEDY)
    seconds = time.monotonic() - begun
    return ok(f"{shown(image)} was started, asked through nginx and stopped in {seconds:.1f} s.")


def _books(one: Installation) -> Books:
    settings = one.settings
    return Books(
        installed.site(settings, b""),
        one.stores.accounting,
        one.stores.records,
        PamHost(settings.auth.pam_service),
        installed.folders(settings),
        Argon2Passwords(),
        lambda: datetime.now(UTC),
    )


@contextmanager
def _guest(books: Books, image: str) -> Iterator[tuple[str, str]]:
    """Give the grant and the token of a user of that moment, who has no home."""
    _clear(books)
    user = User(f"{_PREFIX}{secrets.token_hex(4)}", "virtual")
    known = [one for one in books.accounting.applications() if one.image == image]
    made = administration.create_user(books, _ACTOR, user, None)
    try:
        application = known[0] if known else _application(books, image)
        policy = Policy(max_lifetime=int(_LIFE.total_seconds()))
        grantee = Grantee("user", made.name)
        grant = administration.grant(books, _ACTOR, grantee, application.id, policy)
        now = books.clock()
        scopes = ("sessions:read", "sessions:write")
        token, value = auth.made_token(made.name, "doctor", scopes, now, now + _LIFE)
        books.records.add_token(token)
        yield grant.id, value
    finally:
        _clear(books)
        if not known:
            _forget(books, image)


def _application(books: Books, image: str) -> Application:
    made = Application(secrets.token_hex(16), image)
    return administration.create_application(books, _ACTOR, made)


def _forget(books: Books, image: str) -> None:
    for one in books.accounting.applications():
        if one.image == image:
            administration.remove_application(books, _ACTOR, one.id)


def _clear(books: Books) -> None:
    """Remove the users of this check, one that was cut short left too."""
    for user in books.accounting.users():
        if user.name.startswith(_PREFIX):
            administration.remove_user(
                books, _ACTOR, user.name, home=None, keep_running=False, dry_run=False
            )


def _walk(nginx: Nginx, grant_id: str, patience: float) -> None:
    session = _started(nginx, grant_id)
    path = f"{_API}/{session['id']}"
    try:
        ready = _until_ready(nginx, path, patience)
        answer = nginx.ask("GET", urlsplit(ready["url"]).path)
        if not answer.is_success:
            raise _FailedError(
                f"It is ready, and through nginx it answers {answer.status_code}.",
                "control-plane doctor --only routes --only firewall",
            )
    finally:
        gone = nginx.ask("DELETE", path)
    _must(gone, httpx.codes.NO_CONTENT, "It cannot be stopped")


def _started(nginx: Nginx, grant_id: str) -> Any:
    """Start once the service has noticed the user."""
    until = time.monotonic() + _NOTICED_SECONDS
    answer = nginx.ask("POST", _API, {"grant_id": grant_id})
    while answer.status_code == httpx.codes.UNAUTHORIZED and time.monotonic() < until:
        time.sleep(_POLL)
        answer = nginx.ask("POST", _API, {"grant_id": grant_id})
    _must(answer, httpx.codes.ACCEPTED, "It cannot be started")
    return answer.json()


def _until_ready(nginx: Nginx, path: str, patience: float) -> Any:
    until = time.monotonic() + patience
    while True:
        answer = nginx.ask("GET", path)
        _must(answer, httpx.codes.OK, "It cannot be looked at")
        found = answer.json()
        if found["state"] == "ready":
            return found
        if found["state"] != "starting" or time.monotonic() > until:
            failure = found.get("failure") or {"message": f"It is {found['state']} for too long."}
            raise _FailedError(f"It does not start: {shown(failure['message'], 300)}", _REMEDY)
        time.sleep(_POLL)


def _must(answer: httpx.Response, status: int, what: str) -> None:
    if answer.status_code != status:
        told = shown(answer.text, 300)
        raise _FailedError(f"{what}: the portal answers {answer.status_code}: {told}", _REMEDY)
