"""Sharing as browsers without scripts see it: the owner's page, the visitors' pages, the links."""

import html
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from adapters.fakes_forwarder import FakeForwarder
from httpx2 import Response as Answer
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import Clock, grant_of, until

from control_plane import sessions, sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import (
    AppType,
    Group,
    Policy,
    Session,
    ShareAccess,
    Sharing,
    State,
)
from control_plane.domain.ports import Plane
from control_plane.errors import ForwarderUnavailableError

ORIGIN = "https://portal.test"
Browsing = Callable[..., TestClient]


@pytest.fixture
def browsing(plane: Plane, boss: None) -> Iterator[Browsing]:  # noqa: ARG001 - he has to exist
    """Return who opens a browser, signed in with a name."""
    portal = portal_of(plane)
    with ExitStack() as opened:
        opened.enter_context(TestClient(portal))  # what the tests share is known from now on

        def browser(name: str = "") -> TestClient:
            made = TestClient(portal, base_url=ORIGIN, follow_redirects=False)
            opened.enter_context(made)
            made.headers["Origin"] = ORIGIN
            if name:
                form = {"name": name, "password": f"{name}'s password"}
                assert made.post("/login", data=form).status_code == 303
            return made

        yield browser


@pytest.fixture
def desktop(plane: Plane, alice: Caller) -> Session:
    """A desktop of alice's that she may share as she likes."""
    return began(plane, alice, "vncapp")


def began(plane: Plane, owner: Caller, kind: AppType, **policy: Any) -> Session:
    """Return a session that is ready; its application is of that kind."""
    plane.accounting.change_grant(
        grant_of(plane, owner.user.name), lambda _: Policy(**{"share": "control", **policy})
    )
    begun = sessions.begin(plane, owner, grant_of(plane, owner.user.name), {}, instead=False)
    until(lambda: plane.access.sessions[begun.id].ready_at)
    made = replace(plane.access.sessions[begun.id], type=kind)
    plane.records.save_session(made)
    plane.access.put(made)
    return made


def site(plane: Plane, **changes: Any) -> None:
    object.__setattr__(plane, "site", replace(plane.site, **changes))


def share_page(session: Session) -> str:
    return f"/sessions/{session.id}/share"


def asked(**more: str) -> dict[str, str]:
    return {"kind": "user", "name": "charlie", "access": "view", "expires_in": "86400"} | more


def let_in(plane: Plane, alice: Caller, session: Session, *, name: str = "charlie") -> str:
    """Share a session; return the share's id and, behind a `#`, a link's secret."""
    access: ShareAccess = "control" if session.type == "webapp" else "view"
    wanted = sharing.Wanted("user" if name else "link", name, access, timedelta(days=1))
    made, secret = sharing.share(plane, alice, session.id, wanted)
    return f"{made.id}#{secret}" if secret else made.id


def text_of(answer: Answer) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", answer.text)))


def test_an_owner_shares_with_a_user_who_finds_it_and_takes_it_back(
    browsing: Browsing, plane: Plane, desktop: Session
) -> None:
    alice, charlie = browsing("alice"), browsing("charlie")
    assert "Nobody but you." in text_of(alice.get(share_page(desktop)))
    answer = alice.post(share_page(desktop), data=asked())
    assert answer.headers["location"] == f"{share_page(desktop)}?done=shared"
    (share,) = plane.access.shares_of(desktop.id)
    assert share.expires_at - share.created_at == timedelta(days=1)
    assert re.search(
        "charlie may look on until .* Take it back", text_of(alice.get(share_page(desktop)))
    )
    assert "Hello of alice You may look on until" in text_of(charlie.get("/"))
    assert "Shared by alice: you look on." in text_of(charlie.get(f"/sessions/{desktop.id}"))
    answer = alice.post(f"{share_page(desktop)}/{share.id}/revoke")
    assert answer.headers["location"] == f"{share_page(desktop)}?done=revoked"
    assert "Nobody but you." in text_of(alice.get(answer.headers["location"]))
    assert charlie.get(f"/sessions/{desktop.id}").status_code == 404
    assert "Hello of alice" not in text_of(charlie.get("/"))


