"""Entering a session on its own origin: tickets, entries, and what each host believes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from httpx2 import Response as Answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import Clock, caller, grant_of, until
from web.conftest import token_of

from control_plane import auth, entering, lifecycle, sessions
from control_plane.auth import Proof
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, SignIn, State
from control_plane.domain.ports import Plane
from control_plane.entering import TICKET_LIFE
from control_plane.errors import ForbiddenError

PORTAL = "portal.test"
DOMAIN = "apps.test"
ORIGIN = {"Origin": f"https://{PORTAL}"}
COOKIE = "__Host-remoteapp"
# hypothesis draws many examples for one plane: nothing of one reaches the next.
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@dataclass
class Cast:
    """A plane with two sessions of alice's that are ready, and alice in a browser."""

    plane: Plane
    one: Session
    other: Session
    alice: Caller

    def host(self, session: Session) -> str:
        return self.plane.site.origins.of(session.id).removeprefix("https://")

    def cookie(self, name: str) -> str:
        """Return what a browser has once someone has signed in at the portal."""
        return auth.sign_in(self.plane, Proof(name, f"{name}'s password", "192.0.2.1"))


def put(plane: Plane, **fields: object) -> None:
    """Give the site other values."""
    object.__setattr__(plane, "site", replace(plane.site, **fields))  # type: ignore[arg-type]  # by name


@pytest.fixture
def cast(plane: Plane) -> Cast:
    """Sessions on hosts of their own."""
    put(plane, apps_domain=DOMAIN)
    lifecycle.load(plane)
    one = ready(plane)
    other = replace(one, id="e" * 32)
    plane.access.put(other)
    signin = SignIn("a" * 64, "alice", "user", plane.clock(), plane.clock() + timedelta(days=1))
    plane.records.add_signin(signin)
    plane.access.signins[signin.id] = signin
    alice = auth.by_signin(plane, signin.id)
    assert alice
    return Cast(plane, one, other, alice)


@pytest.fixture
def client(cast: Cast) -> Iterator[TestClient]:
    """What nginx is to the control plane."""
    app = portal_of(cast.plane)
    with TestClient(app, base_url=f"https://{PORTAL}", follow_redirects=False) as made:
        yield made


def ready(plane: Plane) -> Session:
    alice = caller(plane, "alice")
    begun = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[begun.id].state is State.READY)
    return plane.access.sessions[begun.id]


def entry_of(cast: Cast, session: Session) -> str:
    """Return the cookie of alice's browser on that session's host."""
    ticket = entering.ticket(cast.plane, cast.alice, session)
    return entering.enter(cast.plane, ticket, cast.host(session)).cookie


def asked(client: TestClient, session: Session, host: str, **headers: str) -> Answer:
    told = {
        "X-Remoteapp-Host": host,
        "X-Remoteapp-Owner": "alice",
        "X-Remoteapp-Session": session.id,
        **{f"X-Remoteapp-{name}": value for name, value in headers.items()},
    }
    return client.get("/internal/authorise", headers={k: v for k, v in told.items() if v})


def status(client: TestClient, session: Session, host: str, **headers: str) -> int:
    return asked(client, session, host, **headers).status_code


def test_a_ticket_lets_in_once(cast: Cast) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    entered = entering.enter(cast.plane, ticket, cast.host(cast.one))
    assert entered.session == cast.one
    found = entering.by_entry(cast.plane, entered.cookie, cast.one.id)
    assert found
    assert (found.user.name, found.signin_id) == ("alice", cast.alice.signin_id)
    with pytest.raises(ForbiddenError, match="taken before"):
        entering.enter(cast.plane, ticket, cast.host(cast.one))


def test_a_ticket_that_is_brought_to_another_host_lets_nobody_in(cast: Cast) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    for host in (cast.host(cast.other), PORTAL, DOMAIN, "", cast.host(cast.one).upper()):
        with pytest.raises(ForbiddenError):
            entering.enter(cast.plane, ticket, host)
    assert entering.enter(cast.plane, ticket, cast.host(cast.one)).session == cast.one


def test_a_ticket_is_worth_nothing_after_half_a_minute(cast: Cast, clock: Clock) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    clock.ahead += TICKET_LIFE
    with pytest.raises(ForbiddenError, match="expired"):
        entering.enter(cast.plane, ticket, cast.host(cast.one))


