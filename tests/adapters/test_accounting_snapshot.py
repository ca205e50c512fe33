"""Accounting over a source: what it answers, what it refuses, and how it follows a change."""

import inspect
import threading
from dataclasses import replace

import pytest

from control_plane.adapters.accounting_snapshot import SnapshotAccounting, stable_id
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Group,
    Holdings,
    Policy,
    User,
)
from control_plane.domain.stores import Accounting, Stores
from control_plane.errors import InvalidError, NotSupportedError, StoreUnavailableError

EVERYONE = Grantee("everyone")
ALICE = User("alice", "virtual", uid=70000, gid=70000, groups=("chemists", "staff"))
BOB = User("bob", "system", enabled=False)
CHARLIE = User("charlie", "virtual", admin=True, uid=70001, gid=70001, groups=("staff",))
DESK = Application("d" * 32, "desk", environment={"ONE": "1"})
LAB = Application("1" * 32, "lab:1.0")
HERS = Grant("a" * 32, Grantee("user", "alice"), LAB, Policy(allow_home=True))
THEIRS = Grant("b" * 32, Grantee("group", "staff"), DESK, Policy())
MORE = Grant("c" * 32, Grantee("group", "staff"), DESK, Policy(share="view"))
ALL = Grant("f" * 32, EVERYONE, LAB, Policy(memory=2**30))
FULL = Holdings(
    users=(ALICE, BOB, CHARLIE),
    groups=("chemists", "nobody", "staff"),
    applications=(DESK, LAB),
    grants=(THEIRS, MORE, ALL, HERS),
)
READS = {"user", "users", "group", "groups", "applications", "application", "grant", "grants"}
READS |= {"grants_of", "holds", "holdings"}
WRITES = {name for name, _ in inspect.getmembers(Accounting, inspect.isfunction)} - READS
WRITES = {name for name in WRITES if not name.startswith("_")}


class Source:
    """A source that says what a test puts there, and counts how often it was read."""

    def __init__(self, holds: Holdings = FULL) -> None:
        self.holds = holds
        self.number = 1
        self.away: Exception | None = None
        self.read = 0

    def version(self) -> object:
        if self.away:
            raise self.away
        return self.number

    def holdings(self) -> Holdings:
        self.read += 1
        return self.holds

    def says(self, holds: Holdings) -> None:
        self.holds = holds
        self.number += 1


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def accounting(source: Source) -> SnapshotAccounting:
    return SnapshotAccounting(source, "the list of the lab")


def test_it_stands_for_both_ports(accounting: SnapshotAccounting) -> None:
    reader: Accounting = accounting
    notices: Stores = accounting
    assert reader.users() == FULL.users
    notices.check()


def test_users_and_groups_come_by_name(accounting: SnapshotAccounting) -> None:
    assert list(accounting.users()) == [ALICE, BOB, CHARLIE]
    assert accounting.user("bob") == BOB
    assert accounting.user("dave") is None
    assert list(accounting.groups()) == [
        Group("chemists", ("alice",)),
        Group("nobody"),
        Group("staff", ("alice", "charlie")),
    ]
    assert accounting.group("staff") == Group("staff", ("alice", "charlie"))
    assert accounting.group("alice") is None


def test_applications_come_by_image_and_grants_by_image_and_grantee(
    accounting: SnapshotAccounting,
) -> None:
    assert list(accounting.applications()) == [DESK, LAB]
    assert accounting.application(LAB.id) == LAB
    assert accounting.application(HERS.id) is None
    assert list(accounting.grants()) == [THEIRS, MORE, ALL, HERS]
    assert accounting.grant(ALL.id) == ALL
    assert accounting.grant(LAB.id) is None


def test_everything_comes_in_its_order_however_it_was_given(source: Source) -> None:
    source.holds = Holdings(
        users=(CHARLIE, BOB, replace(ALICE, groups=ALICE.groups[::-1])),
        groups=FULL.groups[::-1],
        applications=FULL.applications[::-1],
        grants=FULL.grants[::-1],
    )
    assert SnapshotAccounting(source).holdings() == FULL


def test_a_user_holds_by_name_by_group_and_as_everyone(accounting: SnapshotAccounting) -> None:
    assert list(accounting.grants_of("alice")) == [THEIRS, MORE, ALL, HERS]
    assert list(accounting.grants_of("charlie")) == [THEIRS, MORE, ALL]
    assert list(accounting.grants_of("bob")) == [ALL]


@pytest.mark.parametrize("name", ["dave", "staff", "", "everyone"])
def test_a_name_that_is_no_users_holds_nothing(accounting: SnapshotAccounting, name: str) -> None:
    assert list(accounting.grants_of(name)) == []
    assert accounting.holds({(name, one.id) for one in FULL.grants}) == {}


