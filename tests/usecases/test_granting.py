"""Several grants at once: all of them, or none with every reason."""

import pytest
from usecases.conftest import APPLICATION

from control_plane import granting
from control_plane.domain.entities import Application, Grantee, Group, Policy, Volume
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import FieldError, InvalidError

ACTOR = Actor("admin", "192.0.2.1")
SECOND = Application("b" * 32, "lab/second:1")
CHARLIE, CHEMISTS = Grantee("user", "charlie"), Grantee("group", "chemists")


@pytest.fixture(autouse=True)
def _more(plane: Plane) -> None:
    plane.accounting.add_application(SECOND)
    plane.accounting.add_group(Group("chemists", ("bob",)))


def test_every_application_is_granted_to_every_grantee(plane: Plane) -> None:
    policy, ids = Policy(memory=2**30), [APPLICATION, SECOND.id]
    made = granting.grant(plane.books, ACTOR, [CHARLIE, CHEMISTS, CHARLIE], ids, policy)
    found = {(one.grantee, one.application.id) for one in made.new}
    assert found == {(one, which) for one in (CHARLIE, CHEMISTS) for which in ids}
    assert {one.policy for one in made.new} == {policy}
    assert [plane.accounting.grant(one.id) for one in made.new] == list(made.new)
    assert made.present == 0
    rows = plane.records.audit(action="grant")
    assert {row.target for row in rows} == {one.id for one in made.new}


def test_what_is_granted_already_stays_and_is_counted(plane: Plane) -> None:
    first = granting.grant(plane.books, ACTOR, [CHARLIE], [APPLICATION], Policy())
    again = granting.grant(plane.books, ACTOR, [CHARLIE, CHEMISTS], [APPLICATION], Policy())
    assert [one.grantee for one in again.new] == [CHEMISTS]
    assert again.present == 1
    assert plane.accounting.grant(first.new[0].id) == first.new[0]


def test_nothing_is_granted_where_something_is_unknown_and_all_of_it_is_told(plane: Plane) -> None:
    before = plane.accounting.grants()
    unknown = [
        CHARLIE,
        Grantee("user", "nobody"),
        Grantee("group", "none"),
        Grantee("user", "noone"),
    ]
    with pytest.raises(InvalidError) as error:
        granting.grant(plane.books, ACTOR, unknown, ["c" * 32], Policy())
    assert list(error.value.errors) == [
        FieldError("users", "There is no user nobody."),
        FieldError("groups", "There is no group none."),
        FieldError("users", "There is no user noone."),
        FieldError("applications", "one of them is not there any more"),
    ]
    assert plane.accounting.grants() == before


@pytest.mark.parametrize(
    ("grantees", "applications", "fields"),
    [
        ([], [], {"applications", "users"}),
        ([CHARLIE, Grantee("everyone")], [APPLICATION], {"everyone"}),
        ([Grantee("user", f"u{number}") for number in range(101)], range(100), {"applications"}),
    ],
)
def test_too_little_and_too_much_is_refused(
    plane: Plane, grantees: list[Grantee], applications: list[object], fields: set[str]
) -> None:
    with pytest.raises(InvalidError) as error:
        granting.grant(plane.books, ACTOR, grantees, [str(one) for one in applications], Policy())
    assert {one.field for one in error.value.errors} == fields


def test_a_volume_that_may_not_be_mounted_is_told_of(plane: Plane) -> None:
    policy = Policy(volumes=(Volume("/etc", "/data", "ro"),))
    with pytest.raises(InvalidError) as error:
        granting.grant(plane.books, ACTOR, [CHARLIE], [APPLICATION], policy)
    assert {one.field for one in error.value.errors} == {"volumes"}