def test_a_ticket_of_the_process_before_is_refused(cast: Cast) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    cast.plane.access.tickets.clear()  # the memory that a new process begins with
    with pytest.raises(ForbiddenError):
        entering.enter(cast.plane, ticket, cast.host(cast.one))


def test_tickets_that_nobody_took_are_forgotten(cast: Cast, clock: Clock) -> None:
    for _ in range(20):
        entering.ticket(cast.plane, cast.alice, cast.one)
        clock.ahead += timedelta(seconds=10)
    assert len(cast.plane.access.tickets) == 3


def test_a_ticket_and_an_entry_end_with_the_sign_in(cast: Cast) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    entry = entry_of(cast, cast.one)
    auth.sign_out(cast.plane, cast.alice.signin_id)
    with pytest.raises(ForbiddenError):
        entering.enter(cast.plane, ticket, cast.host(cast.one))
    assert entering.by_entry(cast.plane, entry, cast.one.id) is None


def test_an_entry_ends_with_the_secret_that_signed_it(cast: Cast) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    entry = entry_of(cast, cast.one)
    put(cast.plane, secret=b"t" * 32)
    assert entering.by_entry(cast.plane, entry, cast.one.id) is None
    with pytest.raises(ForbiddenError):
        entering.enter(cast.plane, ticket, cast.host(cast.one))


@MANY
@given(
    seconds=st.integers(0, 60),
    hosts=st.lists(st.sampled_from(["one", "other", PORTAL, ""]), min_size=1, max_size=4),
    sign_in=st.sampled_from(["holds", "ended"]),
)
def test_a_ticket_is_for_one_host_one_time_and_one_sign_in(
    cast: Cast, clock: Clock, seconds: int, hosts: list[str], sign_in: str
) -> None:
    plane = cast.plane
    named = {"one": cast.host(cast.one), "other": cast.host(cast.other)}
    signin = plane.access.signins[cast.alice.signin_id]
    ticket = entering.ticket(plane, cast.alice, cast.one)
    clock.ahead += timedelta(seconds=seconds)
    if sign_in == "ended":
        del plane.access.signins[signin.id]
    let_in = []
    for host in hosts:
        try:
            let_in.append(entering.enter(plane, ticket, named.get(host, host)).session)
        except ForbiddenError:
            continue
    plane.access.signins[signin.id] = signin
    clock.ahead -= timedelta(seconds=seconds)
    good = "one" in hosts and sign_in == "holds" and seconds < TICKET_LIFE.total_seconds()
    assert let_in == ([cast.one] if good else [])


@MANY
@given(st.text(max_size=200))
def test_no_made_up_ticket_or_entry_lets_anyone_in(cast: Cast, value: str) -> None:
    with pytest.raises(ForbiddenError):
        entering.enter(cast.plane, value, cast.host(cast.one))
    assert entering.by_entry(cast.plane, value, cast.one.id) is None


@MANY
@given(st.integers(0, 1000), st.characters(codec="ascii"))
def test_no_altered_ticket_or_entry_lets_anyone_in(cast: Cast, place: int, letter: str) -> None:
    ticket = altered(entering.ticket(cast.plane, cast.alice, cast.one), place, letter)
    with pytest.raises(ForbiddenError):
        entering.enter(cast.plane, ticket, cast.host(cast.one))
    entry = altered(entry_of(cast, cast.one), place, letter)
    assert entering.by_entry(cast.plane, entry, cast.one.id) is None


def altered(value: str, place: int, letter: str) -> str:
    """Change one letter of what is signed: the signature's last has two bits that say nothing."""
    at = place % value.rindex(".")
    return value[:at] + (letter if letter != value[at] else "~") + value[at + 1 :]


def test_tickets_and_entries_are_not_each_other_and_no_sign_in(cast: Cast) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    entry = entry_of(cast, cast.one)
    for value in (ticket, cast.cookie("alice")):
        assert entering.by_entry(cast.plane, value, cast.one.id) is None
    for value in (ticket, entry):
        assert auth.visitor_by_cookie(cast.plane, value) is None
    for value in (entry, cast.cookie("alice")):
        with pytest.raises(ForbiddenError):
            entering.enter(cast.plane, value, cast.host(cast.one))


