"""Sharing: who is let in, how far, and how soon that is over."""

import secrets
import threading
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from adapters.fakes_forwarder import FakeForwarder
from usecases.conftest import APPLICATION, Clock, caller, until

from control_plane import administration, auth, lifecycle, sessions, sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import (
    Application,
    Grantee,
    Group,
    Policy,
    Session,
    Share,
    ShareAccess,
    ShareKind,
    SignIn,
    Source,
    State,
    User,
)
from control_plane.domain.forwarding import Passage
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    ForbiddenError,
    ForwarderUnavailableError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
)
from control_plane.passages import Onlooker
from control_plane.sharing import Entry, Wanted

HERE = "192.0.2.1"
DESK, DESKS = "remoteapp/desk:latest", "d" * 32
ADMIN = Actor("admin")


@pytest.fixture
def forwarder(plane: Plane) -> FakeForwarder:
    assert isinstance(plane.forwarder, FakeForwarder)
    return plane.forwarder


@pytest.fixture
def bob(plane: Plane) -> Caller:
    return browser(plane, "bob")


@pytest.fixture
def desk(plane: Plane, engine: FakeEngine, alice: Caller) -> Session:
    """Alice's desktop, which she may share with control."""
    hello = engine.known[HELLO]
    labels = {**hello.labels, "eu.simphony-project.docker.type": "vncapp"}
    engine.known[DESK] = replace(hello, id="sha256:desk", name=DESK, labels=labels)
    plane.accounting.add_application(Application(DESKS, DESK, display_name="Desk"))
    return running(plane, alice, DESKS)


def running(plane: Plane, owner: Caller, application: str, **fields: object) -> Session:
    lifecycle.load(plane)
    policy = replace(Policy(share="control", max_sessions=5), **fields)  # type: ignore[arg-type] # fields of any type
    grant = plane.accounting.add_grant(Grantee("user", owner.user.name), application, policy)
    session = sessions.begin(plane, owner, grant.id, {}, instead=False)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def browser(plane: Plane, name: str) -> Caller:
    """Return someone who has just signed in with a browser."""
    now = plane.clock()
    source: Source = "pam" if name == "dora" else "virtual"
    signin = SignIn(secrets.token_hex(32), name, "user", now, now + auth.SIGNIN_LIFE, HERE, source)
    lifecycle.load(plane)
    plane.records.add_signin(signin)
    plane.access.signins[signin.id] = signin
    found = auth.by_signin(plane, signin.id)
    assert found
    return found


def shared(
    plane: Plane,
    session: Session,
    kind: ShareKind = "user",
    name: str = "bob",
    access: ShareAccess = "control",
) -> Share:
    return sharing.share(plane, caller(plane, "alice"), session.id, Wanted(kind, name, access))[0]


def linked(plane: Plane, session: Session, access: ShareAccess = "view") -> tuple[Share, str]:
    return sharing.share(plane, caller(plane, "alice"), session.id, Wanted("link", "", access))


def with_guests(plane: Plane) -> Plane:
    return replace(plane, site=replace(plane.site, guests=True))


def access(plane: Plane, who: Caller, session: Session) -> str | None:
    """Return how someone may enter, as one asks anew each time."""
    user = plane.access.user(who.user.name) or who.user
    found = sharing.entry(plane, replace(who, user=user), session.id)
    return found.access if found else None


def watch(forwarder: FakeForwarder, share: Share, who: Caller) -> bool:
    return forwarder.connect(share.id, who.viewer, who.user.name)


def watching(forwarder: FakeForwarder) -> list[str]:
    return sorted(one.user for one in forwarder.watching())


def into_group(plane: Plane, *members: str) -> None:
    """Make the group lab, or change who is in it, as another process would."""
    if plane.accounting.group("lab"):
        plane.accounting.change_group("lab", lambda old: replace(old, members=members))
    else:
        plane.accounting.add_group(Group("lab", members))


def acts(plane: Plane) -> list[tuple[str, str, str]]:
    found = [(one.actor, one.action, one.target) for one in plane.records.audit()]
    return [one for one in reversed(found) if one[1].startswith("share")]


def test_a_session_is_its_owners_alone_until_it_is_shared(
    plane: Plane, alice: Caller, bob: Caller, desk: Session
) -> None:
    assert sharing.entry(plane, alice, desk.id) == Entry(desk, "owner")
    assert sharing.entry(plane, bob, desk.id) is None
    assert sharing.shared_with(plane, bob) == []