def test_a_visitor_changes_nothing_and_reads_no_log(
    browsing: Browsing, plane: Plane, alice: Caller, desktop: Session
) -> None:
    let_in(plane, alice, desktop)
    charlie = browsing("charlie")
    page = charlie.get(f"/sessions/{desktop.id}").text
    assert not re.search(f'/sessions/{desktop.id}/(stop|log|extend|share)"', page)
    for act in ("stop", "log", "share"):
        assert charlie.get(f"/sessions/{desktop.id}/{act}").status_code == 404
    for act in ("stop", "extend", "share"):
        assert charlie.post(f"/sessions/{desktop.id}/{act}").status_code == 404


def test_a_group_is_let_in_to_use_it(browsing: Browsing, plane: Plane, desktop: Session) -> None:
    plane.accounting.add_group(Group("lab", ("charlie",)))
    form = asked(kind="group", name="lab", access="control")
    assert browsing("alice").post(share_page(desktop), data=form).status_code == 303
    page = browsing("charlie").get(f"/sessions/{desktop.id}")
    assert "Shared by alice: you use it." in text_of(page)


def test_a_link_is_shown_once_and_lets_in_a_user(
    browsing: Browsing, plane: Plane, desktop: Session
) -> None:
    alice, charlie = browsing("alice"), browsing("charlie")
    made = alice.post(share_page(desktop), data=asked(kind="link", name="ignored"))
    link = re.search(r'<pre id="link"[^>]*>([^<]+)</pre>', made.text)
    assert link
    path, _, secret = link[1].removeprefix(ORIGIN).partition("#")
    assert secret not in alice.get(share_page(desktop)).text
    assert charlie.get(path).status_code == 200
    wrong = charlie.post(path, data={"secret": "wrong"})
    assert wrong.status_code == 404
    assert "This link leads nowhere. Ask for a new one." in text_of(wrong)
    assert charlie.post(path, data={"secret": secret}).headers["location"] == (
        f"/sessions/{desktop.id}"
    )
    assert charlie.get(f"/sessions/{desktop.id}").status_code == 200
    assert plane.access.shares_of(desktop.id)[0].name == ""


def test_a_guest_comes_in_under_a_name_sees_nothing_else_and_leaves(
    browsing: Browsing, plane: Plane, alice: Caller, desktop: Session
) -> None:
    share, _, secret = let_in(plane, alice, desktop, name="").partition("#")
    guest = browsing()
    form = {"secret": secret, "display": "Ann"}
    closed = guest.get(f"/share/{share}")
    assert "this portal lets in no guests" in text_of(closed)
    assert f'href="/login?next=/share/{share}"' in closed.text
    assert 'name="secret"' not in closed.text
    assert guest.post(f"/share/{share}", data=form).status_code == 403
    site(plane, guests=True)
    assert "Copy that part into this field." in text_of(guest.get(f"/share/{share}"))
    assert guest.post(f"/share/{share}", data={**form, "display": "A\0"}).status_code == 422
    answer = guest.post(f"/share/{share}", data=form)
    assert answer.headers["location"] == f"/sessions/{desktop.id}"
    page = guest.get(f"/sessions/{desktop.id}")
    assert "Leave" in text_of(page)
    assert 'href="/account"' not in page.text
    for path in ("/", "/account", "/api/v1/me"):
        assert guest.get(path).status_code in {303, 401}
    assert isinstance(plane.forwarder, FakeForwarder)
    (signin,) = [one for one in plane.access.signins.values() if one.kind == "guest"]
    plane.forwarder.connect(share, signin.id, signin.user)
    sharing.keep(plane)
    told = browsing("alice").get(share_page(desktop))
    assert "Ann is watching, since" in text_of(told)
    assert 'data-watching="1"' in told.text
    assert guest.post("/logout").status_code == 303
    assert guest.get(f"/sessions/{desktop.id}").status_code == 303


