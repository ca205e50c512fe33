"""The route table as a list of endpoints, each by its method and its path."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from security.rules import Rule
from security.world import Answer, Sent, World, as_json
from starlette.routing import Mount, Route

from control_plane.web import app

API_ROOT = "/api/v1"
_PARAMETER = re.compile(r"\{[a-z_]+(?::[a-z]+)?\}")


def operations() -> set[str]:
    """Return every endpoint of the API."""
    return {f"{one.method} {one.path}" for one in app.API}


def pages() -> set[str]:
    """Return every endpoint beside the API."""
    found: set[str] = set()
    for one in app.PAGES:
        if isinstance(one, Route):
            found |= {f"{method} {one.path}" for method in (one.methods or set()) - {"HEAD"}}
        else:
            assert isinstance(one, Mount)
            found.add(f"GET {one.path}")
    return found


def thing(world: World, rule: Rule) -> str:
    """Return the id of a new thing that a request can be about; empty where there is none."""
    world.plane.access.sessions.clear()  # those of earlier requests, which have no container
    found = getattr(world, rule.thing) if rule.thing else ""
    return str(found() if callable(found) else found)


def request(key: str, rule: Rule, named: str, *, of_api: bool) -> tuple[str, str, Sent, bytes]:
    """Return method, address, headers and body of a request about a thing.

    A thing of a thing has both names, with a space between.
    """
    method, _, path = key.partition(" ")
    *outer, inner = named.split() or ["nothing"]
    names = iter(outer)
    address = _PARAMETER.sub(lambda _: quote(next(names, inner)), path) + rule.query
    if path == "/static":
        address += "/portal.js"
    if not of_api:
        return method, address, {"Content-Type": "application/x-www-form-urlencoded"}, b""
    sent, content = as_json(_filled(rule.body or {}, named))
    return method, API_ROOT + address, sent, content


def ask(world: World, key: str, rule: Rule, sent: Sent, *, of_api: bool) -> Answer:
    """Ask about a new thing."""
    method, address, said, content = request(key, rule, thing(world, rule), of_api=of_api)
    return world.ask(method, address, {**said, **sent}, content)


def _filled(body: Mapping[str, object], named: str) -> Mapping[str, object]:
    return {name: named if value == "{}" else value for name, value in body.items()}