def test_a_user_is_let_in_as_far_as_said_and_nobody_else_is(
    plane: Plane, bob: Caller, charlie: Caller, desk: Session
) -> None:
    share = shared(plane, desk, access="view")
    assert sharing.entry(plane, bob, desk.id) == Entry(desk, "view", share)
    assert sharing.shared_with(plane, bob) == [Entry(desk, "view", share)]
    assert sharing.entry(plane, charlie, desk.id) is None
    assert sharing.shared_with(plane, charlie) == []


def test_a_share_lasts_a_day_unless_said_otherwise_and_survives_the_process(
    plane: Plane, desk: Session
) -> None:
    share = shared(plane, desk)
    assert share.expires_at - share.created_at == timedelta(days=1)
    plane.access.shares.clear()
    lifecycle.load(plane)
    assert plane.access.shares == {share.id: share}


def test_the_forwarder_knows_of_a_share_before_the_owner_is_answered(
    plane: Plane, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert forwarder.passages == {
        share.id: Passage(
            share_id=share.id,
            session_id=desk.id,
            owner="alice",
            access="control",
            type="vncapp",
            address=desk.address,
            port=desk.port,
            expires_at=share.expires_at,
            people=("bob",),
        )
    }


def test_of_several_shares_the_best_counts(plane: Plane, bob: Caller, desk: Session) -> None:
    into_group(plane, "bob")
    lifecycle.refresh(plane)
    shared(plane, desk, access="view")
    assert access(plane, bob, desk) == "view"
    shared(plane, desk, "group", "lab")
    assert access(plane, bob, desk) == "control"


def test_a_second_share_with_the_same_person_takes_the_place_of_the_first(
    plane: Plane, alice: Caller, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    first = shared(plane, desk)
    watch(forwarder, first, bob)
    second = shared(plane, desk, access="view")
    assert [one.share for one in sharing.shares_of(plane, alice, desk.id)] == [second]
    assert access(plane, bob, desk) == "view"
    assert list(forwarder.passages) == [second.id]
    assert watching(forwarder) == []


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted("user", "alice", "view"), "user"),
        (Wanted("user", "nobody", "view"), "user"),
        (Wanted("user", "root", "view"), "user"),
        (Wanted("group", "nobody", "view"), "group"),
        (Wanted("user", "bob", "view", timedelta(0)), "expires_in"),
        (Wanted("link", "", "view", timedelta(days=30, seconds=1)), "expires_in"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(
    plane: Plane, alice: Caller, desk: Session, wanted: Wanted, field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        sharing.share(plane, alice, desk.id, wanted)
    assert [one.field for one in refused.value.errors] == [field]
    assert plane.access.shares == {}


def test_a_host_account_that_accounting_does_not_know_can_be_let_in(
    plane: Plane, desk: Session
) -> None:
    share = shared(plane, desk, name="dora")
    assert access(plane, browser(plane, "dora"), desk) == "control"
    sharing.keep(plane)
    assert plane.access.shares == {share.id: share}


def test_a_web_application_cannot_be_only_viewed(plane: Plane, alice: Caller) -> None:
    session = running(plane, alice, APPLICATION)
    with pytest.raises(InvalidError) as refused:
        shared(plane, session, access="view")
    assert [one.field for one in refused.value.errors] == ["access"]


@pytest.mark.parametrize(("allowed", "wanted"), [("none", "view"), ("view", "control")])
def test_nobody_shares_further_than_the_policy_allows(
    plane: Plane, alice: Caller, desk: Session, allowed: str, wanted: ShareAccess
) -> None:
    other = running(plane, alice, DESKS, share=allowed, pids=100)
    with pytest.raises(ForbiddenError):
        shared(plane, other, access=wanted)
    assert shared(plane, desk, access=wanted)


@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_only_the_owner_shares_lists_and_revokes(plane: Plane, desk: Session, name: str) -> None:
    share, someone = shared(plane, desk), caller(plane, name)
    for act in (
        lambda: sharing.share(plane, someone, desk.id, Wanted("user", "charlie", "view")),
        lambda: sharing.shares_of(plane, someone, desk.id),
        lambda: sharing.revoke(plane, someone, desk.id, share.id),
    ):
        with pytest.raises(NotFoundError):
            act()


def test_a_share_of_another_session_is_not_found_by_this_one(
    plane: Plane, alice: Caller, desk: Session
) -> None:
    other, share = running(plane, alice, DESKS, pids=100), shared(plane, desk)
    with pytest.raises(NotFoundError):
        sharing.revoke(plane, alice, other.id, share.id)
    assert share.id in plane.access.shares


def test_what_still_starts_can_be_shared_and_is_entered_once_it_is_ready(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    starting = sessions.change(plane, desk, "Starting.", state=State.STARTING)
    share = shared(plane, starting)
    assert sharing.entry(plane, bob, desk.id) is None
    assert forwarder.passages == {}
    sessions.change(plane, desk, "Ready.", state=State.READY)
    assert access(plane, bob, desk) == "control"
    sharing.keep(plane)
    assert list(forwarder.passages) == [share.id]


def test_what_stops_cannot_be_shared(plane: Plane, desk: Session) -> None:
    sessions.change(plane, desk, "Stopping.", state=State.STOPPING)
    with pytest.raises(ConflictError):
        shared(plane, desk)


def test_there_is_a_most_of_shares(plane: Plane, desk: Session) -> None:
    for _ in range(sharing.MOST_SHARES):
        linked(plane, desk)
    with pytest.raises(ConflictError):
        linked(plane, desk)


def test_nobody_is_in_any_more_when_a_share_is_revoked(
    plane: Plane, alice: Caller, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share, other = shared(plane, desk), shared(plane, desk, name="charlie")
    assert watch(forwarder, share, bob)
    assert watch(forwarder, other, caller(plane, "charlie"))
    sharing.revoke(plane, alice, desk.id, share.id, HERE)
    assert watching(forwarder) == ["charlie"]
    assert sharing.entry(plane, bob, desk.id) is None
    assert not watch(forwarder, share, bob)
    assert list(plane.records.shares()) == [other]
    with pytest.raises(NotFoundError):
        sharing.revoke(plane, alice, desk.id, share.id)


def test_a_revocation_holds_though_the_forwarder_is_away_and_says_so(
    plane: Plane, alice: Caller, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    forwarder.away = True
    with pytest.raises(ForwarderUnavailableError, match="is revoked"):
        sharing.revoke(plane, alice, desk.id, share.id)
    assert sharing.entry(plane, bob, desk.id) is None
    assert plane.records.shares() == []
    assert acts(plane)[-1] == ("alice", "share-revoke", desk.id)
    forwarder.away = False
    sharing.keep(plane)
    assert watching(forwarder) == []


def test_a_forwarder_that_hangs_holds_a_revocation_back_for_a_moment_only(
    plane: Plane, alice: Caller, desk: Session
) -> None:
    share = shared(plane, desk)
    with plane.access.telling, pytest.raises(ForwarderUnavailableError):
        sharing.revoke(plane, alice, desk.id, share.id)
    assert plane.access.shares == {}


def test_what_is_told_late_never_brings_a_revoked_share_back(
    plane: Plane, alice: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    told, go_on = threading.Event(), threading.Event()
    slow = replace(plane, forwarder=Slow(forwarder, told, go_on))
    keeping = threading.Thread(target=sharing.keep, args=[slow])
    keeping.start()
    assert told.wait(5)  # it has looked at the shares, and not told the forwarder yet
    revoking = threading.Thread(target=sharing.revoke, args=[plane, alice, desk.id, share.id])
    revoking.start()
    until(lambda: share.id not in plane.access.shares)
    revoking.join(0.05)  # it waits for its turn
    go_on.set()
    keeping.join(5)
    revoking.join(5)
    assert forwarder.passages == {}


class Slow(FakeForwarder):
    """Waits before it takes what it is told."""

    def __init__(self, real: FakeForwarder, told: threading.Event, go_on: threading.Event) -> None:
        super().__init__(real.clock)
        self.real, self.told, self.go_on = real, told, go_on

    def replace(self, passages: object) -> None:
        self.told.set()
        assert self.go_on.wait(5)
        self.real.replace(passages)  # type: ignore[arg-type] # as it came


def test_a_share_ends_by_itself_and_is_forgotten(
    plane: Plane, bob: Caller, desk: Session, clock: Clock, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    clock.ahead = timedelta(days=1)
    assert sharing.entry(plane, bob, desk.id) is None
    sharing.keep(plane)
    assert (watching(forwarder), forwarder.passages) == ([], {})
    assert (plane.access.shares, list(plane.records.shares())) == ({}, [])


def test_the_sessions_end_is_the_end_of_its_shares(
    plane: Plane, alice: Caller, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    stopping = sessions.ask_to_stop(plane, desk, "stopped by alice")
    assert sharing.entry(plane, bob, desk.id) is None
    sharing.keep(plane)
    assert watching(forwarder) == []
    stopping.result(5)
    sharing.keep(plane)
    assert list(plane.records.shares()) == []
    assert sharing.shares_of(plane, alice, desk.id) == []


def test_a_share_and_a_stop_at_once_leave_nothing_behind(
    plane: Plane, desk: Session, forwarder: FakeForwarder
) -> None:
    refused: list[ControlPlaneError] = []

    def share_it() -> None:
        try:
            shared(plane, desk)
        except ConflictError as error:
            refused.append(error)

    sharer = threading.Thread(target=share_it)
    sharer.start()
    sessions.ask_to_stop(plane, desk, "stopped by alice").result(5)
    sharer.join(5)
    sharing.keep(plane)
    assert (plane.access.shares, list(plane.records.shares())) == ({}, [])
    assert forwarder.passages == {}


def test_a_lower_policy_is_followed_and_a_higher_one_too(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    set_share(plane, desk, "view")
    assert sharing.entry(plane, bob, desk.id) is None
    sharing.keep(plane)
    assert watching(forwarder) == []
    set_share(plane, desk, "control")
    assert access(plane, bob, desk) == "control"


def set_share(plane: Plane, session: Session, value: str) -> None:
    plane.accounting.change_grant(
        session.grant_id,
        lambda grant: replace(grant.policy, share=value),  # type: ignore[arg-type] # one of three
    )
    lifecycle.refresh(plane)


def test_what_is_cut_off_lets_nobody_in_until_it_is_connected_again(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    cut = sessions.change(plane, desk, "Nobody can enter.", cut_off=True)
    assert sharing.entry(plane, bob, desk.id) is None
    sharing.keep(plane)
    assert watching(forwarder) == []
    sessions.change(plane, cut, "Ready.", cut_off=False, address="10.1.2.3")
    sharing.keep(plane)
    assert forwarder.passages[share.id].address == "10.1.2.3"


def test_a_revoked_grant_takes_everyone_out(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    plane.accounting.remove_grants([desk.grant_id])
    lifecycle.refresh(plane)
    assert sharing.entry(plane, bob, desk.id) is None
    sharing.keep(plane)
    assert watching(forwarder) == []


def test_who_leaves_a_group_is_out_and_who_joins_is_in(
    plane: Plane, bob: Caller, charlie: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    into_group(plane, "alice", "bob")
    lifecycle.refresh(plane)
    share = shared(plane, desk, "group", "lab")
    assert forwarder.passages[share.id].people == ("bob",)
    assert watch(forwarder, share, bob)
    into_group(plane, "charlie")
    lifecycle.refresh(plane)
    assert (access(plane, bob, desk), access(plane, charlie, desk)) == (None, "control")
    sharing.keep(plane)
    assert watching(forwarder) == []
    assert watch(forwarder, share, charlie)


def test_who_is_disabled_is_out_and_let_in_again_when_enabled(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    assert watch(forwarder, share, bob)
    plane.accounting.change_user("bob", lambda user: replace(user, enabled=False))
    lifecycle.refresh(plane)
    sharing.keep(plane)
    assert watching(forwarder) == []
    plane.accounting.change_user("bob", lambda user: replace(user, enabled=True))
    lifecycle.refresh(plane)
    sharing.keep(plane)
    assert watch(forwarder, share, bob)


def test_who_signs_out_is_out_and_their_other_browser_stays(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share, other = shared(plane, desk), browser(plane, "bob")
    assert watch(forwarder, share, bob)
    assert watch(forwarder, share, other)
    auth.sign_out(plane, bob.signin_id)
    sharing.keep(plane)
    assert [one.viewer for one in forwarder.watching()] == [other.viewer]
    assert not watch(forwarder, share, bob)


def test_signing_out_everywhere_ends_tokens_too(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    _, value = auth.issue_token(plane, bob, "script", ["sessions:read"], timedelta(days=1))
    program = auth.by_token(plane, value)
    assert program
    assert access(plane, program, desk) == "control"
    assert watch(forwarder, share, program)
    auth.sign_out_everywhere(plane, bob.user)
    sharing.keep(plane)
    assert watching(forwarder) == []


def test_a_token_that_may_not_look_at_sessions_enters_none(plane: Plane, desk: Session) -> None:
    shared(plane, desk)
    program = replace(caller(plane, "bob"), scopes=frozenset({"shares:write"}), token_id="1")
    assert sharing.entry(plane, program, desk.id) is None
    assert sharing.shared_with(plane, program) == []


def test_the_next_of_a_name_gets_nothing_that_was_shared_with_the_former(
    plane: Plane, desk: Session
) -> None:
    into_group(plane, "charlie")
    lifecycle.refresh(plane)
    shared(plane, desk)
    shared(plane, desk, "group", "lab")
    plane.accounting.remove_user("bob")
    plane.accounting.remove_group("lab")
    lifecycle.refresh(plane)
    assert (plane.access.shares, list(plane.records.shares())) == ({}, [])


def test_who_removes_or_makes_a_group_ends_what_is_shared_with_it(
    plane: Plane, desk: Session
) -> None:
    into_group(plane, "charlie")
    shared(plane, desk, "group", "lab")
    administration.remove_group(plane.books, ADMIN, "lab")
    assert list(plane.records.shares()) == []
    plane.records.add_share(next(iter(plane.access.shares.values())))
    administration.create_group(plane.books, ADMIN, Group("lab", ("charlie",)))
    assert list(plane.records.shares()) == []


def test_a_stranger_of_a_name_is_not_who_is_let_in(plane: Plane, desk: Session) -> None:
    shared(plane, desk)
    for name in ("alice", "bob"):
        stranger = Caller(User(name, "virtual"), frozenset({"sessions:read"}), signin_id="1")
        assert sharing.entry(plane, stranger, desk.id) is None


def test_a_link_lets_in_who_is_signed_in_and_has_its_secret(
    plane: Plane, bob: Caller, charlie: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share, secret = linked(plane, desk)
    assert sharing.entry(plane, bob, desk.id) is None
    assert sharing.enter(plane, share.id, secret, bob, "", HERE) is None
    assert access(plane, bob, desk) == "view"
    assert watch(forwarder, share, bob)
    assert sharing.entry(plane, charlie, desk.id) is None
    assert access(plane, browser(plane, "bob"), desk) is None
    assert acts(plane)[-1] == ("bob", "share-enter", desk.id)
    lifecycle.load(plane)
    assert access(plane, bob, desk) == "view"


def test_the_secret_of_a_link_is_kept_nowhere(
    plane: Plane, alice: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share, secret = linked(plane, desk)
    assert len(secret) == 43
    (kept,) = plane.records.shares()
    assert secret not in repr([asdict(kept), asdict(share), plane.records.audit()])
    told = (sharing.shares_of(plane, alice, desk.id), forwarder.passages, plane.records.audit())
    assert secret not in repr(told)
    assert kept.digest not in repr(told)


@pytest.mark.parametrize("secret", ["", "wrong", "ü\udcff" * 20])
def test_a_wrong_secret_is_as_good_as_no_link(
    plane: Plane, bob: Caller, desk: Session, secret: str
) -> None:
    (link, _), named = linked(plane, desk), shared(plane, desk, name="charlie")
    for share_id in (link.id, named.id, "0" * 32):
        with pytest.raises(NotFoundError, match="leads nowhere"):
            sharing.enter(plane, share_id, secret, bob, "", HERE)
    assert sharing.entry(plane, bob, desk.id) is None


def test_a_link_leads_nowhere_once_it_is_over(
    plane: Plane, alice: Caller, bob: Caller, desk: Session, clock: Clock
) -> None:
    (first, one), (second, two) = linked(plane, desk), linked(plane, desk)
    sharing.revoke(plane, alice, desk.id, first.id)
    clock.ahead = timedelta(days=1)
    for share, secret in ((first, one), (second, two)):
        with pytest.raises(NotFoundError):
            sharing.enter(plane, share.id, secret, bob, "", HERE)


def test_a_link_to_what_still_starts_is_entered_and_waits(
    plane: Plane, bob: Caller, desk: Session
) -> None:
    share, secret = linked(plane, sessions.change(plane, desk, ".", state=State.STARTING))
    sharing.enter(plane, share.id, secret, bob, "", HERE)
    assert sharing.entry(plane, bob, desk.id) is None
    sessions.change(plane, desk, "Ready.", state=State.READY)
    assert access(plane, bob, desk) == "view"


def test_a_link_is_entered_as_long_as_its_sign_in_lasts(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share, secret = linked(plane, desk)
    sharing.enter(plane, share.id, secret, bob, "", HERE)
    assert watch(forwarder, share, bob)
    auth.sign_out(plane, bob.signin_id)
    with pytest.raises(NotSignedInError):
        sharing.enter(plane, share.id, secret, bob, "", HERE)
    sharing.keep(plane)
    assert watching(forwarder) == []
    assert forwarder.passages[share.id].people == ()


def test_the_owner_needs_no_link(plane: Plane, desk: Session) -> None:
    (share, secret), alice = linked(plane, desk), browser(plane, "alice")
    assert sharing.enter(plane, share.id, secret, alice, "", HERE) is None
    assert auth.entered(plane, alice) == ()


def test_without_an_account_nobody_is_let_in_unless_the_site_has_guests(
    plane: Plane, desk: Session
) -> None:
    share, secret = linked(plane, desk)
    with pytest.raises(NotSignedInError):
        sharing.enter(plane, share.id, secret, None, "Zoe", HERE)
    assert set(plane.access.signins) == set()


def guest_of(plane: Plane, share: Share, secret: str, name: str = "Zoe") -> Caller:
    cookie = sharing.enter(plane, share.id, secret, None, name, HERE)
    assert cookie
    assert auth.by_cookie(plane, cookie) is None
    found = auth.visitor_by_cookie(plane, cookie)
    assert found
    return found


def test_a_guest_may_enter_one_session_and_nothing_else(
    plane: Plane, alice: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    plane, other = with_guests(plane), running(plane, alice, DESKS, pids=100)
    (share, secret), _ = linked(plane, desk), linked(plane, other)
    guest = guest_of(plane, share, secret)
    assert guest.user == User(f"guest:{share.id}", "virtual")
    assert (guest.scopes, guest.guest_of) == (frozenset(), share.id)
    assert sharing.entry(plane, guest, desk.id) == Entry(desk, "view", share)
    assert sharing.shared_with(plane, guest) == [Entry(desk, "view", share)]
    assert sharing.entry(plane, guest, other.id) is None
    assert watch(forwarder, share, guest)
    assert acts(plane)[-1] == (f"guest:{share.id}", "share-enter", desk.id)
    signin = plane.access.signins[guest.signin_id]
    assert signin.expires_at == share.expires_at


def test_a_guest_goes_with_the_share(
    plane: Plane, alice: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    plane = with_guests(plane)
    share, secret = linked(plane, desk)
    guest = guest_of(plane, share, secret)
    assert watch(forwarder, share, guest)
    sharing.revoke(plane, alice, desk.id, share.id)
    assert watching(forwarder) == []
    assert auth.by_signin(plane, guest.signin_id) is None
    assert guest.signin_id not in plane.access.signins
    assert guest.signin_id not in {one.id for one in plane.records.signins(plane.clock())}


def test_guests_are_out_when_the_site_has_none_any_more(plane: Plane, desk: Session) -> None:
    share, secret = linked(plane, desk)
    guest = guest_of(with_guests(plane), share, secret)
    assert auth.by_signin(plane, guest.signin_id) is None
    assert sharing.entry(plane, guest, desk.id) is None
    sharing.keep(plane)
    assert plane.forwarder.watching() == []


def test_a_guest_who_opens_another_link_leaves_the_first(
    plane: Plane, alice: Caller, desk: Session
) -> None:
    plane, other = with_guests(plane), running(plane, alice, DESKS, pids=100)
    (first, one), (second, two) = linked(plane, desk), linked(plane, other)
    guest = guest_of(plane, first, one)
    assert sharing.enter(plane, first.id, one, guest, "Zoe", HERE) is None
    cookie = sharing.enter(plane, second.id, two, guest, "Zoe", HERE)
    assert auth.by_signin(plane, guest.signin_id) is None
    again = auth.visitor_by_cookie(plane, cookie or "")
    assert again
    assert (access(plane, again, other), access(plane, again, desk)) == ("view", None)


@pytest.mark.parametrize(
    ("said", "shown"), [("", "Guest"), ("  Zoe \n of  the lab ", "Zoe of the lab")]
)
def test_the_owner_sees_who_watches_by_name(  # noqa: PLR0913, PLR0917 - two of them are the case
    plane: Plane, alice: Caller, bob: Caller, desk: Session, clock: Clock, said: str, shown: str
) -> None:
    plane = with_guests(plane)
    forwarder = FakeForwarder(clock)
    plane = replace(plane, forwarder=forwarder)
    (link, secret), named = linked(plane, desk), shared(plane, desk)
    guest = guest_of(plane, link, secret, said)
    for share, who in ((link, guest), (named, bob)):
        assert watch(forwarder, share, who)
    sharing.keep(plane)
    since = {one.user: one.since for one in forwarder.watching()}
    found = {one.share: one.watching for one in sharing.shares_of(plane, alice, desk.id)}
    assert found == {
        link: (Onlooker(shown, since[guest.user.name]),),
        named: (Onlooker("bob", since["bob"]),),
    }


def test_the_list_of_shares_is_there_though_the_forwarder_is_not(
    plane: Plane, alice: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    forwarder.away = True
    share = shared(plane, desk)
    with pytest.raises(ForwarderUnavailableError):
        sharing.keep(plane)
    assert sharing.shares_of(plane, alice, desk.id) == [sharing.Shared(share, None)]
    forwarder.away = False
    sharing.keep(plane)
    assert sharing.shares_of(plane, alice, desk.id) == [sharing.Shared(share, ())]


@pytest.mark.parametrize("name", ["x" * 61, "a\u202eb", "a\0b"])
def test_a_name_that_would_mislead_is_refused(plane: Plane, desk: Session, name: str) -> None:
    share, secret = linked(plane, desk)
    with pytest.raises(InvalidError) as refused:
        sharing.enter(with_guests(plane), share.id, secret, None, name, HERE)
    assert [one.field for one in refused.value.errors] == ["display"]


def test_a_link_lets_in_so_many_guests_only(plane: Plane, desk: Session) -> None:
    plane = with_guests(plane)
    share, secret = linked(plane, desk)
    for _ in range(auth.MOST_GUESTS):
        guest_of(plane, share, secret)
    with pytest.raises(ConflictError):
        sharing.enter(plane, share.id, secret, None, "", HERE)


def test_a_forwarder_that_restarted_is_told_everything_again(
    plane: Plane, bob: Caller, desk: Session, forwarder: FakeForwarder
) -> None:
    share = shared(plane, desk)
    forwarder.restart()
    assert not watch(forwarder, share, bob)
    sharing.keep(plane)
    assert watch(forwarder, share, bob)


def test_somebody_elses_web_application_is_entered_after_the_visitor_was_told(
    plane: Plane, alice: Caller, bob: Caller
) -> None:
    session = running(plane, alice, APPLICATION)
    share = shared(plane, session)
    assert sharing.entry(plane, bob, session.id) == Entry(session, "control", share, knows=False)
    sharing.accept(plane, bob, session.id)
    assert sharing.entry(plane, bob, session.id) == Entry(session, "control", share)
    other = sharing.entry(plane, browser(plane, "bob"), session.id)
    assert other == Entry(session, "control", share, knows=False)


def test_where_each_session_has_a_host_nobody_needs_to_be_told(
    plane: Plane, alice: Caller, bob: Caller
) -> None:
    session = running(plane, alice, APPLICATION)
    share = shared(plane, session)
    apart = replace(plane, site=replace(plane.site, apps_domain="apps.test"))
    assert sharing.entry(apart, bob, session.id) == Entry(session, "control", share)


def test_who_may_not_enter_accepts_nothing(plane: Plane, alice: Caller, bob: Caller) -> None:
    session = running(plane, alice, APPLICATION)
    with pytest.raises(NotFoundError):
        sharing.accept(plane, bob, session.id)
    assert auth.entered(plane, bob) == ()


def test_what_a_sign_in_entered_does_not_grow_with_what_is_over(
    plane: Plane, alice: Caller, bob: Caller, desk: Session
) -> None:
    for _ in range(3):
        share, secret = linked(plane, desk)
        sharing.enter(plane, share.id, secret, bob, "", HERE)
        assert auth.entered(plane, bob) == (share.id,)
        sharing.revoke(plane, alice, desk.id, share.id)