def test_a_session_is_open_on_its_own_host_alone(cast: Cast, client: TestClient) -> None:
    entry, other = entry_of(cast, cast.one), entry_of(cast, cast.other)
    home = cast.host(cast.one)
    assert status(client, cast.one, home, Signin=entry) == 204
    assert status(client, cast.one, home, Signin=other) == 401
    assert status(client, cast.one, home, Signin=cast.cookie("alice")) == 401
    for host in (cast.host(cast.other), PORTAL, DOMAIN, "evil.test", f"{home}:8443", ""):
        for value in (entry, other, cast.cookie("alice")):
            assert status(client, cast.one, host, Signin=value) == 403


def test_a_token_opens_it_at_home_and_at_the_portal(cast: Cast, client: TestClient) -> None:
    token = token_of(cast.plane, "alice", "sessions:read")
    bobs = token_of(cast.plane, "bob", "sessions:read")
    for host in (cast.host(cast.one), PORTAL):
        assert status(client, cast.one, host, Token=token) == 204
        assert status(client, cast.one, host, Token=bobs) == 403
        assert status(client, cast.one, host, Token="rapp_made-up") == 401
    assert status(client, cast.one, cast.host(cast.other), Token=token) == 403


def test_the_owner_in_the_path_is_the_sessions(cast: Cast, client: TestClient) -> None:
    entry, home = entry_of(cast, cast.one), cast.host(cast.one)
    assert status(client, cast.one, home, Signin=entry, Owner="al%69ce") == 204
    for owner in ("bob", "Alice", "alice%2F", ""):
        assert status(client, cast.one, home, Signin=entry, Owner=owner) == 403


def test_only_an_application_that_takes_itself_for_the_host_has_all_of_it(
    cast: Cast, client: TestClient
) -> None:
    entry, home = entry_of(cast, cast.one), cast.host(cast.one)
    cast.plane.access.put(replace(cast.one, strip_path=True))
    answer = asked(client, cast.one, home, Signin=entry, Owner="")
    assert (answer.status_code, answer.headers["x-remoteapp-strip"]) == (204, "1")
    put(cast.plane, apps_domain="", apps_port=8444)
    token = token_of(cast.plane, "alice", "sessions:read")
    assert status(client, cast.one, f"{PORTAL}:8444", Token=token, Owner="") == 403


@pytest.mark.parametrize(("port", "home"), [(8444, f"{PORTAL}:8444"), (0, PORTAL)])
def test_on_another_port_and_on_one_origin_the_sign_in_itself_lets_in(
    cast: Cast, client: TestClient, port: int, home: str
) -> None:
    entry = entry_of(cast, cast.one)
    put(cast.plane, apps_domain="", apps_port=port)
    assert status(client, cast.one, home, Signin=cast.cookie("alice")) == 204
    assert status(client, cast.one, home, Signin=cast.cookie("bob")) == 403
    assert status(client, cast.one, home, Signin=entry) == 401
    elsewhere = 403 if port else 204
    assert status(client, cast.one, PORTAL, Signin=cast.cookie("alice")) == elsewhere


def entered(client: TestClient, cast: Cast, ticket: str, **headers: str) -> Answer:
    told = {**ORIGIN, "X-Remoteapp-Host": cast.host(cast.one), **headers}
    return client.post("/internal/enter", data={"ticket": ticket}, headers=told)


def test_the_entrance_sets_the_entry_and_leads_on(cast: Cast, client: TestClient) -> None:
    answer = entered(client, cast, entering.ticket(cast.plane, cast.alice, cast.one))
    assert answer.status_code == 200
    name, value, said = re.fullmatch(
        r"([^=]+)=([^;]+); (.*)", answer.headers["set-cookie"]
    ).groups()  # type: ignore[union-attr]  # it matches
    assert (name, said) == (COOKIE, "HttpOnly; Path=/; SameSite=none; Secure; Partitioned")
    assert entering.by_entry(cast.plane, value, cast.one.id) == cast.alice
    path = f"/user/alice/containers/{cast.one.id}/"
    assert f'location.replace("{path}");' in answer.text
    assert f'postMessage({{remoteapp: "arrived"}}, "https://{PORTAL}");' in answer.text
    assert f'<a href="{path}">' in answer.text


