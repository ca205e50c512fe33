"""What every answer carries, whoever asks for whatever: said here once more, word for word."""

from collections.abc import Mapping

import pytest
from security import rules, table
from security.rules import Rule, To
from security.world import ADMINISTRATOR, ORIGIN, OWNER, Answer, World

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
BARRED = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), xr-spatial-tracking=()"
)
ALWAYS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": BARRED,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
# The one page with a frame, and the origin that applications live on.
APPS = f"{ORIGIN}:8444"
FRAMES = {
    "content-security-policy": POLICY.replace(
        "frame-src 'self'", f"frame-src 'self' {APPS}"
    ).replace("form-action 'self'", f"form-action 'self' {APPS}"),
    "referrer-policy": "strict-origin",
}
# What a browser may keep: everybody's assets, and icons, which are the visitor's own.
KEPT = {
    "GET /static": "public, max-age=600",
    "GET /applications/{id}/icon": "private, max-age=300",
    "GET /admin/applications/{id}/icon": "private, max-age=300",
}
ALL = [(key, rule, True) for key, rule in rules.API.items()]
ALL += [(key, rule, False) for key, rule in rules.PAGES.items()]


@pytest.mark.parametrize(
    ("key", "rule", "of_api"), ALL, ids=[f"{'api ' if api else ''}{key}" for key, _, api in ALL]
)
def test_every_answer_carries_them_be_it_given_or_refused(
    world: World, key: str, rule: Rule, *, of_api: bool
) -> None:
    name = ADMINISTRATOR if rule.to is To.ADMINISTRATORS else OWNER
    given = table.ask(world, key, rule, world.browser(name), of_api=of_api)
    refused = table.ask(world, key, rule, {"Origin": ORIGIN}, of_api=of_api)
    of_page = FRAMES if key == "GET /sessions/{id}" and not of_api else {}
    must_carry(given, KEPT.get(key, "no-store"), of_page)
    must_carry(refused, KEPT[key] if rule.to is To.ALL and key in KEPT else "no-store")


@pytest.mark.parametrize(
    "address", ["/nowhere", "/api/v1/nowhere", "/static/nowhere.js", "//", "/%0a"]
)
def test_what_is_not_there_carries_them_too(world: World, address: str) -> None:
    answer = world.ask("GET", address, world.browser(OWNER))
    assert answer.status == 404
    must_carry(answer, "public, max-age=600" if "static" in address else "no-store")


def must_carry(answer: Answer, kept: str, of_page: Mapping[str, str] | None = None) -> None:
    wanted = {**ALWAYS, "cache-control": kept, **(of_page or {})}
    found = {name: answer.headers.getlist(name) for name in wanted}
    assert found == {name: [value] for name, value in wanted.items()}
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(answer.headers)