@pytest.mark.parametrize("share", ["x", "0" * 31, "A" * 32, "0" * 32 + "%0A"])
def test_what_cannot_be_a_link_is_no_page(browsing: Browsing, share: str) -> None:
    assert browsing().get(f"/share/{share}").status_code == 404


def test_what_is_wrong_with_a_share_is_said_at_its_field(
    browsing: Browsing, plane: Plane, desktop: Session
) -> None:
    alice = browsing("alice")
    nobody = alice.post(share_page(desktop), data=asked(name="nobody"))
    assert nobody.status_code == 422
    assert re.search(r'name="name" value="nobody"[^>]*aria-invalid="true"', nobody.text)
    assert "is nobody who may sign in here" in text_of(nobody)
    for wrong in ({"kind": "everyone"}, {"access": "owner"}, {"expires_in": "-1"}):
        refused = alice.post(share_page(desktop), data=asked(**wrong))
        assert refused.status_code == 422
        assert "is none of the choices" in text_of(refused)
    assert plane.access.shares_of(desktop.id) == []


def test_no_form_of_another_site_shares_revokes_enters_or_opens(
    browsing: Browsing, plane: Plane, alice: Caller, desktop: Session
) -> None:
    share = let_in(plane, alice, desktop)
    hers = browsing("alice")
    hers.headers["Origin"] = "https://portal.test:8444"
    for path in (
        share_page(desktop),
        f"{share_page(desktop)}/{share}/revoke",
        f"/sessions/{desktop.id}/open",
        f"/share/{share}",
    ):
        assert hers.post(path, data=asked()).status_code == 403
    assert [one.id for one in plane.access.shares_of(desktop.id)] == [share]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (("vncapp", "none"), "Your grant of Hello does not let you share it."),
        (("webapp", "none"), "Your grant of Hello does not let you share it."),
        (("webapp", "view"), "Your grant lets others only look on, and a web application cannot"),
    ],
)
def test_what_may_not_be_shared_says_why(
    browsing: Browsing, plane: Plane, alice: Caller, what: tuple[AppType, Sharing], told: str
) -> None:
    kind, may = what
    session = began(plane, alice, kind, share=may)
    page = browsing("alice").get(share_page(session))
    assert told in text_of(page)
    assert 'name="kind"' not in page.text


def test_only_what_the_policy_and_the_application_allow_is_offered(
    browsing: Browsing, plane: Plane, alice: Caller
) -> None:
    hers = browsing("alice")
    web = began(plane, alice, "webapp")
    page = hers.get(share_page(web))
    assert '<option value="view"' not in page.text
    assert "acts as you: with your home, your files" in text_of(page)
    sessions.ask_to_stop(plane, web, "stopped by alice").result(5)
    assert "Only what runs can be shared." in text_of(hers.get(share_page(web)))
    page = hers.get(share_page(began(plane, alice, "vncapp", share="view")))
    assert '<option value="control"' not in page.text
    assert "Your grant lets others only look on." in text_of(page)


def test_the_page_of_another_is_closed_by_an_event_when_it_ends(
    browsing: Browsing, plane: Plane, alice: Caller, desktop: Session, clock: Clock
) -> None:
    let_in(plane, alice, desktop)
    charlie = browsing("charlie")
    clock.ahead = timedelta(hours=25)
    assert charlie.get(f"/sessions/{desktop.id}/told").status_code == 404
    clock.ahead = timedelta(hours=23, minutes=59, seconds=59.2)
    assert "event: gone" in charlie.get(f"/sessions/{desktop.id}/told").text