def test_the_page_runs_its_own_script_and_is_framed_by_the_portal_alone(
    cast: Cast, client: TestClient
) -> None:
    put(cast.plane, apps_domain="", apps_port=8444)
    path = f"/user/alice/containers/{cast.one.id}/"
    pages = [client.get("/internal/arrive", params={"to": path}) for _ in range(2)]
    nonces = [re.findall(r'nonce="([^"]+)"', page.text) for page in pages]
    assert [len(one) for one in nonces] == [1, 1]
    assert nonces[0] != nonces[1]
    assert pages[0].headers["content-security-policy"] == (
        f"default-src 'none'; script-src 'nonce-{nonces[0][0]}'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors https://{PORTAL}"
    )
    assert pages[0].headers["cache-control"] == "no-store"
    assert "set-cookie" not in pages[0].headers


ELSEWHERE = (
    "",
    "/",
    "//evil.test/user/a/containers/{id}/",
    "https://evil.test/user/a/containers/{id}/",
    "/user/alice/containers/{id}",
    "/user/alice/containers/{id}/x",
    "/user/alice/containers/{id}/\n",
    "/user/a/b/containers/{id}/",
    "/user/<script>/containers/{id}/",
    "/user/\\evil.test/containers/{id}/",
    '/user/";alert(1);"/containers/{id}/',
    "javascript:alert(1)",
)


def test_it_leads_to_a_sessions_own_path_and_nowhere_else(cast: Cast, client: TestClient) -> None:
    put(cast.plane, apps_domain="", apps_port=8444)
    for to in ELSEWHERE:
        asked_for = {"to": to.format(id=cast.one.id)}
        assert client.get("/internal/arrive", params=asked_for).status_code == 404, to


def test_a_ticket_comes_from_the_portals_own_page(cast: Cast, client: TestClient) -> None:
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    for origin in ("null", "https://evil.test", f"https://{cast.host(cast.one)}", ""):
        refused = entered(client, cast, ticket, Origin=origin)
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    assert entered(client, cast, ticket).status_code == 200


def test_who_is_not_let_in_is_told_on_a_page_with_a_way_back(
    cast: Cast, client: TestClient
) -> None:
    refused = entered(client, cast, "<script>")
    assert (refused.status_code, refused.headers["content-type"]) == (
        403,
        "text/html; charset=utf-8",
    )
    assert f'<a href="https://{PORTAL}/" target="_top">' in refused.text
    assert "<script" not in refused.text
    assert "script-src 'none'" in refused.headers["content-security-policy"]
    assert f"frame-ancestors https://{PORTAL}" in refused.headers["content-security-policy"]


def test_each_mode_has_its_own_entrance(cast: Cast, client: TestClient) -> None:
    path = f"/user/alice/containers/{cast.one.id}/"
    assert client.get("/internal/arrive", params={"to": path}).status_code == 404
    ticket = entering.ticket(cast.plane, cast.alice, cast.one)
    put(cast.plane, apps_domain="", apps_port=8444)
    assert entered(client, cast, ticket).status_code == 404


def test_the_session_page_may_frame_its_own_applications_origin_alone(
    cast: Cast, client: TestClient
) -> None:
    client.cookies.set(COOKIE, cast.cookie("alice"))
    page = client.get(f"/sessions/{cast.one.id}")
    policy = dict(one.split(" ", 1) for one in page.headers["content-security-policy"].split("; "))
    origin = f"https://{cast.one.id}.{DOMAIN}"
    assert (policy["frame-src"], policy["form-action"]) == (f"'self' {origin}", f"'self' {origin}")
    assert policy["frame-ancestors"] == "'none'"
    assert page.headers["referrer-policy"] == "strict-origin"


ADDRESSES = (
    ("https://portal.test", DOMAIN, 8444, "https://{id}.apps.test"),
    ("https://portal.test:1", DOMAIN, 0, "https://{id}.apps.test:1"),
    ("https://portal.test", "", 8444, "https://portal.test:8444"),
    ("https://portal.test:1", "", 443, "https://portal.test"),
    ("https://[::1]:1", "", 8444, "https://[::1]:8444"),
    ("https://[::1]", "", 8444, "https://[::1]:8444"),
    ("https://portal.test", "", 0, "https://portal.test"),
)


def test_the_address_of_a_session_is_on_its_own_origin(cast: Cast, client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {token_of(cast.plane, 'alice', 'sessions:read')}"}
    for portal, domain, port, origin in ADDRESSES:
        put(cast.plane, public_url=portal, apps_domain=domain, apps_port=port)
        told = client.get(f"/api/v1/sessions/{cast.one.id}", headers=headers).json()["url"]
        there = f"{origin.format(id=cast.one.id)}/user/alice/containers/{cast.one.id}/"
        assert told == there
