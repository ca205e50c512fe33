"""What another portal kept is brought in: what comes, what stays, what is left out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO
from usecases.conftest import APPLICATION, FakeHost, caller, until

from control_plane import imports, sessions
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Holdings,
    Policy,
    Session,
    State,
    User,
    Volume,
)
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError
from control_plane.imports import Imported

ACTOR = Actor("cli:operator")
PAINT = Application("e" * 32, "lab/paint:1")
ERIN = User("erin", "virtual")
FRED = User("fred", "virtual")
DORA = User("dora", "system")
FOUND = Holdings(
    users=(User("alice", "virtual"), DORA, ERIN),
    applications=(Application("f" * 32, HELLO), PAINT),
    grants=(
        Grant("1" * 32, Grantee("user", "erin"), Application("f" * 32, HELLO), Policy()),
        Grant("2" * 32, Grantee("user", "alice"), PAINT, Policy(share="view")),
        Grant("3" * 32, Grantee("user", "dora"), PAINT, Policy(app_license="key-4711")),
    ),
)


@dataclass
class SlowHost(FakeHost):
    """A host that takes so long over its uids that somebody writes meanwhile."""

    write: Callable[[], None] = lambda: None

    def knows_uid(self, uid: int) -> bool:
        self.write()
        self.write = lambda: None
        return super().knows_uid(uid)


def bring_in(plane: Plane, found: Holdings = FOUND, *, dry_run: bool = False) -> Imported:
    return imports.bring_in(plane.books, ACTOR, found, "import of old.db", dry_run=dry_run)


def test_what_is_new_comes_in_and_what_is_there_stays(plane: Plane) -> None:
    before = plane.accounting.holdings()
    new = bring_in(plane)
    erin = User("erin", "virtual", uid=70003, gid=70003)
    assert list(new.users) == [DORA, erin]
    assert list(new.applications) == [PAINT]
    assert [one.id for one in new.grants] == ["1" * 32, "2" * 32, "3" * 32]
    assert (list(new.left_out), list(new.not_startable)) == ([], [])
    after = plane.accounting.holdings()
    assert set(after.users) == {*before.users, DORA, erin}
    assert list(after.applications) == sorted(
        [*before.applications, PAINT], key=lambda one: one.image
    )
    assert {one.id for one in after.grants} == {
        *(one.id for one in before.grants),
        *(one.id for one in new.grants),
    }


def test_a_grant_comes_with_the_application_that_is_there_already(plane: Plane) -> None:
    bring_in(plane)
    grant = plane.accounting.grant("1" * 32)
    assert grant
    assert (grant.application.id, grant.application.display_name) == (APPLICATION, "Hello")


def test_the_same_again_changes_nothing(plane: Plane) -> None:
    bring_in(plane)
    before, acts, version = (
        plane.accounting.holdings(),
        plane.records.audit_count(),
        plane.stores.version(),
    )
    again = bring_in(plane)
    assert (again.empty, list(again.left_out), list(again.not_startable)) == (True, [], [])
    assert plane.accounting.holdings() == before
    assert plane.records.audit_count() == acts
    assert plane.stores.version() == version
    uids = plane.accounting.reserve_uids(1, 70000, 70009, lambda _: False)
    assert list(uids) == [70004]


def test_a_dry_run_says_the_same_and_writes_nothing(plane: Plane) -> None:
    before, version = plane.accounting.holdings(), plane.stores.version()
    said = bring_in(plane, dry_run=True)
    assert plane.accounting.holdings() == before
    assert plane.stores.version() == version
    done = bring_in(plane)
    assert list(said.users) == [DORA, ERIN]
    assert replace(said, users=()) == replace(done, users=())


def test_someone_who_came_in_starts_under_the_old_id(plane: Plane) -> None:
    bring_in(plane)
    session = sessions.begin(plane, caller(plane, "erin"), "1" * 32, {}, instead=False)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    assert plane.access.sessions[session.id].grant_id == "1" * 32


def test_a_newcomer_has_no_password_and_nothing_of_a_former_one(plane: Plane) -> None:
    plane.records.set_password("erin", "of a former erin")
    bring_in(plane)
    assert plane.records.password("erin") is None
    assert plane.records.password("alice") is not None


def test_every_newcomer_application_and_grant_stands_in_the_audit_log(plane: Plane) -> None:
    bring_in(plane)
    rows = [row for row in plane.records.audit() if row.detail == "import of old.db"]
    assert {(row.actor, row.action, row.target) for row in rows} == {
        ("cli:operator", "user-create", "dora"),
        ("cli:operator", "user-create", "erin"),
        ("cli:operator", "application-create", "lab/paint:1"),
        *(("cli:operator", "grant", number * 32) for number in "123"),
    }
    assert len(rows) == 6
    assert "4711" not in repr(rows)


def test_newcomers_who_cannot_come_are_left_out_with_their_grants(plane: Plane) -> None:
    left = Session(
        id="9" * 32,
        owner="erin",
        grant_id="8" * 32,
        application="Hello",
        image=HELLO,
        type="webapp",
        state=State.READY,
        created_at=plane.clock(),
        address="10.213.0.9",
        port=8888,
        ready_path="/",
    )
    plane.records.add_session(left)
    gone = replace(FOUND, users=(ERIN, User("greta", "system"), User("dora", "virtual")))
    new = bring_in(plane, gone)
    assert list(new.users) == []
    assert [one.id for one in new.grants] == ["2" * 32]
    former = "Sessions of a former user erin still run. End them first, or choose another name."
    none = "This host has no account greta. Make it with useradd, or create a virtual user."
    taken = "This host has an account dora. Choose another name, or create a system user."
    assert list(new.left_out) == [
        f"User erin was not taken. {former}",
        f"User greta was not taken. {none}",
        f"User dora was not taken. {taken}",
        "Nor were the 2 grants of those users.",
    ]
    assert plane.accounting.user("erin") is None


def test_a_grant_that_says_what_another_says_already_is_left_out(plane: Plane) -> None:
    (mine,) = plane.accounting.grants_of("alice")
    same = Grant("4" * 32, mine.grantee, Application("f" * 32, HELLO), mine.policy)
    found = Holdings((User("alice", "virtual"),), (), (Application("f" * 32, HELLO),), (same,))
    new = bring_in(plane, found)
    assert new.empty
    assert list(new.left_out) == [
        f"Grant {'4' * 32} was not taken: the grant {mine.id} says the same."
    ]


def test_an_id_that_another_application_has_is_replaced(plane: Plane) -> None:
    found = replace(FOUND, applications=(replace(PAINT, id=APPLICATION),), grants=())
    (made,) = bring_in(plane, found).applications
    assert made.image == "lab/paint:1"
    assert len(made.id) == 32
    assert made.id != APPLICATION


def test_each_volume_that_may_not_be_mounted_is_told_and_its_grant_listed(
    plane: Plane, root: Path
) -> None:
    volumes = (
        Volume(str(root), "/data", "ro"),
        Volume("/tmp", "/more", "ro"),
        Volume(f"{root}/gone", "/rest", "rw"),
    )
    grant = replace(FOUND.grants[0], policy=Policy(volumes=volumes))
    new = bring_in(plane, replace(FOUND, grants=(grant,)))
    who = f"The grant {'1' * 32} of {HELLO} for user erin is listed and not startable:"
    assert list(new.not_startable) == [
        f"{who} /tmp does not lie under one of [volumes] roots ({root}).",
        f"{who} {root}/gone cannot be looked at: No such file or directory.",
    ]
    assert plane.accounting.grant("1" * 32) is not None


def test_an_administrator_by_the_settings_is_left_out(plane: Plane) -> None:
    """Without a password it would be whoever comes first by that name from elsewhere."""
    new = bring_in(plane, Holdings(users=(User("admin", "virtual"),)))
    assert plane.accounting.user("admin") is None
    (left_out,) = new.left_out
    assert "User admin was not taken. The name is an administrator's here." in left_out


def test_a_change_in_between_refuses_the_whole_import(plane: Plane) -> None:
    slow = replace(plane.books, host=SlowHost(write=lambda: plane.accounting.add_user(FRED)))
    before = plane.accounting.holdings()
    with pytest.raises(ConflictError, match="changed meanwhile"):
        imports.bring_in(slow, ACTOR, FOUND, "import of old.db")
    after = plane.accounting.holdings()
    assert set(after.users) == {*before.users, FRED}
    assert (after.applications, after.grants) == (before.applications, before.grants)
    assert [row for row in plane.records.audit() if row.detail] == []
