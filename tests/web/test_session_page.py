"""The page of a session as a browser without scripts sees it, and what its forms do."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from adapters.fakes_engine import FakeEngine
from httpx2 import Response as Answer
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, Application200, Clock, grant_of, until

from control_plane import messages, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Policy, Session, State
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError, StartError

ORIGIN = {"Origin": "https://portal.test"}
ADMIN = Actor("admin", "192.0.2.1", frozenset())
HOURS = 8 * 3600
EVIL = '<img src=x onerror=alert(1)>"\u202eגבר 🦊'


@pytest.fixture
def browser(plane: Plane) -> Iterator[TestClient]:
    """A browser in which alice is signed in."""
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        sign_in(client, "alice")
        yield client


@pytest.fixture
def starting(plane: Plane, alice: Caller, application: Application200) -> Session:
    """A session of alice's whose application does not answer yet."""
    application.ready = False
    begun = begin(plane, alice)
    until(lambda: plane.access.sessions[begun.id].container_id)
    return plane.access.sessions[begun.id]


@pytest.fixture
def ready(plane: Plane, alice: Caller) -> Session:
    """A session of alice's that is ready, and that has an end."""
    plane.accounting.change_grant(grant_of(plane, "alice"), lambda _: Policy(max_lifetime=HOURS))
    return made_ready(plane, alice)


def sign_in(client: TestClient, name: str) -> None:
    form = {"name": name, "password": f"{name}'s password", "next": "/"}
    assert client.post("/login", data=form, headers=ORIGIN).status_code == 303
    client.headers.update(ORIGIN)


def begin(plane: Plane, caller: Caller) -> Session:
    return sessions.begin(plane, caller, grant_of(plane, caller.user.name), {}, instead=False)


def made_ready(plane: Plane, caller: Caller) -> Session:
    begun = begin(plane, caller)
    until(lambda: plane.access.sessions[begun.id].ready_at)
    return plane.access.sessions[begun.id]


def page_of(session: Session) -> str:
    return f"/sessions/{session.id}"


def text_of(answer: Answer) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", answer.text)))


def end_of(plane: Plane, session: Session) -> timedelta:
    """Return how long it may run from now."""
    ends_at = plane.access.sessions[session.id].ends_at
    assert ends_at
    return ends_at - plane.clock()


def test_a_start_is_told_on_a_page_that_looks_again_by_itself(
    browser: TestClient, starting: Session
) -> None:
    page = browser.get(page_of(starting))
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.text
    assert "<title>Starting: Hello " in page.text
    assert "The container runs." in text_of(page)
    assert "The application gets ready…" in text_of(page)
    assert "When it does not answer within 5 s, it is stopped" in text_of(page)
    path = f"/user/alice/containers/{starting.id}/"
    address = f"https://portal.test:8444{path}"
    assert f'will be at <a href="{address}">its own address</a>.' in page.text
    assert ' src="https' not in page.text


def test_what_is_ready_is_shown_with_its_picture_and_does_not_look_again(
    browser: TestClient, ready: Session
) -> None:
    page = browser.get(page_of(ready))
    assert "<title>Hello " in page.text
    assert f'<link rel="icon" href="/api/v1/applications/{ready.grant_id}/icon"' in page.text
    way = f"/.remoteapp/arrive?to=/user/alice/containers/{ready.id}/"
    assert f' src="https://portal.test:8444{way}"></iframe>\n</noscript>' in page.text
    assert f'data-src="https://portal.test:8444{way}"' in page.text
    assert "http-equiv" not in page.text
    assert f'formaction="/sessions/{ready.id}/stop"' in page.text


def test_an_application_may_not_lead_the_portals_page_away(
    browser: TestClient, ready: Session
) -> None:
    allowed = re.findall(r' sandbox="([^"]*)"', browser.get(page_of(ready)).text)
    words = "allow-scripts allow-same-origin allow-forms allow-downloads allow-modals allow-popups"
    assert allowed == [words, words]  # with scripts, and without


def test_the_end_is_told_with_its_reason(browser: TestClient, ready: Session) -> None:
    page = browser.get(page_of(ready))
    assert ready.ends_at
    assert f'data-ends="{ready.ends_at.isoformat()}"' in page.text
    assert "It may run for 8 h at a time, as it was granted to you." in text_of(page)
    assert "Extend to 8 h from now" in text_of(page)
    assert re.search(r'<section id="warning"[^>]* hidden>', page.text)


def test_what_has_no_end_says_so_and_offers_no_extension(
    browser: TestClient, plane: Plane, alice: Caller
) -> None:
    page = browser.get(page_of(made_ready(plane, alice)))
    assert "No time limit" in text_of(page)
    assert "It runs until you stop it" in page.text
    assert "/extend" not in page.text


