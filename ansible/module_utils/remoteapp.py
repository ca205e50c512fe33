"""How the modules speak with a portal's HTTP API, and what they make of its answers.

Invariant: the portal's certificate is verified in every request and the token goes to no other
address; nothing that is returned holds a password, a licence or the token. It runs on Python 3.9.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.urls import open_url

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTION = {
    "url": {"type": "str", "required": True},
    "token": {
        "type": "str",
        "required": True,
        "no_log": True,
        "fallback": (env_fallback, ["REMOTEAPP_TOKEN"]),
    },
    "ca_file": {"type": "path"},
}
_PATIENCE = 60  # seconds for one answer
_TRIES = 3
_LONGEST_PAUSE = 30  # seconds between two of them
_PRECONDITION, _NOT_FOUND = 412, 404
_BUSY = (429, 503)
_ADVICE = {
    401: "Make a token with: remoteapprest login URL --admin.",
    403: "The token needs the scopes admin:read and admin:write of an administrator.",
    405: "Accounting of this portal is only read, so it is changed where it is kept.",
    412: "Somebody else changes it at the same time; run it again.",
    429: "Run it again later.",
    503: "A part of the portal is away; run it again when its /readyz says it is ready.",
}


class RefusedError(Exception):
    """What the portal refused, or why it was not asked: a sentence, and the problem it sent."""

    def __init__(
        self, message: str, status: int = 0, problem: dict[str, Any] | None = None
    ) -> None:
        """Keep the HTTP status, 0 without an answer."""
        super().__init__(message)
        self.status = status
        self.problem = problem or {}


@dataclass(frozen=True)
class Found:
    """Something as the portal holds it, and the tag that a change of it names."""

    fields: dict[str, Any]
    tag: str


@dataclass(frozen=True)
class Wish:
    """How something is to be; `new` is sent as well where it is created."""

    collection: str
    name: str
    fields: dict[str, Any]
    new: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What was and what is now, as far as they differ, and the thing itself while it is there.

    `report` is what the portal told of a removal.
    """

    name: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    thing: dict[str, Any] | None = None
    report: dict[str, Any] | None = None


class Portal:
    """The administration of a portal, by its HTTP API."""

    def __init__(self, url: str, token: str, ca_file: str | None) -> None:
        """Refuse any address that is not https."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
            raise RefusedError(f"url: {url} is not an address such as https://remote.example.org.")
        self._admin = f"{url.rstrip('/')}/api/v1/admin/"
        self._token, self._ca_file = token, ca_file

    def one(self, *place: str) -> Found | None:
        """Return what lies at a place of the administration, or None."""
        try:
            fields, tag = self._asked_again("GET", place)
        except RefusedError as error:
            if error.status == _NOT_FOUND and error.problem:
                return None
            raise
        return Found(fields, tag)

    def every(self, collection: str, **filters: str) -> list[dict[str, Any]]:
        """Return the whole list, page by page."""
        items: list[dict[str, Any]] = []
        while True:
            query = {**filters, "offset": str(len(items)), "limit": "100"}
            page, _ = self._asked_again("GET", (collection,), query=query)
            items += page["items"]
            if not page["items"] or len(items) >= page["total"]:
                return items

    def create(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make something; return it."""
        return self._asked("POST", (collection,), body=body)[0]

    def change(self, collection: str, found: Found, body: dict[str, Any]) -> Found:
        """Change something unless somebody else did since it was found; return it as it is now."""
        place = (collection, found.fields["id"])
        return Found(*self._asked("PATCH", place, body=body, tag=found.tag))

    def remove(self, *place: str, **query: str) -> dict[str, Any]:
        """Remove something; return what the portal tells of that, perhaps nothing."""
        return self._asked("DELETE", place, query=query)[0]

    def _asked_again(
        self, method: str, place: tuple[str, ...], **what: Any
    ) -> tuple[dict[str, Any], str]:
        """Ask, and wait as the portal says while it is busy; only for what changes nothing."""
        for _ in range(_TRIES - 1):
            try:
                return self._asked(method, place, **what)
            except RefusedError as error:
                if error.status not in _BUSY:
                    raise
                time.sleep(min(error.problem.get("retry_after", 1), _LONGEST_PAUSE))
        return self._asked(method, place, **what)

    def _asked(
        self,
        method: str,
        place: tuple[str, ...],
        *,
        body: dict[str, Any] | None = None,
        tag: str = "",
        query: dict[str, str] | None = None,
    ) -> tuple[dict[str, Any], str]:
        url = self._admin + "/".join(quote(one, safe="") for one in place)
        url += f"?{urlencode(query)}" if query else ""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        headers.update({"Content-Type": "application/json"} if body is not None else {})
        headers.update({"If-Match": tag} if tag else {})
        try:
            answer = open_url(
                url,
                method=method,
                headers=headers,
                data=None if body is None else json.dumps(body),
                validate_certs=True,
                ca_path=self._ca_file,
                follow_redirects="none",
                use_netrc=False,
                timeout=_PATIENCE,
                http_agent="remoteapp-ansible",
            )
            content = answer.read()
        except HTTPError as error:
            raise _refusal(url, error) from error
        except (OSError, ValueError) as error:
            raise RefusedError(_unreachable(self._admin, error)) from error
        return _content(url, content), answer.headers.get("ETag", "")


