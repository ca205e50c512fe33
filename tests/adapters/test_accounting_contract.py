"""What every accounting store promises: the three databases and the fake pass the same tests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from adapters.conftest import DIALECTS, Fresh
from adapters.fakes_store import FakeAccounting

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Group,
    Holdings,
    Policy,
    User,
    Volume,
)
from control_plane.domain.stores import Accounting
from control_plane.errors import ConflictError, NotFoundError, PreconditionError

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
WHOLE = replace(
    HOME,
    volumes=(Volume("/srv/data", "/data", "ro"), Volume("/srv/more", "/more", "rw")),
    allow_startup_data=True,
    app_license="key 'é' \\ %s",
    network="none",
    max_lifetime=2**40,
)
EVERYONE = Grantee("everyone")
TO_ALICE, TO_BOB, TO_LAB = (Grantee("user", "alice"), Grantee("user", "bob"), Grantee("group", "x"))


@pytest.fixture(params=["fake", *DIALECTS])
def accounting(request: pytest.FixtureRequest, fresh: Fresh) -> Iterator[Accounting]:
    if request.param == "fake":
        yield FakeAccounting()
        return
    database = Database(fresh(request.param))
    yield PeeweeAccounting(database)
    database.close()


@pytest.fixture
def filled(accounting: Accounting) -> Accounting:
    for user in (CHARLIE, ALICE, BOB):
        accounting.add_user(user)
    for application in (LAB, DESK):
        accounting.add_application(application)
    accounting.add_group(Group("x", ("bob", "alice")))
    return accounting


def nobody(_uid: int) -> bool:
    return False


def grouped(user: User, *groups: str) -> User:
    return replace(user, groups=groups)


def refusing(_was: object) -> User:
    raise PreconditionError("It was changed.")


def test_a_new_store_is_empty(accounting: Accounting) -> None:
    assert accounting.holdings() == Holdings()
    assert [*accounting.users(), *accounting.groups(), *accounting.applications()] == []
    assert [*accounting.grants(), *accounting.grants_of("alice")] == []
    assert accounting.user("alice") is None
    assert accounting.group("x") is None
    assert accounting.application("0" * 32) is None
    assert accounting.grant("0" * 32) is None
    assert accounting.holds([]) == {}


def test_users_come_back_as_they_went_in_by_name(filled: Accounting) -> None:
    assert list(filled.users()) == [grouped(ALICE, "x"), grouped(BOB, "x"), CHARLIE]
    assert filled.user("charlie") == CHARLIE


def test_a_name_is_taken_once(filled: Accounting) -> None:
    with pytest.raises(ConflictError):
        filled.add_user(User("charlie", "system"))
    assert filled.user("charlie") == CHARLIE


def test_a_uid_is_taken_once(filled: Accounting) -> None:
    with pytest.raises(ConflictError):
        filled.add_user(User("dave", "virtual", uid=70000, gid=70000))
    assert filled.user("dave") is None
    with pytest.raises(ConflictError):
        filled.change_user("charlie", lambda was: replace(was, uid=70000))
    assert filled.user("charlie") == CHARLIE


def test_names_that_differ_at_all_are_two(filled: Accounting) -> None:
    for name in ("Charlie", "charlie ", "charlié", "charlie\u0301", "ﬁ", "fi", "😀"):
        filled.add_user(User(name, "system"))
    assert filled.user("charlie") == CHARLIE
    names = [user.name for user in filled.users()]
    assert names == sorted(names)
    assert len(names) == 10


def test_a_user_is_changed_with_the_groups(filled: Accounting) -> None:
    filled.add_group(Group("a"))
    changed = filled.change_user(
        "alice", lambda was: replace(was, enabled=False, admin=True, groups=("a",))
    )
    assert changed == User(
        "alice", "virtual", enabled=False, admin=True, uid=70000, gid=70000, groups=("a",)
    )
    assert filled.user("alice") == changed
    assert filled.group("x") == Group("x", ("bob",))
    assert filled.user("charlie") == CHARLIE


def test_a_users_name_stays_whatever_a_change_says(filled: Accounting) -> None:
    changed = filled.change_user("charlie", lambda was: replace(was, name="other", admin=False))
    assert changed == replace(CHARLIE, admin=False)
    assert filled.user("other") is None


def test_a_change_that_raises_leaves_everything_as_it_was(filled: Accounting) -> None:
    before = filled.holdings()
    with pytest.raises(PreconditionError):
        filled.change_user("alice", refusing)
    with pytest.raises(NotFoundError, match="nothing"):
        filled.change_user("alice", lambda was: replace(was, admin=True, groups=("nothing",)))
    assert filled.holdings() == before


def test_a_user_of_an_unknown_group_is_not_added(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        filled.add_user(User("dave", "system", groups=("x", "nothing")))
    assert filled.user("dave") is None
    assert filled.group("x") == Group("x", ("alice", "bob"))


def test_an_unknown_user_is_neither_changed_nor_removed(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="dave"):
        filled.change_user("dave", lambda was: was)
    with pytest.raises(NotFoundError, match="dave"):
        filled.remove_user("dave")


def test_a_user_goes_with_the_grants_and_memberships(filled: Accounting) -> None:
    mine = filled.add_grant(TO_ALICE, DESK.id, HOME)
    other = filled.add_grant(TO_BOB, DESK.id, HOME)
    filled.remove_user("alice")
    assert filled.user("alice") is None
    assert filled.grant(mine.id) is None
    assert filled.grant(other.id) == other
    assert filled.group("x") == Group("x", ("bob",))


def test_uids_are_given_from_the_first_on(accounting: Accounting) -> None:
    assert list(accounting.reserve_uids(2, 70000, 70002, nobody)) == [70000, 70001]
    assert list(accounting.reserve_uids(1, 70000, 70002, nobody)) == [70002]
    assert list(accounting.reserve_uids(0, 70000, 70002, nobody)) == []


def test_a_uid_that_the_host_knows_is_passed_over(accounting: Accounting) -> None:
    chosen = accounting.reserve_uids(2, 70000, 70009, lambda uid: uid < 70003 or uid == 70004)
    assert list(chosen) == [70003, 70005]


def test_a_uid_is_never_given_again(filled: Accounting) -> None:
    filled.remove_user("alice")
    filled.change_user("charlie", lambda was: replace(was, uid=70002))
    assert list(filled.reserve_uids(1, 70000, 70009, nobody)) == [70003]


def test_when_too_few_uids_are_left_none_is_given(accounting: Accounting) -> None:
    with pytest.raises(ConflictError):
        accounting.reserve_uids(3, 70000, 70001, nobody)
    assert list(accounting.reserve_uids(2, 70000, 70001, nobody)) == [70000, 70001]


def test_many_uids_are_given_at_once(accounting: Accounting) -> None:
    assert list(accounting.reserve_uids(10000, 70000, 99999, nobody)) == list(range(70000, 80000))


def test_threads_never_get_the_same_uid(accounting: Accounting) -> None:
    with ThreadPoolExecutor(8) as pool:
        chosen = pool.map(lambda _: accounting.reserve_uids(3, 70000, 99999, nobody), range(16))
    assert sorted(uid for some in chosen for uid in some) == list(range(70000, 70048))


def test_groups_come_back_with_their_members_by_name(filled: Accounting) -> None:
    filled.add_group(Group("a"))
    assert list(filled.groups()) == [Group("a"), Group("x", ("alice", "bob"))]


def test_a_group_is_added_once_and_with_known_members(filled: Accounting) -> None:
    with pytest.raises(ConflictError, match="x"):
        filled.add_group(Group("x"))
    with pytest.raises(NotFoundError, match="dave"):
        filled.add_group(Group("y", ("alice", "dave")))
    assert list(filled.groups()) == [Group("x", ("alice", "bob"))]


def test_a_group_is_changed(filled: Accounting) -> None:
    changed = filled.change_group("x", lambda was: Group("other", (*was.members[1:], "charlie")))
    assert changed == Group("x", ("bob", "charlie"))
    assert list(filled.groups()) == [changed]
    assert filled.user("alice") == ALICE
    assert filled.user("charlie") == grouped(CHARLIE, "x")


def test_an_unknown_group_or_member_is_told(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        filled.change_group("nothing", lambda was: was)
    with pytest.raises(NotFoundError, match="dave"):
        filled.change_group("x", lambda was: replace(was, members=("charlie", "dave")))
    with pytest.raises(NotFoundError, match="nothing"):
        filled.remove_group("nothing")
    assert filled.group("x") == Group("x", ("alice", "bob"))


def test_a_group_goes_with_its_grants(filled: Accounting) -> None:
    gone = filled.add_grant(TO_LAB, DESK.id, HOME)
    filled.remove_group("x")
    assert filled.group("x") is None
    assert filled.user("alice") == ALICE
    assert filled.grant(gone.id) is None


def test_applications_come_back_as_they_went_in_by_image(filled: Accounting) -> None:
    assert list(filled.applications()) == [DESK, LAB]
    assert filled.application(DESK.id) == DESK


def test_an_image_is_known_once(filled: Accounting) -> None:
    with pytest.raises(ConflictError, match="desk"):
        filled.add_application(replace(DESK, id="e" * 32))
    with pytest.raises(ConflictError, match="desk"):
        filled.change_application(LAB.id, lambda was: replace(was, image="desk"))
    assert list(filled.applications()) == [DESK, LAB]


def test_an_application_is_changed_under_its_grants(filled: Accounting) -> None:
    made = filled.add_grant(TO_ALICE, LAB.id, HOME)
    changed = filled.change_application(LAB.id, lambda was: replace(DESK, id="0", image=was.image))
    assert changed == replace(DESK, id=LAB.id, image="lab:1.0")
    assert filled.application(LAB.id) == changed
    assert filled.grant(made.id) == replace(made, application=changed)


def test_an_application_goes_with_its_grants(filled: Accounting) -> None:
    gone = filled.add_grant(TO_ALICE, DESK.id, HOME)
    kept = filled.add_grant(TO_ALICE, LAB.id, HOME)
    filled.remove_application(DESK.id)
    assert list(filled.applications()) == [LAB]
    assert filled.grant(gone.id) is None
    assert list(filled.grants_of("alice")) == [kept]


def test_an_unknown_application_is_neither_changed_nor_removed(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="0" * 32):
        filled.change_application("0" * 32, lambda was: was)
    with pytest.raises(NotFoundError, match="0" * 32):
        filled.remove_application("0" * 32)


@pytest.mark.parametrize("policy", [Policy(), HOME, WHOLE])
@pytest.mark.parametrize("grantee", [TO_ALICE, TO_LAB, EVERYONE], ids=str)
def test_a_grant_has_an_id_of_32_hex_digits_and_all_its_parts(
    filled: Accounting, grantee: Grantee, policy: Policy
) -> None:
    made = filled.add_grant(grantee, DESK.id, policy)
    assert len(made.id) == 32
    assert set(made.id) <= set("0123456789abcdef")
    assert made == Grant(made.id, grantee, DESK, policy)
    assert filled.grant(made.id) == made


@pytest.mark.parametrize("policy", [Policy(), WHOLE, Policy(cpus=1)])
@pytest.mark.parametrize("grantee", [TO_ALICE, TO_LAB, EVERYONE], ids=str)
def test_the_same_grant_again_is_the_one_that_exists(
    filled: Accounting, grantee: Grantee, policy: Policy
) -> None:
    first = filled.add_grant(grantee, DESK.id, policy)
    same = replace(policy, cpus=policy.cpus and float(policy.cpus))
    assert filled.add_grant(grantee, DESK.id, same) == first
    assert list(filled.grants()) == [first]


def test_another_policy_is_another_grant(filled: Accounting) -> None:
    policies = [Policy(), Policy(pids=5), WHOLE, replace(WHOLE, volumes=WHOLE.volumes[::-1])]
    made = {filled.add_grant(TO_ALICE, DESK.id, policy).id for policy in policies}
    assert {one.id for one in filled.grants_of("alice")} == made
    assert len(made) == 4


def test_one_holds_by_name_by_group_and_as_everyone(filled: Accounting) -> None:
    by_group = filled.add_grant(TO_LAB, LAB.id, Policy())
    by_name = filled.add_grant(TO_ALICE, DESK.id, Policy())
    as_everyone = filled.add_grant(EVERYONE, LAB.id, HOME)
    to_bob = filled.add_grant(TO_BOB, DESK.id, Policy())
    rest = sorted([by_group, as_everyone], key=lambda one: one.id)
    assert list(filled.grants_of("alice")) == [by_name, *rest]
    assert list(filled.grants_of("bob")) == [to_bob, *rest]
    assert list(filled.grants_of("charlie")) == [as_everyone]
    assert list(filled.grants_of("dave")) == []


def test_a_grant_ends_with_the_membership(filled: Accounting) -> None:
    made = filled.add_grant(TO_LAB, DESK.id, Policy())
    filled.change_group("x", lambda was: replace(was, members=("alice",)))
    assert list(filled.grants_of("bob")) == []
    assert filled.holds([("bob", made.id), ("alice", made.id)]) == {("alice", made.id): made}


def test_what_holds_of_many_is_told(filled: Accounting) -> None:
    mine = filled.add_grant(TO_ALICE, DESK.id, Policy())
    by_group = filled.add_grant(TO_LAB, DESK.id, Policy())
    all_have = filled.add_grant(EVERYONE, DESK.id, Policy())
    people = ("alice", "bob", "charlie", "dave")
    asked = [(name, one.id) for name in people for one in (mine, by_group, all_have)]
    assert filled.holds([*asked, ("alice", "0" * 32)]) == {
        ("alice", mine.id): mine,
        ("alice", by_group.id): by_group,
        ("alice", all_have.id): all_have,
        ("bob", by_group.id): by_group,
        ("bob", all_have.id): all_have,
        ("charlie", all_have.id): all_have,
    }


def test_grants_come_by_image_and_grantee(filled: Accounting) -> None:
    grantees = [TO_BOB, EVERYONE, TO_ALICE, TO_LAB]
    for application in (LAB, DESK):
        for grantee in grantees:
            filled.add_grant(grantee, application.id, Policy())
    found = [(one.application.image, str(one.grantee)) for one in filled.grants()]
    names = ["everyone", "group x", "user alice", "user bob"]
    assert found == [(image, name) for image in ("desk", "lab:1.0") for name in names]


def test_a_grant_names_who_or_what_is_unknown(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="dave"):
        filled.add_grant(Grantee("user", "dave"), DESK.id, Policy())
    with pytest.raises(NotFoundError, match="alice"):
        filled.add_grant(Grantee("group", "alice"), DESK.id, Policy())
    with pytest.raises(NotFoundError, match="0" * 32):
        filled.add_grant(TO_ALICE, "0" * 32, Policy())
    assert list(filled.grants()) == []


def test_a_grant_gets_another_policy(filled: Accounting) -> None:
    made = filled.add_grant(TO_ALICE, DESK.id, WHOLE)
    other = filled.add_grant(TO_BOB, DESK.id, WHOLE)
    changed = filled.change_grant(made.id, lambda was: replace(was.policy, volumes=(), pids=3))
    assert changed == replace(made, policy=replace(WHOLE, volumes=(), pids=3))
    assert filled.grant(made.id) == changed
    assert filled.grant(other.id) == other
    assert filled.change_grant(made.id, lambda was: was.policy) == changed


def test_a_grant_gets_no_policy_that_another_of_the_same_has(filled: Accounting) -> None:
    for grantee in (EVERYONE, TO_LAB):
        made = filled.add_grant(grantee, DESK.id, Policy())
        filled.add_grant(grantee, DESK.id, HOME)
        with pytest.raises(ConflictError):
            filled.change_grant(made.id, lambda _was: HOME)
        assert filled.grant(made.id) == made


def test_an_unknown_grant_is_not_changed(filled: Accounting) -> None:
    with pytest.raises(NotFoundError, match="0" * 32):
        filled.change_grant("0" * 32, lambda was: was.policy)


def test_grants_are_removed_by_id(filled: Accounting) -> None:
    gone = [filled.add_grant(TO_ALICE, DESK.id, Policy(pids=number)).id for number in (1, 2)]
    kept = filled.add_grant(TO_ALICE, DESK.id, HOME)
    assert filled.remove_grants([*gone, "0" * 32]) == 2
    assert filled.remove_grants(gone) == 0
    assert list(filled.grants()) == [kept]


def test_everything_is_one_value(filled: Accounting) -> None:
    grants = [filled.add_grant(EVERYONE, LAB.id, WHOLE), filled.add_grant(TO_LAB, DESK.id, HOME)]
    assert filled.holdings() == Holdings(
        users=(grouped(ALICE, "x"), grouped(BOB, "x"), CHARLIE),
        groups=("x",),
        applications=(DESK, LAB),
        grants=tuple(grants[::-1]),
    )


def test_everything_is_made_anew_and_ids_stay(filled: Accounting) -> None:
    kept = filled.add_grant(TO_ALICE, DESK.id, HOME)
    gone = filled.add_grant(TO_BOB, DESK.id, HOME)
    desk, web = replace(DESK, display_name="Other"), Application("2" * 32, "web")
    moved = replace(kept, grantee=Grantee("group", "z"), application=desk, policy=WHOLE)
    wanted = Holdings(
        users=(
            User("dave", "virtual", uid=70001, gid=70001, groups=("z",)),
            replace(ALICE, admin=True, groups=("z", "y")),
        ),
        groups=("z", "y"),
        applications=(web, desk),
        grants=(Grant("9" * 32, EVERYONE, web, Policy()), moved),
    )
    made = filled.rewrite(lambda _was: wanted)
    assert made == Holdings(
        users=(replace(ALICE, admin=True, groups=("y", "z")), wanted.users[0]),
        groups=("y", "z"),
        applications=(desk, web),
        grants=(moved, wanted.grants[0]),
    )
    assert filled.holdings() == made
    assert filled.grant(gone.id) is None
    assert [one.id for one in filled.grants_of("dave")] == [kept.id, "9" * 32]


def test_a_rewriting_is_given_what_is_there(filled: Accounting) -> None:
    before = filled.holdings()
    seen: list[Holdings] = []
    assert filled.rewrite(lambda was: seen.append(was) or was) == before  # type: ignore[func-returns-value] # mypy knows neither such a lambda nor its value
    assert seen == [before]


def test_what_is_exchanged_in_a_rewriting_stands_in_nobodys_way(filled: Accounting) -> None:
    first = filled.add_grant(TO_ALICE, DESK.id, HOME)
    second = filled.add_grant(TO_ALICE, DESK.id, Policy())
    wanted = Holdings(
        users=(replace(ALICE, uid=70001), BOB, replace(CHARLIE, uid=70000)),
        applications=(replace(DESK, image="lab:1.0"), replace(LAB, image="desk")),
        grants=(replace(first, policy=Policy()), replace(second, policy=HOME)),
    )
    made = filled.rewrite(lambda _was: wanted)
    assert filled.holdings() == made
    assert [user.uid for user in made.users] == [70001, None, 70000]
    assert [one.id for one in made.applications] == [LAB.id, DESK.id]
    assert {one.id: one.policy for one in made.grants} == {first.id: Policy(), second.id: HOME}


def test_a_rewriting_that_does_not_hold_together_leaves_everything(filled: Accounting) -> None:
    made = filled.add_grant(TO_ALICE, DESK.id, HOME)
    before = filled.holdings()
    lost = [
        replace(before, users=before.users[1:]),
        replace(before, groups=()),
        replace(before, applications=(LAB,)),
    ]
    double = [
        replace(before, users=(*before.users, replace(BOB, admin=True))),
        replace(before, users=(*before.users, User("dave", "virtual", uid=70000))),
        replace(before, groups=("x", "x")),
        replace(before, applications=(*before.applications, Application("3" * 32, "desk"))),
        replace(before, applications=(*before.applications, replace(DESK, image="other"))),
        replace(before, grants=(made, replace(made, id="9" * 32))),
        replace(before, grants=(made, replace(made, policy=WHOLE))),
    ]
    for wanted in lost:
        with pytest.raises(NotFoundError):
            filled.rewrite(lambda _was, wanted=wanted: wanted)  # type: ignore[misc] # mypy knows neither such a lambda nor its value
    for wanted in double:
        with pytest.raises(ConflictError):
            filled.rewrite(lambda _was, wanted=wanted: wanted)  # type: ignore[misc] # mypy knows neither such a lambda nor its value
    assert filled.holdings() == before


def test_a_uid_of_a_rewriting_counts_as_given(filled: Accounting) -> None:
    dave = User("dave", "virtual", uid=70005, gid=70005)
    filled.rewrite(lambda was: replace(was, users=(dave,), groups=(), grants=()))
    assert list(filled.reserve_uids(4, 70000, 70009, nobody)) == [70002, 70003, 70004, 70006]


def test_ten_thousand_grants_are_made_at_once(filled: Accounting) -> None:
    applications = [Application(f"{number:032x}", f"image{number}") for number in range(1, 101)]
    users = [User(f"user{number:03}", "system") for number in range(100)]
    grants = [
        Grant(f"{number:032x}", Grantee("user", user.name), application, Policy(pids=number % 7))
        for number, (user, application) in enumerate(
            (user, application) for user in users for application in applications
        )
    ]
    wanted = Holdings(tuple(users), (), tuple(applications), tuple(grants))
    made = filled.rewrite(lambda _was: wanted)
    assert len(made.grants) == 10000
    assert filled.holdings() == made
    assert len(filled.grants_of("user042")) == 100
