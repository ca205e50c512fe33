"""Where applications live: on the portal's origin, on another port of it, on a host each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from nginx.clients import (
    ALICE,
    DESKTOP,
    NOTEBOOK,
    TOKEN,
    Answer,
    Browser,
    Client,
    Headers,
    path_of,
    signed_in,
)
from nginx.conftest import Stack, free_port
from nginx.stubs import ANSWER_WITH, Application, Echo, websocket_echo
from websockets.exceptions import InvalidStatus

PAGE: Headers = [("Accept", "text/html")]
BEARER: Headers = [("Authorization", f"Bearer {TOKEN}")]
DOMAIN = "apps.localhost"


@dataclass
class Apart:
    """A portal with its applications elsewhere; `home` is where the desktop lives."""

    stack: Stack
    mode: str
    home: Client

    @property
    def portal(self) -> Client:
        return self.stack.client

    @property
    def origin(self) -> str:
        return f"https://{self.home.name}:{self.home.port}"

    @property
    def portal_origin(self) -> str:
        return self.stack.site.public_url

    def at(self, session: str) -> Client:
        """Where another session lives."""
        name = f"{session}.{DOMAIN}" if self.mode == "domain" else self.home.name
        return replace(self.home, name=name)


@pytest.fixture(params=["port", "domain"])
def apart(resting: Stack, request: pytest.FixtureRequest) -> Apart:
    mode = str(request.param)
    if mode == "port":
        port = free_port()
        changes = {"apps_port": port, "apps_listen": (f"127.0.0.1:{port}",)}
        home = replace(resting.client, port=port)
    else:
        changes = {"apps_domain": DOMAIN}
        home = replace(resting.client, name=f"{DESKTOP}.{DOMAIN}")
    resting.site = replace(resting.site, **changes)  # type: ignore[arg-type]  # by name
    resting.start()
    return Apart(resting, mode, home)


@pytest.fixture
def domain(resting: Stack) -> Apart:
    resting.site = replace(resting.site, apps_domain=DOMAIN)
    resting.start()
    return Apart(resting, "domain", replace(resting.client, name=f"{DESKTOP}.{DOMAIN}"))


@pytest.fixture
def echo(apart: Apart) -> Iterator[Echo]:
    with websocket_echo("127.213.0.8") as made:
        apart.stack.plane.allow(ALICE, DESKTOP, made.target)
        apart.stack.plane.allow(TOKEN, DESKTOP, made.target)
        yield made


def allowed(apart: Apart, desktop: Application) -> None:
    for who in (ALICE, TOKEN):
        apart.stack.plane.allow(who, DESKTOP, desktop.target)


def answering(*headers: tuple[str, str]) -> Headers:
    """Let the application answer with these."""
    return [*signed_in(ALICE), (ANSWER_WITH, json.dumps(headers))]


def test_an_application_is_reached_on_its_own_origin(apart: Apart, desktop: Application) -> None:
    allowed(apart, desktop)
    answer = apart.home.ask(path_of(DESKTOP, "x%2Fy?q=1"), signed_in(ALICE))
    assert (answer.status, answer.told["path"]) == (200, path_of(DESKTOP, "x%2Fy?q=1"))
    (asked,) = apart.stack.plane.questions()
    assert asked["x-remoteapp-host"] == f"{apart.home.name}:{apart.home.port}"
    assert asked["x-remoteapp-session"] == DESKTOP
    assert answer.sent("Cookie") == []


def test_at_the_portal_a_browser_is_sent_on_and_a_cookie_is_worth_nothing(
    apart: Apart, desktop: Application
) -> None:
    allowed(apart, desktop)
    path = path_of(DESKTOP, "x%2Fy?q=1")
    moved = apart.portal.ask(path, [*signed_in(ALICE), *PAGE])
    assert (moved.status, moved.headers["Location"]) == (302, f"{apart.origin}{path}")
    assert apart.portal.ask(path, signed_in(ALICE)).status == 404
    assert apart.portal.ask(path, [*signed_in(ALICE), *PAGE], method="POST").status == 404
    assert apart.portal.ask(path).status == 404
    assert apart.portal.ask("/user/alice/x", [*signed_in(ALICE), *PAGE]).status == 404
    assert apart.stack.plane.asked == []


def test_a_token_is_served_at_the_portal_and_at_home(apart: Apart, desktop: Application) -> None:
    allowed(apart, desktop)
    for client in (apart.portal, apart.home):
        answer = client.ask(path_of(DESKTOP), [*BEARER, *PAGE], method="POST")
        assert (answer.status, answer.sent("Authorization")) == (200, [])


@pytest.mark.usefixtures("echo")
def test_a_websocket_needs_the_applications_own_origin_or_a_token(
    apart: Apart, browser: Browser
) -> None:
    def opened(client: Client, *headers: tuple[str, str]) -> int:
        try:
            return int(browser.echo(browser.open(client, path_of(DESKTOP), list(headers))))
        except InvalidStatus as refused:
            return refused.response.status_code

    (cookie,) = signed_in(ALICE)
    others = f"https://{apart.at(NOTEBOOK).name}:{apart.home.port}"
    foreign = [apart.portal_origin, "https://evil.test", "null", f"{apart.origin}x"]
    foreign += [others] if apart.mode == "domain" else []
    assert opened(apart.home, cookie, ("Origin", apart.origin)) == 1
    assert [opened(apart.home, cookie, ("Origin", one)) for one in foreign] == [404] * len(foreign)
    assert opened(apart.home, *BEARER, ("Origin", "https://evil.test")) == 1
    assert opened(apart.portal, *BEARER) == 1
    assert opened(apart.portal, cookie, ("Origin", apart.portal_origin)) == 404
    assert opened(apart.portal, cookie, ("Origin", apart.origin)) == 404


def test_a_method_that_acts_needs_the_applications_own_origin_or_a_token(
    apart: Apart, desktop: Application
) -> None:
    allowed(apart, desktop)

    def posted(who: Headers, origin: str, method: str = "POST") -> int:
        return apart.home.ask(path_of(DESKTOP), [*who, ("Origin", origin)], method=method).status

    assert posted(signed_in(ALICE), apart.origin) == 200
    for origin in (apart.portal_origin, f"{apart.origin}0", "null", "https://evil.test"):
        assert posted(signed_in(ALICE), origin) == 404
        assert posted(signed_in(ALICE), origin, "GET") == 200
        assert posted(BEARER, origin) == 200


LOADING = {
    ("same-origin", "cors"): 200,
    ("none", "navigate"): 200,
    ("same-site", "navigate"): 200,
    ("cross-site", "navigate"): 200,
    ("same-site", "no-cors"): 404,
    ("same-site", "cors"): 404,
    ("cross-site", "no-cors"): 404,
    ("cross-site", "navigated"): 404,
}


def test_another_origins_page_loads_nothing_of_an_application(
    apart: Apart, desktop: Application
) -> None:
    allowed(apart, desktop)
    for (site, mode), status in LOADING.items():
        metadata = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode)]
        asked = apart.home.ask(path_of(DESKTOP), [*signed_in(ALICE), *metadata])
        assert asked.status == status, (site, mode)
        assert apart.home.ask(path_of(DESKTOP), [*BEARER, *metadata]).status == 200


POLICIES = {
    "frame-ancestors 'self'": "",
    "img-src *; frame-ancestors 'self'; report-uri /x": "img-src *; report-uri /x",
    "frame-ancestors 'self'; report-uri /x": "report-uri /x",
    "img-src *;FRAME-ANCESTORS https://a.test b.test": "img-src *;",
    "img-src *; frame-ancestors": "img-src *;",
    "frame-ancestors 'none', script-src 'self'": ", script-src 'self'",
    "frame-ancestors a; frame-ancestors b; img-src *; frame-ancestors c": "img-src *;",
}
UNTOUCHED = (
    "img-src *; x-frame-ancestors 'none'",
    "script-src https://frame-ancestors.test",
    "frame-ancestors-not 'none'",
)


def test_only_who_may_frame_it_is_taken_out_of_an_applications_policy(
    apart: Apart, desktop: Application
) -> None:
    allowed(apart, desktop)
    ours = f"frame-ancestors {apart.portal_origin}"
    for own, left in (POLICIES | dict(zip(UNTOUCHED, UNTOUCHED, strict=True))).items():
        headers = answering(("Content-Security-Policy", own), ("X-Frame-Options", "DENY"))
        answer = apart.home.ask(path_of(DESKTOP), headers)
        kept = [left] if left else []
        assert answer.headers.get_all("Content-Security-Policy") == [*kept, ours]
        assert "X-Frame-Options" not in answer.headers


def test_the_entrance_is_asked_for_on_the_applications_origin_alone(apart: Apart) -> None:
    way = {"port": "arrive", "domain": "enter"}[apart.mode]
    method = {"port": "GET", "domain": "POST"}[apart.mode]
    asked = f"/.remoteapp/{way}"
    told = apart.home.ask(f"{asked}?to=x", PAGE, method=method)
    assert (told.status, told.told["path"]) == (200, f"/internal/{way}?to=x")
    if apart.mode == "domain":
        assert told.sent("X-Remoteapp-Host") == [f"{apart.home.name}:{apart.home.port}"]
    assert apart.portal.ask(asked, method=method).told["path"] == asked
    other = {"port": "enter", "domain": "arrive"}[apart.mode]
    assert apart.home.ask(f"/.remoteapp/{other}", signed_in(ALICE)).status == 404


def test_nothing_of_the_portal_is_served_on_an_applications_origin(apart: Apart) -> None:
    for path in (
        "/",
        "/login",
        "/api/v1/me",
        "/internal/authorise",
        "/internal/enter",
        "/static/x",
    ):
        assert apart.home.ask(path, signed_in(ALICE)).status == 404, path
    assert {path for path, _ in apart.stack.plane.asked} <= {"/internal/authorise"}


def test_who_is_not_signed_in_is_led_to_the_portal(apart: Apart) -> None:
    path = path_of(DESKTOP, "x")
    there = {"port": f"/login?next={path_of(DESKTOP)}", "domain": f"/sessions/{DESKTOP}"}[
        apart.mode
    ]
    answer = apart.home.ask(path, PAGE)
    assert (answer.status, answer.headers["Location"]) == (302, f"{apart.portal_origin}{there}")
    framed = apart.home.ask(path, [*PAGE, ("Sec-Fetch-Dest", "iframe")])
    assert framed.status == 401
    assert f'href="{apart.portal_origin}/login?next='.encode() in framed.body
    policy = framed.headers["Content-Security-Policy"]
    assert policy.endswith(f"; frame-ancestors {apart.portal_origin}")
    assert apart.home.ask(path).status == 401


def test_a_host_that_is_nobodys_is_answered_by_nobody(apart: Apart) -> None:
    names = ["127.0.0.1", "evil.test", f"x.{DOMAIN}", f"{DESKTOP}.{DOMAIN}.evil.test"]
    names += [f"a.{DESKTOP}.{DOMAIN}", f"{DESKTOP}xapps.localhost", f"{DESKTOP}0.{DOMAIN}"]
    asked = [replace(apart.home, name=name).ask("/", signed_in(ALICE)) for name in names]
    assert [one.status for one in asked] == [421] * len(names)


def test_too_many_cookies_are_cleared_on_every_server(apart: Apart) -> None:
    bomb = [("Cookie", f"c{one}={'x' * 3900}") for one in range(40)]
    for client in (apart.portal, apart.home):
        answer = client.ask(path_of(DESKTOP), [*bomb, *PAGE])
        assert (answer.status, answer.headers["Clear-Site-Data"]) == (431, '"cookies"')
        assert f'href="{apart.portal_origin}/"'.encode() in answer.body


def taken_back(answer: Answer) -> list[str]:
    return [one for one in answer.headers.get_all("Set-Cookie", []) if one.startswith("__Host")]


def test_an_application_that_sets_our_cookie_changes_nothing(
    apart: Apart, desktop: Application
) -> None:
    allowed(apart, desktop)
    evil = "__Host-remoteapp=evil; Path=/; Secure; Domain=localhost"
    answer = apart.home.ask(path_of(DESKTOP), answering(("Set-Cookie", evil)))
    last = {
        "port": "Path=/; Secure; HttpOnly; SameSite=Lax; Priority=High",
        "domain": "Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
    }[apart.mode]
    base = path_of(DESKTOP)
    assert taken_back(answer) == [
        f"__Host-remoteapp=evil; Path={base}; Domain=",  # no browser takes it so
        f"__Host-remoteapp={ALICE}; {last}",
        "__Host-remoteapp-asking=; Path=/; Secure; Max-Age=0",
    ]


def test_a_host_of_its_own_is_the_applications_down_to_its_root(
    domain: Apart, desktop: Application
) -> None:
    domain.stack.plane.allow(ALICE, DESKTOP, desktop.target, owner="")
    domain.stack.plane.stripped.add(DESKTOP)
    cookie = ("Set-Cookie", "own=1; Path=/; Domain=apps.localhost")
    answer = domain.home.ask("/api/x%2Fy?q", answering(cookie, ("Location", "/there")))
    assert (answer.status, answer.told["path"]) == (200, "/api/x%2Fy?q")
    assert answer.sent("X-Script-Name") == []
    assert answer.headers["Location"] == "/there"
    assert answer.headers.get_all("Set-Cookie") == ["own=1; Path=/; Domain="]
    (asked,) = domain.stack.plane.questions()
    assert asked["x-remoteapp-session"] == DESKTOP
    assert "x-remoteapp-owner" not in asked


def test_its_cookies_hold_for_its_whole_host_where_it_takes_that_for_its_own(
    domain: Apart, desktop: Application
) -> None:
    domain.stack.plane.allow(ALICE, DESKTOP, desktop.target)
    cookie = ("Set-Cookie", "own=1; Path=/")
    confined = domain.home.ask(path_of(DESKTOP), answering(cookie))
    assert confined.headers.get_all("Set-Cookie") == [f"own=1; Path={path_of(DESKTOP)}"]


def test_a_session_named_on_another_sessions_host_is_asked_for_by_both(
    domain: Apart, desktop: Application
) -> None:
    domain.stack.plane.allow(ALICE, NOTEBOOK, desktop.target)
    domain.home.ask(path_of(NOTEBOOK), signed_in(ALICE))
    (asked,) = domain.stack.plane.questions()
    assert asked["x-remoteapp-host"] == f"{DESKTOP}.{DOMAIN}:{domain.home.port}"
    assert asked["x-remoteapp-session"] == NOTEBOOK


def test_a_session_path_without_its_end_slash_is_mended_on_its_own_host(domain: Apart) -> None:
    domain.stack.plane.allow(ALICE, DESKTOP, "127.213.0.5:1", owner="")
    domain.stack.plane.stripped.add(DESKTOP)
    answer = domain.home.ask(path_of(DESKTOP).rstrip("/"), [*signed_in(ALICE), *PAGE])
    assert (answer.status, answer.headers["Location"]) == (308, path_of(DESKTOP))
