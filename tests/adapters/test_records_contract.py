"""What records promise: the three databases and the fake pass the same tests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from adapters.conftest import DIALECTS, Fresh
from adapters.fakes_store import FakeRecords

from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import (
    Announcement,
    AuditRow,
    Failure,
    HomeTask,
    LastStart,
    Link,
    Policy,
    Session,
    Share,
    SignIn,
    State,
    Token,
    UsageRow,
    Volume,
)
from control_plane.domain.stores import Records
from control_plane.errors import ConflictError

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
SESSION = Session(
    id="a" * 32,
    owner="alice",
    grant_id="b" * 32,
    application="Desktop",
    image="desk:1",
    type="vncapp",
    state=State.STARTING,
    created_at=NOW,
    address="10.213.0.5",
    port=8888,
    ready_path="/user/alice/",
)
READY = replace(
    SESSION,
    state=State.READY,
    options={"resolution": "1280x800"},
    container_id="c" * 64,
    ready_at=NOW + HOUR,
    ends_at=NOW + 2 * HOUR,
    policy=Policy(
        allow_home=True,
        volumes=(Volume("/srv/data", "/data", "ro"), Volume("/srv/é", "/more", "rw")),
        share="view",
        memory=2**33,
        cpus=0.1,
        pids=99,
        network="none",
        max_sessions=2,
        max_lifetime=0,
    ),
    cut_off=True,
    warned=True,
)
FAILED = replace(
    SESSION,
    id="f" * 32,
    state=State.FAILED,
    ended_at=NOW + HOUR,
    ends_because="failed",
    failure=Failure("exited", "It ended.", "line 1\nline é 😀 \\ %s" + 100_000 * "."),
)
TOKEN = Token("1" * 32, "alice", "laptop", ("sessions:read",), NOW, NOW + HOUR, "digest-1")
SIGNIN = SignIn("digest-a", "alice", "user", NOW, NOW + HOUR, "192.0.2.1", "pam")
SHARE = Share("5" * 32, "a" * 32, "alice", "user", "bob", "control", NOW, NOW + HOUR)
RUNNING = UsageRow("b" * 32, "alice", "Desktop", "desk:1", NOW)
USAGE = UsageRow(
    "a" * 32,
    "alice",
    "Desktop",
    "desk:1",
    NOW,
    NOW + HOUR,
    "stopped",
    groups=("lab", "staff"),
    grant_id="b" * 32,
    cpu_seconds=0.1,
    memory_gib_seconds=1234.5678901234567,
    sampled_until=NOW + HOUR / 2,
    cpu_counter=1e-9,
)
ACT = AuditRow(NOW, "admin", "user-create", "alice", "192.0.2.9", "virtual")
CHANGE = AuditRow(
    NOW + HOUR, "root", "policy-edit", "b" * 32, before={"pids": 5, "volumes": []}, after={}
)
LINK = Link("https://id.example.org", "4711", "alice")
TASK = HomeTask("home-70000", "alice", "archive", "admin", NOW)


@pytest.fixture(params=["fake", *DIALECTS])
def records(request: pytest.FixtureRequest, fresh: Fresh) -> Iterator[Records]:
    if request.param == "fake":
        yield FakeRecords()
        return
    database = Database(fresh(request.param))
    yield PeeweeRecords(database)
    database.close()


def stopped(number: int, owner: str, ended_at: datetime) -> Session:
    return replace(
        SESSION,
        id=f"{number:032x}",
        owner=owner,
        state=State.STOPPED,
        address=f"10.213.0.{number}",
        ended_at=ended_at,
    )


def test_new_records_are_empty(records: Records) -> None:
    assert records.session("a" * 32) is None
    assert list(records.open_sessions()) == []
    assert records.cursor("address") == 0
    assert list(records.signins(NOW)) == []
    assert list(records.tokens(NOW)) == []
    assert records.password("alice") is None
    assert records.attempts("alice", "192.0.2.1", NOW) == (0, 0)
    assert list(records.usage()) == []
    assert records.usage_of("a" * 32) is None
    assert list(records.audit()) == []
    assert records.audit_count() == 0
    assert records.link("issuer", "subject") is None
    assert records.kept_running() == frozenset()
    assert list(records.home_tasks()) == []
    assert records.announcement() is None


@pytest.mark.parametrize("session", [SESSION, READY, FAILED])
def test_a_session_comes_back_as_it_went_in(records: Records, session: Session) -> None:
    records.add_session(session)
    assert records.session(session.id) == session


def test_a_licence_is_not_recorded(records: Records) -> None:
    records.add_session(replace(SESSION, policy=Policy(app_license="secret", pids=5)))
    found = records.session(SESSION.id)
    assert found is not None
    assert found.policy == Policy(pids=5)


def test_a_session_is_added_once(records: Records) -> None:
    records.add_session(SESSION)
    with pytest.raises(ConflictError):
        records.add_session(READY)
    assert records.session(SESSION.id) == SESSION


def test_a_saved_session_replaces_the_one_of_that_id(records: Records) -> None:
    records.add_session(FAILED)
    records.add_session(SESSION)
    records.save_session(READY)
    assert records.session(SESSION.id) == READY
    assert records.session(FAILED.id) == FAILED


def test_a_session_that_was_never_added_can_be_saved(records: Records) -> None:
    records.save_session(READY)
    assert records.session(READY.id) == READY


def test_open_are_the_living_and_the_failures_nobody_dismissed(records: Records) -> None:
    states = [State.STARTING, State.READY, State.STOPPING, State.STOPPED]
    for number, state in enumerate(states):
        created_at = NOW - number * HOUR
        session = replace(SESSION, id=f"{number:032x}", state=state, created_at=created_at)
        records.add_session(session)
    records.add_session(replace(FAILED, created_at=NOW + HOUR))
    records.add_session(replace(FAILED, id="e" * 32, dismissed=True))
    found = [(one.id[-1], one.state) for one in records.open_sessions()]
    assert found == [
        ("2", State.STOPPING),
        ("1", State.READY),
        ("0", State.STARTING),
        ("f", State.FAILED),
    ]


def test_ended_are_the_owners_since_then_newest_first(records: Records) -> None:
    for number in range(3):
        records.add_session(stopped(number, "alice", NOW + number * HOUR))
    records.add_session(stopped(9, "bob", NOW + 3 * HOUR))
    records.add_session(replace(FAILED, dismissed=True, ended_at=NOW + HOUR / 2))
    records.add_session(SESSION)
    ended = [one.ended_at for one in records.ended_sessions("alice", NOW)]
    assert ended == [NOW + 2 * HOUR, NOW + HOUR, NOW + HOUR / 2]


def test_what_ended_long_ago_is_forgotten_and_no_failure_that_is_still_shown(
    records: Records,
) -> None:
    kept = [SESSION, replace(FAILED, ended_at=NOW - HOUR), stopped(1, "alice", NOW + HOUR)]
    dismissed = replace(FAILED, id="9" * 32, ended_at=NOW - HOUR, dismissed=True)
    gone = [stopped(2, "alice", NOW - HOUR), dismissed]
    for one in (*kept, *gone):
        records.add_session(one)
    records.add_token(TOKEN)
    records.add_token(replace(TOKEN, id="f" * 32, digest="f" * 64, expires_at=NOW))
    records.save_usage(USAGE)
    assert records.forget_ended(NOW + HOUR / 2, NOW) == len(gone) + 1
    assert [records.session(one.id) for one in kept] == kept
    assert [records.session(one.id) for one in gone] == [None, None]
    assert list(records.tokens(NOW)) == [TOKEN]
    assert list(records.usage()) == [USAGE]
    assert records.forget_ended(NOW + HOUR / 2, NOW) == 0


def test_the_places_of_the_lately_ended_are_known(records: Records) -> None:
    records.add_session(SESSION)
    records.add_session(stopped(7, "alice", NOW))
    records.add_session(stopped(8, "alice", NOW + HOUR))
    records.add_session(stopped(9, "bob", NOW + HOUR))
    records.add_session(replace(stopped(10, "bob", NOW + HOUR), address="127.0.0.1", port=20001))
    assert list(records.places_ended_since(NOW)) == [
        ("10.213.0.8", 8888),
        ("10.213.0.9", 8888),
        ("127.0.0.1", 20001),
    ]


def test_moments_come_back_in_utc_whatever_zone_they_went_in(records: Records) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    records.add_session(replace(SESSION, created_at=elsewhere))
    found = records.session(SESSION.id)
    assert found is not None
    assert found.created_at == NOW


def test_a_cursor_keeps_its_number(records: Records) -> None:
    records.set_cursor("address", 5)
    records.set_cursor("events", 2**40)
    records.set_cursor("address", 6)
    assert (records.cursor("address"), records.cursor("events")) == (6, 2**40)


def test_a_sign_in_lasts_until_it_ends(records: Records) -> None:
    records.add_signin(SIGNIN)
    assert list(records.signins(NOW)) == [SIGNIN]
    records.end_signin(SIGNIN.id)
    records.end_signin("unknown")
    assert list(records.signins(NOW)) == []


def test_an_expired_sign_in_is_forgotten(records: Records) -> None:
    records.add_signin(SIGNIN)
    assert list(records.signins(NOW + HOUR)) == []
    assert list(records.signins(NOW)) == []


def test_a_users_sign_ins_end_but_for_one(records: Records) -> None:
    bobs = replace(SIGNIN, id="digest-b", user="bob")
    for signin in (SIGNIN, replace(SIGNIN, id="2"), replace(SIGNIN, id="3"), bobs):
        records.add_signin(signin)
    assert records.end_signins("alice", but="2") == 2
    assert {one.id for one in records.signins(NOW)} == {"2", "digest-b"}
    assert records.end_signins("alice") == 1
    assert list(records.signins(NOW)) == [bobs]


def test_a_password_is_replaced(records: Records) -> None:
    records.set_password("alice", "one")
    records.set_password("bob", "other")
    records.set_password("alice", "two")
    assert (records.password("alice"), records.password("bob")) == ("two", "other")


def test_acts_that_are_written_together_keep_their_order(records: Records) -> None:
    acts = [replace(ACT, target=f"grant {number:04}") for number in range(1200)]
    records.add_audits(acts)
    records.add_audits([])
    assert [act.target for act in records.audit()] == [act.target for act in reversed(acts)]


def test_a_forgotten_user_leaves_ledger_and_audit(records: Records) -> None:
    records.set_password("alice", "one")
    records.add_signin(SIGNIN)
    records.add_token(TOKEN)
    records.add_link(LINK)
    records.keep_running({"user:alice", "grant:alice"})
    records.save_usage(USAGE)
    records.add_audit(ACT)
    records.forget_user("alice")
    assert records.password("alice") is None
    assert list(records.signins(NOW)) == []
    assert list(records.tokens(NOW)) == []
    assert records.link(LINK.issuer, LINK.subject) is None
    assert records.kept_running() == {"grant:alice"}
    assert list(records.usage()) == [USAGE]
    assert list(records.audit()) == [ACT]


def test_a_forgotten_users_ended_sessions_go_and_the_living_stay(records: Records) -> None:
    records.add_session(SESSION)
    records.add_session(FAILED)
    records.add_session(stopped(1, "alice", NOW))
    records.add_session(stopped(2, "bob", NOW))
    records.forget_user("alice")
    assert list(records.open_sessions()) == [SESSION]
    assert records.session(FAILED.id) is None
    assert list(records.ended_sessions("alice", NOW - HOUR)) == []
    assert list(records.ended_sessions("bob", NOW - HOUR)) == [stopped(2, "bob", NOW)]


def test_another_user_is_not_forgotten(records: Records) -> None:
    records.set_password("bob", "one")
    records.add_signin(replace(SIGNIN, user="bob"))
    records.add_token(replace(TOKEN, user="bob"))
    records.add_link(replace(LINK, user="bob"))
    records.keep_running({"user:bob"})
    records.forget_user("alice")
    assert records.password("bob") == "one"
    assert [one.user for one in records.signins(NOW)] == ["bob"]
    assert [one.user for one in records.tokens(NOW)] == ["bob"]
    assert records.link(LINK.issuer, LINK.subject) == replace(LINK, user="bob")
    assert records.kept_running() == {"user:bob"}


def test_a_token_lasts_until_it_expires(records: Records) -> None:
    records.add_token(TOKEN)
    assert list(records.tokens(NOW)) == [TOKEN]
    assert list(records.tokens(NOW + HOUR)) == []


def test_a_token_is_removed_by_its_owner_only(records: Records) -> None:
    records.add_token(TOKEN)
    assert not records.remove_token("bob", TOKEN.id)
    assert records.remove_token("alice", TOKEN.id)
    assert not records.remove_token("alice", TOKEN.id)
    assert list(records.tokens(NOW)) == []


def test_all_tokens_of_a_user_are_removed(records: Records) -> None:
    for number, user in enumerate(["alice", "alice", "bob"]):
        records.add_token(replace(TOKEN, id=str(number), user=user, digest=str(number)))
    assert records.remove_tokens("alice") == 2
    assert [token.user for token in records.tokens(NOW)] == ["bob"]


def test_attempts_are_counted_by_pair_and_by_address(records: Records) -> None:
    for name, address in [("alice", "1"), ("alice", "1"), ("bob", "1"), ("alice", "2")]:
        records.add_attempt(name, address, NOW)
    records.add_attempt("alice", "1", NOW - HOUR)
    assert records.attempts("alice", "1", NOW) == (2, 3)
    assert records.attempts("charlie", "1", NOW) == (0, 3)
    assert records.attempts("alice", "1", NOW - HOUR) == (3, 4)


def test_attempts_of_a_pair_and_old_ones_are_forgotten(records: Records) -> None:
    records.add_attempt("alice", "1", NOW)
    records.add_attempt("bob", "1", NOW)
    records.add_attempt("bob", "1", NOW - HOUR)
    records.forget_attempts("alice", "1", NOW)
    assert records.attempts("bob", "1", NOW - 2 * HOUR) == (1, 1)


def nobody(_uid: int) -> bool:
    return False


def test_a_uid_is_given_to_one_name_for_ever(records: Records) -> None:
    assert records.reserve_uid("alice", 70000, 70009, lambda uid: uid < 70002) == 70002
    assert records.reserve_uid("bob", 70000, 70009, nobody) == 70000
    records.forget_user("alice")
    assert records.reserve_uid("alice", 70000, 70009, nobody) == 70002
    assert records.reserve_uid("Alice", 70000, 70009, lambda uid: uid < 70002) == 70003


def test_when_no_uid_is_left_it_says_so(records: Records) -> None:
    records.reserve_uid("alice", 70000, 70000, nobody)
    with pytest.raises(ConflictError):
        records.reserve_uid("bob", 70000, 70000, nobody)
    assert records.reserve_uid("alice", 70000, 70000, nobody) == 70000


def test_threads_reserve_different_uids_for_different_names(records: Records) -> None:
    def reserve(number: int) -> int:
        return records.reserve_uid(f"user{number % 16}", 70000, 70099, nobody)

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(reserve, range(32)))
    assert sorted(given) == sorted([*range(70000, 70016)] * 2)
    assert given[:16] == given[16:]


def test_an_account_elsewhere_is_linked_once(records: Records) -> None:
    records.add_link(LINK)
    others = [replace(LINK, subject="4712"), replace(LINK, issuer="https://other.example.org")]
    for link in others:
        records.add_link(link)
    with pytest.raises(ConflictError):
        records.add_link(replace(LINK, user="bob"))
    assert [records.link(one.issuer, one.subject) for one in (LINK, *others)] == [LINK, *others]
    assert records.link("https://ID.example.org", "4711") is None


def test_what_was_started_last_is_known_of_each_grant_and_owner(records: Records) -> None:
    first = LastStart("alice", "b" * 32, NOW, {"startup_file": "a é.py"})
    other = LastStart("alice", "c" * 32, NOW, {})
    for one in (first, other, replace(first, owner="bob")):
        records.note_start(one)
    again = replace(first, at=NOW + HOUR, options={"resolution": "window"})
    records.note_start(again)
    assert records.last_starts("alice") == {"b" * 32: again, "c" * 32: other}
    assert records.last_starts("bob") == {"b" * 32: replace(first, owner="bob")}
    assert records.last_starts("charlie") == {}
    records.forget_user("alice")
    assert records.last_starts("alice") == {}
    assert records.last_starts("bob") != {}


def test_what_shall_compute_on_is_noted_until_it_ends(records: Records) -> None:
    records.keep_running({"user:alice", "grant:" + "b" * 32})
    records.keep_running({"user:alice"})
    assert records.kept_running() == {"user:alice", "grant:" + "b" * 32}
    records.end_keeping({"user:alice", "user:unknown"})
    records.end_keeping([])
    assert records.kept_running() == {"grant:" + "b" * 32}


def test_what_becomes_of_homes_is_noted_oldest_first(records: Records) -> None:
    earlier = replace(TASK, volume="home-70001", at=NOW - HOUR)
    records.add_home_task(replace(TASK, action="delete"))
    records.add_home_task(earlier)
    records.add_home_task(TASK)
    assert list(records.home_tasks()) == [earlier, TASK]
    records.end_home_task("home-70001")
    records.end_home_task("unknown")
    assert list(records.home_tasks()) == [TASK]


def test_an_announcement_is_replaced_and_taken_back(records: Records) -> None:
    records.announce(Announcement("One", NOW))
    records.announce(Announcement("Two é"))
    assert records.announcement() == Announcement("Two é")
    records.announce(None)
    records.announce(None)
    assert records.announcement() is None


@pytest.mark.parametrize("row", [USAGE, RUNNING])
def test_a_line_of_the_ledger_comes_back_as_it_went_in(records: Records, row: UsageRow) -> None:
    records.save_usage(row)
    assert records.usage_of(row.session_id) == row
    assert list(records.usage()) == [row]


def test_a_saved_line_of_the_ledger_replaces_the_one_of_that_session(records: Records) -> None:
    records.save_usage(RUNNING)
    records.save_usage(USAGE)
    ended = replace(RUNNING, ended_at=NOW + HOUR, reason="ended", cpu_seconds=5.0)
    records.save_usage(ended)
    assert list(records.usage()) == [USAGE, ended]


def test_the_ledger_begins_with_the_oldest(records: Records) -> None:
    earlier = replace(USAGE, session_id="0" * 32, started_at=NOW - HOUR)
    records.save_usage(USAGE)
    records.save_usage(earlier)
    assert list(records.usage()) == [earlier, USAGE]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, "abcd"),
        (NOW, None, "bcd"),
        (NOW + HOUR, None, "cd"),
        (NOW + 3 * HOUR, None, "c"),
        (None, NOW, "a"),
        (None, NOW + HOUR, "abc"),
        (NOW - HOUR, NOW, "a"),
        (NOW, NOW + 2 * HOUR, "bc"),
        (NOW + 2 * HOUR, NOW + 3 * HOUR, "cd"),
    ],
)
def test_the_ledger_of_a_period_is_what_lies_partly_in_it(
    records: Records, since: datetime | None, until: datetime | None, expected: str
) -> None:
    lines = {
        "a": (NOW - HOUR, NOW),
        "b": (NOW, NOW + HOUR),
        "c": (NOW + HOUR / 2, None),
        "d": (NOW + 2 * HOUR, NOW + 2 * HOUR),  # failed as it started
    }
    for name, (started_at, ended_at) in lines.items():
        row = replace(USAGE, session_id=name * 32, started_at=started_at, ended_at=ended_at)
        records.save_usage(row)
    assert "".join(row.session_id[0] for row in records.usage(since, until)) == expected


def test_the_audit_log_comes_back_newest_first(records: Records) -> None:
    acts = [ACT, CHANGE, replace(ACT, action="grant"), replace(ACT, at=NOW - HOUR)]
    for act in acts:
        records.add_audit(act)
    assert list(records.audit()) == [CHANGE, acts[2], ACT, acts[3]]
    assert records.audit_count() == 4


def test_the_audit_log_is_searched_by_who_what_and_when(records: Records) -> None:
    for act in (ACT, CHANGE):
        records.add_audit(act)
    for found in (
        records.audit(actor="admin"),
        records.audit(action="user-create"),
        records.audit(target="alice"),
        records.audit(until=NOW + HOUR),
        records.audit(actor="admin", action="user-create", since=NOW, until=NOW + HOUR),
    ):
        assert list(found) == [ACT]
    assert list(records.audit(since=NOW + HOUR)) == [CHANGE]
    assert list(records.audit(actor="Admin")) == []
    assert records.audit_count(actor="admin", action="policy-edit") == 0
    assert records.audit_count(target="b" * 32, since=NOW, until=NOW + 2 * HOUR) == 1


def test_the_audit_log_is_searched_by_words_anywhere_in_an_act(records: Records) -> None:
    other = replace(
        CHANGE, detail="50% of Zoë's_disk", after={"name": "Zoë"}, address="203.0.113.9"
    )
    for act in (ACT, other):
        records.add_audit(act)
    for words in ("50%", "s_disk Policy", "113.9", "Zoë", "  disk  "):
        assert list(records.audit(words=words)) == [other], words
    assert list(records.audit(words="user-create")) == [ACT]
    for nothing in ("5_%", "sXdisk", "disk nothing"):
        assert records.audit_count(words=nothing) == 0, nothing


def test_the_audit_log_is_read_page_by_page(records: Records) -> None:
    acts = [replace(ACT, at=NOW - number * HOUR, detail=str(number)) for number in range(5)]
    for act in acts:
        records.add_audit(act)
    assert list(records.audit(limit=2)) == acts[:2]
    assert list(records.audit(limit=2, offset=4)) == acts[4:]
    assert list(records.audit(offset=3)) == acts[3:]
    assert list(records.audit(actor="admin", limit=1, offset=1)) == [acts[1]]
    assert list(records.audit(limit=0)) == []


def test_many_threads_write_at_once_and_nothing_is_lost(records: Records) -> None:
    def write(number: int) -> None:
        records.add_session(replace(SESSION, id=f"{number:032x}"))
        records.save_session(replace(READY, id=f"{number:032x}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert [one.state for one in records.open_sessions()] == [State.READY] * 64


def test_shares_are_kept_until_they_are_removed(records: Records) -> None:
    link = replace(SHARE, id="6" * 32, kind="link", name="", access="view", digest="7" * 64)
    later = replace(SHARE, id="4" * 32, name="caról", created_at=NOW + HOUR)
    for share in (later, link, SHARE):
        records.add_share(share)
    assert list(records.shares()) == [SHARE, link, later]
    records.remove_shares([link.id, later.id, "0" * 32])
    assert list(records.shares()) == [SHARE]
    records.remove_shares([])
    assert list(records.shares()) == [SHARE]


def test_what_a_sign_in_has_entered_is_replaced_as_long_as_it_lasts(records: Records) -> None:
    guest = replace(SIGNIN, id="digest-g", user="guest:" + "5" * 32, kind="guest", source="link")
    guest = replace(guest, shares=("5" * 32,), display="Zoë")
    records.add_signin(guest)
    records.add_signin(SIGNIN)
    assert records.note_shares(SIGNIN.id, ("5" * 32, "6" * 32))
    entered = replace(SIGNIN, shares=("5" * 32, "6" * 32))
    assert {one.id: one for one in records.signins(NOW)} == {SIGNIN.id: entered, guest.id: guest}
    records.end_signin(SIGNIN.id)
    assert not records.note_shares(SIGNIN.id, ())
    assert list(records.signins(NOW)) == [guest]


def test_what_is_shared_with_a_name_goes_with_it(records: Records) -> None:
    group = replace(SHARE, id="6" * 32, kind="group", name="bob")
    link = replace(SHARE, id="7" * 32, kind="link", name="", digest="8" * 64)
    for share in (SHARE, group, link):
        records.add_share(share)
    records.forget_user("bob")
    assert {one.id for one in records.shares()} == {group.id, link.id}
    records.forget_group("lab")
    records.forget_user("")
    assert {one.id for one in records.shares()} == {group.id, link.id}
    records.forget_group("bob")
    assert list(records.shares()) == [link]