def test_some_minutes_before_the_end_it_is_warned_of(
    browser: TestClient, ready: Session, clock: Clock
) -> None:
    clock.ahead = timedelta(seconds=HOURS - 400)
    page = browser.get(page_of(ready))
    assert re.search(r'<section id="warning" class="notice">', page.text)
    assert "What is not saved in it is lost then." in text_of(page)


def test_a_form_extends_as_far_as_the_policy_allows(
    browser: TestClient, plane: Plane, ready: Session, clock: Clock
) -> None:
    clock.ahead = timedelta(hours=7)
    answer = browser.post(f"{page_of(ready)}/extend", data={"seconds": "600"})
    assert answer.headers["location"] == f"{page_of(ready)}?done=extended"
    assert answer.status_code == 303
    assert round(end_of(plane, ready).total_seconds(), -2) == 3600 + 600
    assert "It runs until" in text_of(browser.get(answer.headers["location"]))
    browser.post(f"{page_of(ready)}/extend")
    assert round(end_of(plane, ready).total_seconds(), -2) == HOURS


@pytest.mark.parametrize("seconds", ["0", "-5", "soon", "99999999999"])
def test_an_extension_by_nonsense_is_refused_on_the_page(
    browser: TestClient, plane: Plane, ready: Session, seconds: str
) -> None:
    answer = browser.post(f"{page_of(ready)}/extend", data={"seconds": seconds})
    assert answer.status_code == 422
    assert 'role="alert"><p class="alert">' in answer.text
    assert plane.access.sessions[ready.id].ends_at == ready.ends_at


def test_what_has_no_end_or_does_not_run_is_not_extended(
    browser: TestClient, plane: Plane, alice: Caller
) -> None:
    session = made_ready(plane, alice)
    for _ in range(2):
        answer = browser.post(f"{page_of(session)}/extend")
        assert answer.status_code == 409
        assert "Only what runs and has an end can be extended." in text_of(answer)
        sessions.ask_to_stop(plane, session, "stopped by alice").result(5)