def run(
    returned: str,
    options: dict[str, Any],
    ensure: Callable[[Portal, dict[str, Any], bool], Outcome],
    **rules: Any,
) -> None:
    """Be a module of these options: tell what `ensure(portal, options, check mode)` did.

    `returned` is how it calls the thing; `rules` are those of AnsibleModule.
    """
    module = AnsibleModule({**CONNECTION, **options}, supports_check_mode=True, **rules)
    given = module.params
    try:
        portal = Portal(given["url"], given["token"], given["ca_file"])
        outcome = _settled(lambda: ensure(portal, given, module.check_mode))
    except RefusedError as error:
        module.fail_json(msg=str(error), status=error.status, errors=_errors(error.problem))
    told = _told(outcome, returned)
    for sentence in (outcome.thing or {}).get("warnings", []) if told["changed"] else []:
        module.warn(f"{outcome.name}: {sentence}")
    module.exit_json(**told)


def fulfilled(portal: Portal, found: Found | None, wish: Wish, *, check: bool) -> Outcome:
    """Create what is not there, or change in it what differs from the wish."""
    if found:
        return changed(portal, found, wish, check=check)
    made = dict(wish.fields)
    if not check:
        made = portal.create(wish.collection, {**wish.fields, **wish.new})
    return Outcome(wish.name, {}, wish.fields, made)


def changed(  # noqa: PLR0913 - what goes with a change is the thing's own
    portal: Portal,
    found: Found,
    wish: Wish,
    *,
    check: bool,
    also: dict[str, Any] | None = None,
    secret: dict[str, Any] | None = None,
) -> Outcome:
    """Change what differs from the wish; `also` is sent with a change.

    A `secret` cannot be compared: it is a change by itself, which is told without it.
    """
    before, after = differences(found.fields, wish.fields)
    now = {**found.fields, **after}
    if (after or secret) and not check:
        body = {**after, **(also or {}), **(secret or {})}
        now = portal.change(wish.collection, found, body).fields
    hidden = dict.fromkeys(secret or (), "as it was"), dict.fromkeys(secret or (), "set anew")
    return Outcome(wish.name, {**before, **hidden[0]}, {**after, **hidden[1]}, now)


def removed(portal: Portal, found: Found | None, wish: Wish, *, check: bool) -> Outcome:
    """Remove what is there."""
    if found and not check:
        portal.remove(wish.collection, found.fields["id"])
    return Outcome(wish.name, found.fields if found else {})


def differences(
    before: dict[str, Any], after: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both with only those fields of `after` in which they differ."""
    names = [name for name in after if before[name] != after[name]]
    return {name: before[name] for name in names}, {name: after[name] for name in names}


def given_of(params: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the options that were given."""
    return {name: params[name] for name in names if params[name] is not None}


def _settled(act: Callable[[], Outcome]) -> Outcome:
    """Do it anew where somebody else was faster: what was refused so has changed nothing."""
    for _ in range(_TRIES - 1):
        try:
            return act()
        except RefusedError as error:
            if error.status != _PRECONDITION:
                raise
    return act()


def _told(outcome: Outcome, returned: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "changed": outcome.before != outcome.after,
        "diff": {
            "before": outcome.before,
            "after": outcome.after,
            "before_header": outcome.name,
            "after_header": outcome.name,
        },
    }
    extra = {returned: outcome.thing, "report": outcome.report}
    told.update({name: value for name, value in extra.items() if value is not None})
    return told


def _content(url: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content) if content else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RefusedError(f"{url} did not answer as a portal does; check the url.")
    return found


def _refusal(url: str, error: HTTPError) -> RefusedError:
    """Return what the portal said was wrong, where, what is allowed and what to do."""
    problem = _problem(error)
    if not problem:
        away = f"{url} answered {error.code}, not as a portal does"
        return RefusedError(f"{away}; check the url, or try again soon.", error.code)
    pause = error.headers.get("Retry-After") or ""
    if pause.isdecimal():
        problem["retry_after"] = int(pause)
    wrong = "; ".join(f"{one['field']}: {one['message']}" for one in _errors(problem))
    reference = problem.get("reference")
    parts = (
        str(problem.get("detail") or problem.get("title") or "The portal refused it."),
        f"{wrong}." if wrong else "",
        problem.get("hint") or "",
        _ADVICE.get(error.code, ""),
        f"Reference: {reference}." if reference else "",
    )
    return RefusedError(" ".join(one for one in parts if one), error.code, problem)


def _problem(error: HTTPError) -> dict[str, Any]:
    if not (error.headers.get("Content-Type") or "").startswith("application/problem+json"):
        return {}
    try:
        found = json.loads(error.read())
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _errors(problem: dict[str, Any]) -> list[dict[str, str]]:
    return [dict(one) for one in problem.get("errors") or ()]


def _unreachable(admin: str, error: Exception) -> str:
    address = urlsplit(admin)
    why = error.reason if isinstance(error, URLError) else error
    advice = "Check url and the network."
    if "CERTIFICATE_VERIFY_FAILED" in str(why):
        advice = "If the portal has a CA of its own, name its file in ca_file."
    return f"https://{address.netloc} cannot be reached: {why}. {advice}"
