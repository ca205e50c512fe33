"""Every endpoint of the route table, asked by everybody, about their own and about others'."""

from collections.abc import Callable

import pytest
from security import rules, table
from security.rules import Rule, To
from security.world import (
    ADMINISTRATOR,
    ORIGIN,
    OWNER,
    SHAREE,
    STRANGER,
    Answer,
    Sent,
    World,
    every_scope,
)

from control_plane.domain.entities import SCOPES, ShareAccess

SIGN_IN = "to the sign-in page"
# What somebody sends about a thing.
Visitor = Callable[[World, str], Sent]
Seen = int | str


def _browser(name: str) -> Visitor:
    return lambda world, _: world.browser(name)


def _token(name: str, scope: str) -> Visitor:
    return lambda world, _: world.program(name, scope)


def _any_token(name: str) -> Visitor:
    return lambda world, _: every_scope(world, name)


def _sharee(access: ShareAccess, sends: Visitor) -> Visitor:
    """Let bob into the thing, where it is a session."""

    def sent(world: World, thing: str) -> Sent:
        if (session_id := thing.partition(" ")[0]) in world.plane.access.sessions:
            world.share(session_id, "user", SHAREE, access)
        return sends(world, thing)

    return sent


def _guest(world: World, thing: str) -> Sent:
    """Let somebody into the thing by a link, or into another session where it is none."""
    session_id = thing.partition(" ")[0]
    return world.guest(session_id if session_id in world.plane.access.sessions else world.session())


BROWSERS: dict[str, Visitor] = {
    "nobody": lambda *_: {},
    "a guest": _guest,
    "who may view": _sharee("view", _browser(SHAREE)),
    "who may control": _sharee("control", _browser(SHAREE)),
    "a stranger": _browser(STRANGER),
    "the administrator": _browser(ADMINISTRATOR),
    "the owner": _browser(OWNER),
}
# What answers everybody alike: a refused sign-in takes its time.
FEW = {who: BROWSERS[who] for who in ("nobody", "the owner")}
PROGRAMS: dict[str, Visitor] = {
    "nobody's token": lambda *_: {"Authorization": "Bearer rapp_nobodys"},
    "a stranger's token": _any_token(STRANGER),
    "who may control's token": _sharee("control", _any_token(SHAREE)),
    **{f"the administrator's {one}": _token(ADMINISTRATOR, one) for one in SCOPES},
    **{f"the owner's {one}": _token(OWNER, one) for one in SCOPES},
}


def test_every_endpoint_has_a_rule_and_every_rule_an_endpoint() -> None:
    assert set(rules.API) == table.operations()
    assert set(rules.PAGES) == table.pages()


@pytest.mark.parametrize("key", rules.API)
def test_the_api_answers_whom_it_is_for(world: World, key: str) -> None:
    rule = rules.API[key]
    seen = {
        who: _seen(_ask(world, key, rule, visitor, of_api=True))
        for who, visitor in (BROWSERS | PROGRAMS).items()
    }
    assert seen == {who: _by_api(rule, who) for who in seen}


@pytest.mark.parametrize("key", rules.PAGES)
def test_a_page_answers_whom_it_is_for_and_takes_no_token(world: World, key: str) -> None:
    rule = rules.PAGES[key]
    token = {"nobody with the administrator's token": _any_token(ADMINISTRATOR)}
    visitors: dict[str, Visitor] = (FEW if rule.to is To.ALL else BROWSERS) | token
    seen = {
        who: _seen(_ask(world, key, rule, visitor, of_api=False))
        for who, visitor in visitors.items()
    }
    assert seen == {who: _by_page(rule, who.split(" with ")[0]) for who in seen}


def _ask(world: World, key: str, rule: Rule, visitor: Visitor, *, of_api: bool) -> Answer:
    thing = table.thing(world, rule)
    method, address, said, content = table.request(key, rule, thing, of_api=of_api)
    sent = {"Origin": ORIGIN, **said, **visitor(world, thing)}
    return world.ask(method, address, sent, content)


def _seen(answer: Answer) -> Seen:
    """Return the status; a way to the sign-in page and back is something else than another way."""
    to = answer.headers.get("location", "")
    return SIGN_IN if to == "/login" or to.startswith("/login?next=") else answer.status


def _by_api(rule: Rule, who: str) -> Seen:
    name, _, scope = who.partition("'s ")
    if name in {"nobody", "a guest"}:
        return 401
    if scope in SCOPES and _lacks(rule, name, scope):
        return 403
    if who == "the administrator" and rule.to is To.OWNER:
        return rule.administrator
    return _for(rule, name)


def _lacks(rule: Rule, name: str, scope: str) -> bool:
    has = {scope} if name == "the administrator" or not scope.startswith("admin:") else set()
    return bool(rule.scope) and rule.scope not in has


def _by_page(rule: Rule, who: str) -> Seen:
    if who == "a guest" and rule.guest:
        return rule.guest
    name = "nobody" if who == "a guest" else who  # to every other page a guest is nobody
    if name == "nobody" and rule.to not in {To.ALL, To.GUESTS}:
        return SIGN_IN
    return _for(rule, name)


def _for(rule: Rule, name: str) -> int:
    if rule.to is To.ADMINISTRATORS and name != "the administrator":
        return 403
    if rule.to is To.GUESTS and name != "nobody":
        return 303
    if rule.to is To.OWNER and name.startswith("who may"):
        return rule.shared
    if rule.to is To.OWNER and name != "the owner":
        return 404
    return rule.status