def test_only_what_holds_is_answered(accounting: SnapshotAccounting) -> None:
    asked = {(user.name, one.id) for user in FULL.users for one in FULL.grants}
    held = accounting.holds(asked | {("alice", "0" * 32), ("alice", LAB.id)})
    assert held == {
        **{("alice", one.id): one for one in (THEIRS, MORE, ALL, HERS)},
        **{("charlie", one.id): one for one in (THEIRS, MORE, ALL)},
        ("bob", ALL.id): ALL,
    }
    assert accounting.holds([]) == {}


def test_an_empty_source_holds_nothing() -> None:
    accounting = SnapshotAccounting(Source(Holdings()))
    assert accounting.holdings() == Holdings()
    assert list(accounting.grants_of("alice")) == []


@pytest.mark.parametrize("write", sorted(WRITES))
def test_every_write_is_refused_and_says_where_to_write(
    accounting: SnapshotAccounting, write: str
) -> None:
    with pytest.raises(NotSupportedError) as error:
        getattr(accounting, write)("alice", lambda present: present, keyword=1)
    assert error.value.message == "Accounting is kept in the list of the lab and is only read here."
    assert accounting.holdings() == FULL


def test_there_are_writes_to_refuse() -> None:
    assert len(WRITES) == 14
    assert {"rewrite", "reserve_uids", "remove_grants", "add_user"} <= WRITES


def test_the_source_is_read_once_until_its_version_changes(
    source: Source, accounting: SnapshotAccounting
) -> None:
    for _ in range(3):
        accounting.users()
        accounting.version()
    assert source.read == 1
    source.says(replace(FULL, grants=()))
    assert list(accounting.grants_of("alice")) == []
    assert source.read == 2


def test_a_change_is_told_by_the_version(source: Source, accounting: SnapshotAccounting) -> None:
    before = accounting.version()
    assert accounting.version() == before
    source.says(replace(FULL, grants=()))
    assert accounting.version() != before


def test_a_source_that_is_away_leaves_the_last_state_in_force_until_it_is_back(
    source: Source, accounting: SnapshotAccounting, caplog: pytest.LogCaptureFixture
) -> None:
    source.away = StoreUnavailableError("The list does not answer.")
    version = accounting.version()
    for _ in range(3):
        assert accounting.holdings() == FULL
    assert accounting.version() == version
    with pytest.raises(StoreUnavailableError) as error:
        accounting.check()
    assert error.value.message == "The list does not answer."
    assert "stays in force" in error.value.hint
    assert len(caplog.records) == 1
    source.away = None
    accounting.check()


NO_UID = replace(ALICE, uid=None)
STRAY = replace(THEIRS, grantee=Grantee("group", "gone"))
OTHER = replace(HERS, application=replace(LAB, image="lab:2.0"))


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        (replace(FULL, users=(*FULL.users, BOB)), "user bob", "twice"),
        (replace(FULL, users=(ALICE, replace(CHARLIE, uid=70000))), "uid 70000", "twice"),
        (replace(FULL, users=(NO_UID, BOB, CHARLIE)), "user alice", "must have a uid"),
        (replace(FULL, groups=("nobody", "staff")), "user alice", "no known group: chemists"),
        (replace(FULL, groups=(*FULL.groups, "staff")), "group staff", "twice"),
        (replace(FULL, applications=(DESK, LAB, DESK)), "image desk", "twice"),
        (replace(FULL, applications=(DESK,)), f"grant {ALL.id}", "somebody or something unknown"),
        (replace(FULL, grants=(OTHER,)), f"grant {OTHER.id}", "somebody or something unknown"),
        (replace(FULL, grants=(STRAY,)), f"grant {STRAY.id}", "somebody or something unknown"),
        (replace(FULL, grants=(HERS, HERS)), f"grant {HERS.id}", "twice"),
        (replace(FULL, grants=(replace(HERS, id="A" * 32),)), f"grant {'A' * 32}", "32 hex digits"),
    ],
)
def test_what_does_not_fit_together_refuses_the_start_and_changes_nothing_later(
    source: Source,
    accounting: SnapshotAccounting,
    wrong: Holdings,
    field: str,
    message: str,
) -> None:
    with pytest.raises(InvalidError) as error:
        SnapshotAccounting(Source(wrong))
    assert any(one.field == field and message in one.message for one in error.value.errors)
    source.says(wrong)
    assert accounting.holdings() == FULL
    with pytest.raises(StoreUnavailableError, match="does not fit together"):
        accounting.check()
    assert source.read == 2


def test_many_threads_read_a_change_once(source: Source, accounting: SnapshotAccounting) -> None:
    source.says(replace(FULL, grants=(ALL,)))
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.append(len(accounting.grants()))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 20
    assert source.read == 2


def test_a_stable_id_is_32_hex_digits_that_tell_words_apart() -> None:
    assert stable_id("grant", "alice") == "8a9da6bcb8273e7c91d0d630116f9edd"
    assert stable_id("a", "bc") != stable_id("ab", "c")
