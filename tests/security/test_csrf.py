"""What changes something, with every word of a browser on where a request is from."""

import base64
from collections.abc import Iterator, Sequence

import pytest
from security import rules, table
from security.rules import Rule
from security.world import ADMINISTRATOR, COOKIE, ORIGIN, OWNER, Sent, World, every_scope

# What browsers send: an origin, its sites, ports and spellings, and none at all.
ORIGINS = (
    None,
    "null",
    "",
    "https://evil.test",
    "https://evil.portal.test",
    "https://portal.test.evil.test",
    "https://portal.test:8444",
    "http://portal.test",
    "https://portal.test/",
    "https://PORTAL.test",
    f"{ORIGIN}, https://evil.test",
    f"https://{'0' * 32}.apps.portal.test",
)
SITES = (None, "cross-site", "same-site", "same-origin", "none")
LOOKING: Sequence[Sent] = (
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"},
)
KEYS = [(key, rule, True) for key, rule in rules.API.items()]
KEYS += [(key, rule, False) for key, rule in rules.PAGES.items()]
CHANGING = [one for one in KEYS if not one[0].startswith("GET ") and "/internal/" not in one[0]]
READING = [one for one in KEYS if one[0].startswith("GET ")]


def _named(keys: list[tuple[str, Rule, bool]]) -> list[str]:
    return [f"{'api ' if of_api else ''}{key}" for key, _, of_api in keys]


@pytest.mark.parametrize(("key", "rule", "of_api"), CHANGING, ids=_named(CHANGING))
def test_a_cookie_changes_something_from_the_portals_exact_origin_alone(
    world: World, key: str, rule: Rule, *, of_api: bool
) -> None:
    cookie = _cookie(world, rule)
    seen = {
        (origin, site): table.ask(world, key, rule, {**cookie, **from_}, of_api=of_api).status
        for origin, site, from_ in _places(*ORIGINS)
    }
    assert seen == dict.fromkeys(seen, 403)
    # By older browsers, which say nothing of the site, as well.
    for from_ in ({"Origin": ORIGIN}, {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}):
        answer = table.ask(world, key, rule, {**_cookie(world, rule), **from_}, of_api=of_api)
        assert answer.status == _status(rule)


@pytest.mark.parametrize("key", [one for one in rules.API if not one.startswith("GET ")])
def test_a_token_changes_something_wherever_it_comes_from(world: World, key: str) -> None:
    rule = rules.API[key]
    for origin in (None, "null", "https://evil.test", ORIGIN):
        from_ = {"Origin": origin} if origin else {}
        sent = {**every_scope(world, _allowed(rule)), **from_, "Sec-Fetch-Site": "cross-site"}
        assert table.ask(world, key, rule, sent, of_api=True).status == rule.status


@pytest.mark.parametrize(("key", "rule", "of_api"), READING, ids=_named(READING))
def test_what_only_reads_is_answered_from_everywhere_and_to_no_other_origins_script(
    world: World, key: str, rule: Rule, *, of_api: bool
) -> None:
    cookie = _cookie(world, rule)
    answers = [table.ask(world, key, rule, {**cookie, **from_}, of_api=of_api) for from_ in LOOKING]
    assert {one.status for one in answers} == {_status(rule)}
    assert not any(name.startswith("access-control-") for one in answers for name in one.headers)


def test_no_other_origin_is_allowed_to_ask_by_its_scripts(world: World) -> None:
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    for address in ("/api/v1/sessions", "/logout", "/api/v1/me"):
        answer = world.ask("OPTIONS", address, asked)
        assert answer.status == 405
        assert not any(name.startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize("origin", [one for one in ORIGINS if one is not None])
def test_a_name_and_a_password_get_a_token_from_no_other_origin(world: World, origin: str) -> None:
    known = base64.b64encode(b"alice:alice's password").decode()
    sent = {"Authorization": f"Basic {known}", "Origin": origin}
    assert (
        table.ask(world, "POST /tokens", rules.API["POST /tokens"], sent, of_api=True).status == 403
    )


def _places(*origins: str | None) -> Iterator[tuple[str | None, str | None, Sent]]:
    """Return what a browser says for each origin, with each word on how near that is."""
    for origin in origins:
        for site in SITES:
            said = {"Origin": origin, "Sec-Fetch-Site": site}
            yield origin, site, {name: value for name, value in said.items() if value is not None}


def _cookie(world: World, rule: Rule) -> Sent:
    return {"Cookie": f"{COOKIE}={world.cookie(_allowed(rule))}"}


def _allowed(rule: Rule) -> str:
    return ADMINISTRATOR if rule.to is rules.To.ADMINISTRATORS else OWNER


def _status(rule: Rule) -> int:
    """Return what somebody sees who is signed in."""
    return 303 if rule.to is rules.To.GUESTS else rule.status