def test_a_web_application_of_another_is_opened_knowingly(
    browsing: Browsing, plane: Plane, alice: Caller
) -> None:
    web = began(plane, alice, "webapp")
    let_in(plane, alice, web)
    charlie = browsing("charlie")
    page = charlie.get(f"/sessions/{web.id}")
    assert "This is a web application of alice's, and alice decides what is in it." in text_of(page)
    assert "its scripts can reach the sessions that you have running yourself" in text_of(page)
    assert "<iframe" not in page.text
    assert charlie.get(f"/sessions/{web.id}/tab").headers["location"] == f"/sessions/{web.id}"
    answer = charlie.post(f"/sessions/{web.id}/open")
    assert answer.headers["location"] == f"/sessions/{web.id}"
    page = charlie.get(f"/sessions/{web.id}")
    assert 'data-src="https://portal.test:8444/.remoteapp/arrive?to=/user/alice/' in page.text
    site(plane, apps_domain="apps.test")
    assert "<iframe" in browsing("charlie").get(f"/sessions/{web.id}").text


def test_a_host_of_ones_own_takes_a_ticket_by_post(
    browsing: Browsing, plane: Plane, desktop: Session
) -> None:
    site(plane, apps_domain="apps.test")
    alice, origin = browsing("alice"), f"https://{desktop.id}.apps.test"
    page = alice.get(f"/sessions/{desktop.id}")
    form = (
        f'<form id="entry" method="post" action="{origin}/.remoteapp/enter" target="application">'
    )
    assert form in page.text
    assert f' src="{origin}' not in page.text
    for kind in ("frame-src", "form-action"):
        assert f"{kind} 'self' {origin}" in page.headers["content-security-policy"]
    tab = alice.get(f"/sessions/{desktop.id}/tab")
    assert f'action="{origin}/.remoteapp/enter"' in tab.text
    tickets = [re.search('name="ticket" value="([^"]+)"', one.text) for one in (page, tab)]
    assert len({one[1] for one in tickets if one}) == 2
    sessions.change(plane, desktop, "Stopping.", state=State.STOPPING)
    assert alice.get(f"/sessions/{desktop.id}/tab").headers["location"] == f"/sessions/{desktop.id}"


def test_a_tab_of_its_own_begins_at_the_applications_address(
    browsing: Browsing, desktop: Session
) -> None:
    answer = browsing("alice").get(f"/sessions/{desktop.id}/tab")
    path = f"/user/alice/containers/{desktop.id}/"
    assert answer.headers["location"] == f"https://portal.test:8444{path}"


def test_an_administrator_sees_who_else_has_access_and_takes_it_back(
    browsing: Browsing, plane: Plane, alice: Caller, desktop: Session
) -> None:
    share = let_in(plane, alice, desktop)
    admin, address = browsing("admin"), f"/admin/sessions/{desktop.id}"
    assert "charlie may look on" in text_of(admin.get(address))
    answer = admin.post(f"{address}/shares/{share}/revoke")
    assert answer.headers["location"] == f"{address}?done=revoked"
    assert "charlie may look on" not in text_of(admin.get(address))
    (row,) = plane.records.audit(action="share-revoke")
    assert (row.actor, row.target) == ("admin", desktop.id)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"apps_port": 0}, "This portal is semi-trusted: applications share its own address"),
        ({}, "they are kept from the portal, but not from one another."),
        ({"apps_domain": "apps.test"}, "are kept from the portal and from one another."),
    ],
)
def test_the_dashboard_says_what_keeps_applications_apart(
    browsing: Browsing, plane: Plane, changes: dict[str, Any], told: str
) -> None:
    site(plane, **changes)
    assert told in text_of(browsing("admin").get("/admin"))


def test_without_the_forwarder_it_is_said_that_nobody_knows_who_watches(
    browsing: Browsing, plane: Plane, alice: Caller, desktop: Session
) -> None:
    share = let_in(plane, alice, desktop)
    assert isinstance(plane.forwarder, FakeForwarder)
    plane.forwarder.away = True
    with suppress(ForwarderUnavailableError):
        sharing.keep(plane)
    hers = browsing("alice")
    assert "Who is watching cannot be said just now." in text_of(hers.get(share_page(desktop)))
    assert hers.get(f"/sessions/{desktop.id}").status_code == 200
    answer = hers.post(f"{share_page(desktop)}/{share}/revoke")
    assert answer.status_code == 503
    assert "the forwarder does not answer" in text_of(answer)
    assert plane.access.shares_of(desktop.id) == []
