"""The verbs `remoteappdb group …`."""

import json

import pytest
from cli.remoteappdb_site import Site


def test_a_group_is_made_filled_and_emptied(cast: Site) -> None:
    assert cast.done("group", "create", "lab") == "Created the group lab.\n"
    assert cast.done("group", "add", "lab", "bob", "alice") == "Put bob, alice into lab.\n"
    assert cast.done("group", "list", "--no-decoration") == "lab\talice, bob\n"
    assert cast.done("group", "discard", "lab", "bob") == "Took bob out of lab.\n"
    assert json.loads(cast.done("group", "list", "--json")) == [
        {"name": "lab", "members": ["alice"]}
    ]
    (row,) = cast.records.audit(action="group-change", limit=1)
    assert (row.before, row.after) == ({"members": ["alice", "bob"]}, {"members": ["alice"]})


def test_a_group_goes_with_its_grants_and_its_users_stay(cast: Site) -> None:
    cast.done("group", "create", "lab", "alice")
    grant_id = cast.granted("desk", "--group", "lab")
    assert cast.done("group", "remove", "lab") == "Removed the group lab.\n"
    assert cast.grants_of("alice") == []
    assert [(one.name, one.groups) for one in cast.accounting.users()] == [
        ("alice", ()),
        ("bob", ()),
    ]
    assert cast.acts()[-2:] == [("group-remove", "lab"), ("revoke", grant_id)]


def test_a_user_is_created_into_groups(cast: Site) -> None:
    cast.done("group", "create", "lab")
    cast.done("user", "create", "carol", "--group", "lab")
    assert [one.name for one in cast.accounting.users() if one.groups == ("lab",)] == ["carol"]


@pytest.mark.parametrize("name", ["../x", "A", "", "x" * 65, "a\nb"])
def test_a_name_that_no_group_can_have_is_refused(site: Site, name: str) -> None:
    line = site.refused(2, "group", "create", "--", name)
    assert line.startswith("A group cannot be called")
    assert list(site.accounting.groups()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "lab"), "There is a group lab already."),
        (("create", "new", "dora"), "There is no user dora."),
        (("add", "nothing", "alice"), "There is no group nothing."),
        (("add", "lab", "dora"), "There is no user dora."),
        (("discard", "lab", "bob"), "Not in the group lab: bob."),
        (("remove", "nothing"), "There is no group nothing."),
    ],
)
def test_what_is_not_there_is_told(cast: Site, words: tuple[str, ...], said: str) -> None:
    cast.done("group", "create", "lab", "alice")
    assert cast.refused(1, "group", *words).startswith(said)
    assert cast.done("group", "list", "--no-decoration") == "lab\talice\n"


def test_a_user_in_a_group_that_is_not_there_is_not_made(site: Site) -> None:
    line = site.refused(1, "user", "create", "alice", "--group", "lab")
    assert line.startswith("There is no group lab.")
    assert list(site.accounting.users()) == []
