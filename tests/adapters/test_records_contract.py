"""What records promise: the database and the fake pass the same tests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from adapters.fakes_store import FakeRecords

from control_plane.adapters.database import Database
from control_plane.adapters.migrations import migrate
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import (
    AuditRow,
    Failure,
    Session,
    SignIn,
    State,
    Token,
    UsageRow,
)
from control_plane.domain.ports import Records
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
)
FAILED = replace(
    SESSION,
    id="f" * 32,
    state=State.FAILED,
    ended_at=NOW + HOUR,
    ends_because="failed",
    failure=Failure("exited", "It ended.", "line 1\nline é"),
)
TOKEN = Token("1" * 32, "alice", "laptop", ("sessions:read",), NOW, NOW + HOUR, "digest-1")
SIGNIN = SignIn("digest-a", "alice", "user", NOW, NOW + HOUR, "192.0.2.1")
USAGE = UsageRow("a" * 32, "alice", "Desktop", "desk:1", NOW, NOW + HOUR, "stopped")
ACT = AuditRow(NOW, "admin", "user-create", "alice", "192.0.2.9", "virtual")


@pytest.fixture(params=["fake", "sqlite"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    if request.param == "fake":
        yield FakeRecords()
        return
    url = str(tmp_path / "records.db")
    migrate(url, ["records"])
    database = Database(url)
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
    assert list(records.audit()) == []


@pytest.mark.parametrize("session", [SESSION, READY, FAILED])
def test_a_session_comes_back_as_it_went_in(records: Records, session: Session) -> None:
    records.add_session(session)
    assert records.session(session.id) == session


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


def test_the_addresses_of_the_lately_ended_are_known(records: Records) -> None:
    records.add_session(SESSION)
    records.add_session(stopped(7, "alice", NOW))
    records.add_session(stopped(8, "alice", NOW + HOUR))
    records.add_session(stopped(9, "bob", NOW + HOUR))
    assert list(records.addresses_ended_since(NOW)) == ["10.213.0.8", "10.213.0.9"]


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


def test_a_forgotten_user_leaves_ledger_and_audit(records: Records) -> None:
    records.set_password("alice", "one")
    records.add_signin(SIGNIN)
    records.add_token(TOKEN)
    records.add_token(replace(TOKEN, id="2" * 32, user="bob", digest="digest-2"))
    records.add_usage(USAGE)
    records.add_audit(ACT)
    records.forget_user("alice")
    assert records.password("alice") is None
    assert list(records.signins(NOW)) == []
    assert [token.user for token in records.tokens(NOW)] == ["bob"]
    assert list(records.usage()) == [USAGE]
    assert list(records.audit()) == [ACT]


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


def test_a_session_is_written_into_the_ledger_once(records: Records) -> None:
    records.add_usage(USAGE)
    records.add_usage(replace(USAGE, reason="again"))
    assert list(records.usage()) == [USAGE]


def test_the_ledger_begins_with_the_oldest(records: Records) -> None:
    earlier = replace(USAGE, session_id="0" * 32, started_at=NOW - HOUR)
    records.add_usage(USAGE)
    records.add_usage(earlier)
    assert list(records.usage()) == [earlier, USAGE]


def test_the_audit_log_keeps_the_order_of_writing(records: Records) -> None:
    second = replace(ACT, at=NOW - HOUR, action="user-remove")
    records.add_audit(ACT)
    records.add_audit(second)
    assert list(records.audit()) == [ACT, second]


def test_many_threads_write_at_once_and_nothing_is_lost(records: Records) -> None:
    def write(number: int) -> None:
        records.add_session(replace(SESSION, id=f"{number:032x}"))
        records.save_session(replace(READY, id=f"{number:032x}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert [one.state for one in records.open_sessions()] == [State.READY] * 64
