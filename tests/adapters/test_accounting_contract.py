"""What every accounting store promises: the database and the fake pass the same tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from adapters.fakes_store import FakeAccounting

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.migrations import migrate
from control_plane.domain.entities import Application, Policy, User
from control_plane.domain.ports import Accounting
from control_plane.errors import ConflictError, NotFoundError

ALICE = User("alice", "virtual", uid=70000, gid=70000)
BOB = User("bob", "system")
CHARLIE = User("charlie", "virtual", admin=True, uid=70001, gid=70001)
DESK = Application(
    id="d" * 32,
    image="desk",
    display_name="Desktop",
    description="A terminal and more",
    category="Desktops",
    port=8080,
    command=("sh", "-c", "echo 'a b'"),
    environment={"ONE": "1", "EMPTY": ""},
    ready_path="/ready",
)
LAB = Application(id="1" * 32, image="lab:1.0")
HOME = Policy(allow_home=True, share="view", memory=2**33, cpus=0.1, pids=99, max_sessions=2)


@pytest.fixture(params=["fake", "sqlite"])
def accounting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Accounting]:
    if request.param == "fake":
        yield FakeAccounting()
        return
    url = str(tmp_path / "accounting.db")
    migrate(url, ["accounting"])
    database = Database(url)
    yield PeeweeAccounting(database)
    database.close()


@pytest.fixture
def filled(accounting: Accounting) -> Accounting:
    for user in (CHARLIE, ALICE, BOB):
        accounting.add_user(user)
    for application in (LAB, DESK):
        accounting.add_application(application)
    return accounting


def nobody(_uid: int) -> bool:
    return False


def test_a_new_store_is_empty(accounting: Accounting) -> None:
    assert list(accounting.users()) == []
    assert list(accounting.applications()) == []
    assert list(accounting.grants_of("alice")) == []
    assert accounting.user("alice") is None
    assert accounting.grant("0" * 32) is None


def test_users_come_back_as_they_went_in_by_name(filled: Accounting) -> None:
    assert list(filled.users()) == [ALICE, BOB, CHARLIE]
    assert filled.user("bob") == BOB


def test_a_name_is_taken_once(filled: Accounting) -> None:
    with pytest.raises(ConflictError):
        filled.add_user(User("alice", "system"))
    assert filled.user("alice") == ALICE


def test_a_uid_is_taken_once(filled: Accounting) -> None:
    with pytest.raises(ConflictError):
        filled.add_user(User("dave", "virtual", uid=70000, gid=70000))
    assert filled.user("dave") is None


def test_names_that_differ_in_case_are_two(filled: Accounting) -> None:
    filled.add_user(User("Alice", "system"))
    assert filled.user("alice") == ALICE


def test_a_user_is_changed(filled: Accounting) -> None:
    disabled = replace(ALICE, enabled=False, admin=True)
    filled.change_user(disabled)
    assert filled.user("alice") == disabled
    assert filled.user("charlie") == CHARLIE


def test_an_unknown_user_is_neither_changed_nor_removed(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="dave"):
        filled.change_user(User("dave", "virtual"))
    with pytest.raises(NotFoundError, match="dave"):
        filled.remove_user("dave")


def test_a_user_goes_with_the_grants(filled: Accounting) -> None:
    mine = filled.add_grant("desk", "alice", HOME)
    other = filled.add_grant("desk", "bob", HOME)
    filled.remove_user("alice")
    assert filled.user("alice") is None
    assert filled.grant(mine.id) is None
    assert filled.grant(other.id) == other


def test_uids_are_given_from_the_first_on(accounting: Accounting) -> None:
    assert [accounting.next_uid(70000, 70002, nobody) for _ in range(3)] == [70000, 70001, 70002]


def test_a_uid_that_the_host_knows_is_passed_over(accounting: Accounting) -> None:
    assert accounting.next_uid(70000, 70009, lambda uid: uid < 70003) == 70003


def test_a_uid_is_never_given_again(filled: Accounting) -> None:
    filled.remove_user("alice")
    assert filled.next_uid(70000, 70009, nobody) == 70002


def test_when_no_uid_is_left_it_says_so(accounting: Accounting) -> None:
    accounting.next_uid(70000, 70000, nobody)
    with pytest.raises(ConflictError):
        accounting.next_uid(70000, 70000, nobody)


def test_applications_come_back_as_they_went_in_by_image(filled: Accounting) -> None:
    assert list(filled.applications()) == [DESK, LAB]


def test_an_image_is_known_once(filled: Accounting) -> None:
    with pytest.raises(ConflictError, match="desk"):
        filled.add_application(replace(DESK, id="e" * 32))


def test_an_application_goes_with_its_grants(filled: Accounting) -> None:
    gone = filled.add_grant("desk", "alice", HOME)
    kept = filled.add_grant("lab:1.0", "alice", HOME)
    filled.remove_application("desk")
    assert list(filled.applications()) == [LAB]
    assert filled.grant(gone.id) is None
    assert list(filled.grants_of("alice")) == [kept]


def test_an_unknown_application_is_not_removed(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        filled.remove_application("nothing")


def test_a_grant_has_an_id_of_32_hex_digits_and_all_its_parts(filled: Accounting) -> None:
    made = filled.add_grant("desk", "alice", HOME)
    assert len(made.id) == 32
    assert set(made.id) <= set("0123456789abcdef")
    assert (made.user, made.application, made.policy) == ("alice", DESK, HOME)
    assert filled.grant(made.id) == made


def test_the_same_grant_again_is_the_one_that_exists(filled: Accounting) -> None:
    first = filled.add_grant("desk", "alice", Policy())
    assert filled.add_grant("desk", "alice", Policy()) == first
    assert len(filled.grants_of("alice")) == 1


def test_another_policy_is_another_grant(filled: Accounting) -> None:
    first = filled.add_grant("desk", "alice", Policy())
    second = filled.add_grant("desk", "alice", replace(Policy(), pids=5))
    assert {one.id for one in filled.grants_of("alice")} == {first.id, second.id}


def test_grants_of_one_user_are_nobody_elses(filled: Accounting) -> None:
    lab = filled.add_grant("lab:1.0", "alice", Policy())
    desk = filled.add_grant("desk", "alice", Policy())
    filled.add_grant("desk", "bob", Policy())
    assert list(filled.grants_of("alice")) == [desk, lab]
    assert list(filled.grants_of("charlie")) == []


def test_a_grant_names_who_or_what_is_unknown(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="dave"):
        filled.add_grant("desk", "dave", Policy())
    with pytest.raises(NotFoundError, match="nothing"):
        filled.add_grant("nothing", "alice", Policy())


def test_revoking_takes_the_grant_of_just_that_policy(filled: Accounting) -> None:
    plain = filled.add_grant("desk", "alice", Policy())
    filled.add_grant("desk", "alice", HOME)
    assert filled.revoke("desk", "alice", HOME) == 1
    assert list(filled.grants_of("alice")) == [plain]


def test_revoking_any_policy_takes_all_of_that_user_and_image(filled: Accounting) -> None:
    for policy in (Policy(), HOME):
        filled.add_grant("desk", "alice", policy)
    others = filled.add_grant("desk", "bob", HOME), filled.add_grant("lab:1.0", "alice", HOME)
    assert filled.revoke("desk", "alice", None) == 2
    assert (*filled.grants_of("bob"), *filled.grants_of("alice")) == others


def test_revoking_what_nobody_granted_is_none(filled: Accounting) -> None:
    filled.add_grant("desk", "alice", HOME)
    assert filled.revoke("desk", "alice", Policy()) == 0
    assert filled.revoke("desk", "dave", None) == 0
    assert filled.revoke("nothing", "alice", None) == 0