def test_no_form_of_another_site_extends_or_dismisses_anything(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    browser.headers["Origin"] = "https://portal.test.evil"
    assert browser.post(f"{page_of(ready)}/extend", data={"seconds": "5"}).status_code == 403
    assert browser.post("/messages/dismiss", data={"next": "/"}).status_code == 403
    assert plane.access.sessions[ready.id].ends_at == ready.ends_at


def test_the_session_of_another_is_unknown_everywhere(browser: TestClient, ready: Session) -> None:
    browser.cookies.clear()
    sign_in(browser, "charlie")
    page = browser.get(page_of(ready))
    assert page.status_code == 404
    assert page.text == browser.get(f"/sessions/{'0' * 32}").text
    assert browser.get(f"{page_of(ready)}/log").status_code == 404
    assert browser.post(f"{page_of(ready)}/extend").status_code == 404


def test_a_failure_is_told_with_its_reason_its_output_and_a_way_on(
    browser: TestClient, plane: Plane, starting: Session
) -> None:
    chosen = replace(starting, options={"resolution": "1280x800", "startup_file": EVIL})
    plane.access.put(chosen)
    sessions.fail(plane, chosen, StartError("exited", "It ended.", "Ask."), "<last line>")
    page = browser.get(page_of(starting))
    assert "<title>Failed: Hello " in page.text
    assert "Hello has failed It ended. Ask." in text_of(page)
    assert "<last line>" in text_of(page)
    assert f'method="post" action="/applications/{starting.grant_id}/start"' in page.text
    assert '<input type="hidden" name="resolution" value="1280x800">' in page.text
    assert f'name="startup_file" value="{html.escape(EVIL)}"'.replace("&quot;", "&#34;") in (
        page.text
    )
    assert f'method="post" action="/sessions/{starting.id}/stop"' in page.text
    assert "<last" not in page.text


def test_what_ended_says_why(browser: TestClient, plane: Plane, ready: Session) -> None:
    sessions.ask_to_stop(plane, ready, "stopped by the administrator admin").result(5)
    page = browser.get(page_of(ready))
    assert "Hello has ended Stopped by the administrator admin Start again" in text_of(page)
    assert "http-equiv" not in page.text


def test_what_is_stopping_looks_again_and_is_not_started_yet(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    sessions.change(plane, ready, "Stopping.", state=State.STOPPING, ends_because="host restarted")
    page = browser.get(page_of(ready))
    assert "Hello is stopping Host restarted" in text_of(page)
    assert 'http-equiv="refresh"' in page.text
    assert 'id="again" disabled' in page.text


def test_what_nobody_may_enter_says_that_it_computes_on(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    sessions.change(plane, ready, "Nobody can enter.", cut_off=True)
    page = browser.get(page_of(ready))
    assert 'data-state="apart"' in page.text
    assert "Nobody can enter Hello now" in text_of(page)
    assert "<iframe" in page.text
    assert ' src="https' not in page.text


def test_without_its_grant_it_is_still_shown_and_not_extended(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    plane.accounting.remove_grants([ready.grant_id])
    page = browser.get(page_of(ready))
    assert '<link rel="icon" href="/static/application.png"' in page.text
    assert "/extend" not in page.text
    refused = browser.post(f"{page_of(ready)}/extend")
    assert refused.status_code == 404
    assert "There is no such application for you." in text_of(refused)


def test_the_output_is_a_page_of_its_own(
    browser: TestClient, engine: FakeEngine, plane: Plane, starting: Session
) -> None:
    page = browser.get(f"{page_of(starting)}/log")
    assert engine.log(starting.container_id, 2).splitlines()[0] in text_of(page)
    sessions.fail(plane, starting, StartError("exited", "It ended."), EVIL)
    engine.remove(starting.container_id)
    page = browser.get(f"{page_of(starting)}/log")
    assert EVIL in html.unescape(page.text)
    assert "<img src=x" not in page.text
    sessions.fail(plane, starting, StartError("exited", "It ended."), "")
    assert "It has written nothing yet." in text_of(browser.get(f"{page_of(starting)}/log"))


def test_hostile_names_do_nothing_but_show(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    plane.access.put(replace(ready, application=EVIL * 5))
    messages.send(plane, ADMIN, ready, EVIL)
    for path in ("", "/log", "/stop"):
        page = browser.get(f"{page_of(ready)}{path}").text
        assert "<img src=x" not in page
        assert html.escape(EVIL).replace("&quot;", "&#34;") in page


def test_what_an_administrator_says_is_shown_until_it_is_dismissed(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    messages.send(plane, ADMIN, ready, "We restart at six.")
    for path in ("/", page_of(ready)):
        told = text_of(browser.get(path))
        assert re.search(r"admin, an administrator, about Hello.* We restart at six\.", told)
    until_then = re.search(r'name="until" value="([^"]+)"', browser.get("/").text)
    assert until_then
    form = {"until": html.unescape(until_then[1]), "next": page_of(ready)}
    answer = browser.post("/messages/dismiss", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, page_of(ready))
    for path in ("/", page_of(ready)):
        assert "We restart" not in browser.get(path).text
    messages.send(plane, ADMIN, ready, "We restart at five.")
    assert "We restart at five." in browser.get("/").text
    assert "We restart at six." not in browser.get("/").text


def test_a_message_is_the_owners_and_goes_with_the_session(
    browser: TestClient, plane: Plane, ready: Session
) -> None:
    messages.send(plane, ADMIN, ready, "We restart at six.")
    sessions.ask_to_stop(plane, ready, "stopped by alice").result(5)
    assert "We restart" not in browser.get("/").text
    assert "We restart" not in browser.get(page_of(ready)).text
    ended = plane.records.session(ready.id)
    assert ended
    with pytest.raises(ConflictError):
        messages.send(plane, ADMIN, ended, "Too late.")
    browser.cookies.clear()
    sign_in(browser, "charlie")
    assert "We restart" not in browser.get("/").text


@pytest.mark.parametrize("until_then", ["", "yesterday", "9999-99-99", "0001-01-01T00:00+23:59"])
def test_dismissing_nonsense_dismisses_nothing_and_leads_nowhere_else(
    browser: TestClient, plane: Plane, ready: Session, until_then: str
) -> None:
    messages.send(plane, ADMIN, ready, "We restart at six.")
    form = {"until": until_then, "next": "//evil.test"}
    answer = browser.post("/messages/dismiss", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "We restart at six." in browser.get("/").text


def test_nobody_dismisses_without_being_signed_in(browser: TestClient) -> None:
    browser.cookies.clear()
    answer = browser.post("/messages/dismiss", data={"next": "/"})
    assert answer.headers["location"] == "/login?next=/messages/dismiss"


def test_the_catalogue_says_of_which_session_a_message_is(
    browser: TestClient, plane: Plane, alice: Caller, ready: Session
) -> None:
    plane.accounting.change_grant(ready.grant_id, lambda _: Policy(max_sessions=2))
    second = made_ready(plane, alice)
    plane.access.put(replace(second, application="Another"))
    messages.send(plane, ADMIN, ready, "First.")
    messages.send(plane, ADMIN, second, "Second.")
    told = text_of(browser.get("/"))
    assert re.search(r"about Hello.* First\. .*about Another.* Second\.", told)
    assert "Second." not in browser.get(page_of(ready)).text
    assert plane.accounting.grants_of("alice")[0].application.id == APPLICATION
