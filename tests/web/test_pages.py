"""The pages as a browser without scripts sees them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from httpx2 import Response as Answer
from served import portal_of
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, Clock

from control_plane import auth, sessions, throttle
from control_plane.domain.access import Caller
from control_plane.domain.entities import (
    Announcement,
    Application,
    Grantee,
    Policy,
    Session,
    Volume,
)
from control_plane.domain.ports import Plane
from control_plane.errors import StartError

ORIGIN = {"Origin": "https://portal.test"}
COOKIE = "__Host-remoteapp"


@pytest.fixture
def browser(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        yield client


def sign_in(browser: TestClient, name: str, password: str = "", leads: str = "/") -> Answer:
    form = {"name": name, "password": password or f"{name}'s password", "next": leads}
    return browser.post("/login", data=form, headers=ORIGIN)


def a_session(plane: Plane, alice: Caller) -> Session:
    grant = plane.accounting.grants_of("alice")[0]
    return sessions.begin(plane, alice, grant.id, {}, instead=False)


def text_of(answer: Answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page(browser: TestClient) -> None:
    assert browser.get("/").headers["location"] == "/login"
    asked = browser.get("/sessions/abc?log=1&x=a%20b")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?next=/sessions/abc%3Flog%3D1%26x%3Da%2520b"


def test_the_sign_in_page_keeps_where_to_go_and_nothing_evil(browser: TestClient) -> None:
    kept = browser.get("/login", params={"next": "/sessions/abc?x=1&y=2"})
    assert 'name="next" value="/sessions/abc?x=1&amp;y=2"' in kept.text
    for evil in ("//evil.test", "https:evil.test", '/"><script>alert(1)</script>'):
        answer = browser.get("/login", params={"next": evil})
        assert 'name="next" value="/"' in answer.text
        assert "evil.test" not in answer.text


def test_signing_in_leads_on_with_a_cookie_that_scripts_and_others_cannot_use(
    browser: TestClient,
) -> None:
    answer = sign_in(browser, "alice", leads="/sessions/abc")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/abc")
    cookies = [SimpleCookie(one) for one in answer.headers.get_list("set-cookie")]
    morsel = next(one[COOKIE] for one in cookies if COOKIE in one)
    assert (morsel["path"], morsel["domain"]) == ("/", "")
    assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "lax")
    assert int(morsel["max-age"]) == auth.SIGNIN_LIFE.total_seconds()
    assert browser.get("/").status_code == 200


def test_signing_in_never_leads_out_of_the_portal(browser: TestClient) -> None:
    assert sign_in(browser, "alice", leads="//evil.test").headers["location"] == "/"


def test_whoever_is_signed_in_is_led_on_from_the_sign_in_page(browser: TestClient) -> None:
    sign_in(browser, "alice")
    answer = browser.get("/login", params={"next": "/account"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


@pytest.mark.parametrize(
    "name", ["alice", "nobody", "../../etc", "ünï\u202ecode\0", "x" * 300, '"><script>alert(1)']
)
def test_every_refused_sign_in_gives_the_same_plain_sentence(
    browser: TestClient, name: str
) -> None:
    answer = sign_in(browser, name, "wrong", "/sessions/abc")
    assert answer.status_code == 401
    assert "Name and password do not match." in answer.text
    assert 'name="next" value="/sessions/abc"' in answer.text
    assert "<script>" not in answer.text
    assert name[:200] in answer.text or '"' in name
    assert name[:201] not in answer.text or len(name) <= 200
    assert "wrong" not in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_attempts_say_when_to_come_back(browser: TestClient, plane: Plane) -> None:
    for _ in range(throttle.PAIR_ATTEMPTS):
        throttle.count(plane, "alice", "local")
    answer = sign_in(browser, "alice")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert "Too many attempts" in answer.text


@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}, {"Origin": "https://portal.test.evil"}])
def test_a_form_of_another_site_signs_nobody_in_or_out(
    browser: TestClient, origin: dict[str, str]
) -> None:
    form = {"name": "alice", "password": "alice's password"}
    assert browser.post("/login", data=form, headers=origin).status_code == 403
    sign_in(browser, "alice")
    assert browser.post("/logout", headers=origin).status_code == 403
    assert browser.get("/").status_code == 200


def test_a_form_that_is_no_form_is_refused_and_never_read_whole(browser: TestClient) -> None:
    assert browser.post("/login", json={"name": "alice"}, headers=ORIGIN).status_code == 401
    long = {"name": "x" * 10_000, "password": "x"}
    assert browser.post("/login", data=long, headers=ORIGIN).status_code == 400
    many = {f"field{number}": "x" for number in range(50)}
    assert browser.post("/login", data=many, headers=ORIGIN).status_code == 400


def test_signing_out_ends_the_sign_in_itself(browser: TestClient) -> None:
    sign_in(browser, "alice")
    stolen = browser.cookies[COOKIE]
    answer = browser.post("/logout", headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?done=out")
    assert COOKIE not in browser.cookies
    assert browser.get("/", headers={"Cookie": f"{COOKIE}={stolen}"}).status_code == 303


def test_the_catalogue_says_what_the_policy_allows(browser: TestClient, plane: Plane) -> None:
    policy = Policy(allow_home=False, memory=1536 * 1024**2, cpus=0.5, max_sessions=3)
    plane.accounting.add_grant(Grantee("user", "alice"), APPLICATION, policy)
    sign_in(browser, "alice")
    said = text_of(browser.get("/"))
    assert "Your files are at /workspace. More" in said
    assert "It has 256 MiB of memory and 1 CPU. You may run it once at a time." in said
    assert "It keeps nothing: its files go when it stops." in said
    assert "It has 1.5 GiB of memory and 0.5 CPUs. You may run it 3 times at once." in said


def test_the_catalogue_escapes_what_administrators_and_images_say(
    browser: TestClient, plane: Plane
) -> None:
    evil = '<img src=x onerror=alert(1)>"'
    plane.accounting.add_application(Application("b" * 32, "evil", evil, evil))
    plane.accounting.add_grant(Grantee("user", "alice"), "b" * 32, Policy())
    sign_in(browser, "alice")
    page = browser.get("/").text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page


def test_an_image_that_is_missing_is_said_and_offers_no_start(
    browser: TestClient, engine: FakeEngine
) -> None:
    engine.known.clear()
    sign_in(browser, "alice")
    page = browser.get("/")
    assert "remoteapp/hello:latest cannot be started on this machine" in text_of(page)
    assert 'class="start"' not in page.text


def test_a_volume_that_may_not_be_mounted_is_said_without_its_place(
    browser: TestClient, plane: Plane
) -> None:
    odd = Policy(volumes=(Volume("/tmp", "/data", "rw"),))
    plane.accounting.add_grant(Grantee("user", "charlie"), APPLICATION, odd)
    sign_in(browser, "charlie")
    page = browser.get("/")
    assert "What it is to mount of this machine may not be mounted so." in text_of(page)
    assert 'class="start"' not in page.text
    assert "/tmp" not in page.text


def test_a_policy_is_told_in_words(browser: TestClient, plane: Plane, root: Path) -> None:
    volume = Volume(str(root), "/data", "ro")
    policy = Policy(volumes=(volume,), network="none", max_lifetime=5400)
    plane.accounting.add_grant(Grantee("user", "charlie"), APPLICATION, policy)
    sign_in(browser, "charlie")
    told = text_of(browser.get("/"))
    assert "It also has /data (read only)." in told
    assert "It cannot reach the internet." in told
    assert "It ends after 1.5 h." in told


def test_a_file_to_open_is_asked_for_where_image_and_policy_know_of_one(
    browser: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    labels = {**engine.known[HELLO].labels, "eu.simphony-project.docker.env.startupdata": ""}
    engine.known[HELLO] = replace(engine.known[HELLO], labels=labels)
    sign_in(browser, "alice")
    assert 'name="startup_file"' not in browser.get("/").text
    allowed = Policy(allow_home=True, allow_startup_data=True)
    plane.accounting.add_grant(Grantee("user", "alice"), APPLICATION, allowed)
    assert 'name="startup_file"' in browser.get("/").text


def test_what_everyone_is_told_is_shown_until_it_is_over(
    browser: TestClient, plane: Plane, clock: Clock
) -> None:
    plane.records.announce(Announcement("Down at <noon>.", plane.clock() + timedelta(hours=1)))
    sign_in(browser, "alice")
    assert "Down at &lt;noon&gt;." in browser.get("/").text
    clock.ahead = timedelta(hours=2)
    assert "Down at" not in browser.get("/").text


def test_options_are_offered_where_the_image_declares_them(
    browser: TestClient, engine: FakeEngine
) -> None:
    sign_in(browser, "alice")
    assert 'name="resolution"' not in browser.get("/").text
    names = ("width", "height", "depth")
    declared = {f"eu.simphony-project.docker.env.x11-{name}": "" for name in names}
    kept = engine.known[HELLO].labels
    engine.known[HELLO] = replace(engine.known[HELLO], labels={**kept, **declared})
    assert 'name="resolution"' in browser.get("/").text


def test_an_empty_catalogue_says_whom_to_ask(browser: TestClient) -> None:
    sign_in(browser, "charlie")
    said = text_of(browser.get("/"))
    assert "Nothing is granted to you yet" in said
    assert "Ask an administrator of this portal (admin)" in said


def test_the_catalogue_lists_what_runs(browser: TestClient, plane: Plane, alice: Caller) -> None:
    session = a_session(plane, alice)
    sign_in(browser, "alice")
    assert f'href="/sessions/{session.id}"' in browser.get("/").text


def test_a_session_of_a_revoked_grant_is_still_shown(
    browser: TestClient, plane: Plane, alice: Caller
) -> None:
    session = a_session(plane, alice)
    plane.accounting.remove_grants([session.grant_id])
    sign_in(browser, "alice")
    assert f'href="/sessions/{session.id}"' in browser.get("/").text


def test_a_session_is_shown_to_its_owner_and_unknown_to_all_others(
    browser: TestClient, plane: Plane, alice: Caller
) -> None:
    session = a_session(plane, alice)
    sign_in(browser, "alice")
    page = browser.get(f"/sessions/{session.id}")
    assert page.status_code == 200
    assert f"to=/user/alice/containers/{session.id}/" in page.text
    browser.cookies.clear()
    sign_in(browser, "charlie")
    others = browser.get(f"/sessions/{session.id}")
    assert others.status_code == 404
    assert others.text == browser.get(f"/sessions/{'0' * 32}").text


def test_a_failed_session_says_why(browser: TestClient, plane: Plane, alice: Caller) -> None:
    session = a_session(plane, alice)
    sessions.fail(plane, session, StartError("exited", "It ended."), "<last line>")
    sign_in(browser, "alice")
    page = browser.get(f"/sessions/{session.id}").text
    assert "It ended." in page
    assert "&lt;last line&gt;" in page


def test_people_get_a_page_and_programs_a_problem(browser: TestClient) -> None:
    page = browser.get("/nothing/here")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page." in page.text
    assert browser.delete("/login").headers["allow"]
    problem = browser.get("/api/v1/nothing")
    assert problem.status_code == 404
    assert problem.headers["content-type"] == "application/problem+json"


def test_an_engine_that_is_away_is_said_with_when_to_come_back(
    browser: TestClient, engine: FakeEngine
) -> None:
    sign_in(browser, "alice")
    engine.away = True
    answer = browser.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "The container engine does not answer." in answer.text


def test_a_fault_shows_its_reference_and_no_more(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    app = portal_of(plane)

    async def fault(_: Request) -> Response:
        raise RuntimeError("of the inside")

    app.add_route("/fault", fault)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/fault")
    assert answer.status_code == 500
    assert "of the inside" not in answer.text
    reference = re.search(r'id="reference">([0-9a-f]{12})<', answer.text)
    assert reference
    assert reference[1] in caplog.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


def test_no_page_needs_anything_inline_or_from_elsewhere(
    browser: TestClient, plane: Plane, alice: Caller
) -> None:
    session = a_session(plane, alice)
    seen = [browser.get("/login")]
    sign_in(browser, "alice")
    seen += [browser.get(path) for path in ("/", f"/sessions/{session.id}", "/nothing")]
    for page in seen:
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>|javascript:", page.text)
        elsewhere = r"(?:src|href)=\"(?!/|#|https://portal\.test:8444/)"  # but its applications
        assert not re.search(elsewhere, page.text)
        assert "script-src 'self'" in page.headers["content-security-policy"]
