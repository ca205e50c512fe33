"""Roles: nobody gives more than they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.entities import SCOPES, User
from control_plane.domain.roles import Actor, must_hold, scopes_of
from control_plane.errors import ForbiddenError

scopes = st.frozensets(st.sampled_from(SCOPES))


def holds(actor: frozenset[str], given: frozenset[str]) -> bool:
    try:
        must_hold(Actor("someone", scopes=actor), given)
    except ForbiddenError:
        return False
    return True


@given(scopes, scopes)
def test_one_gives_just_what_one_holds(mine: frozenset[str], theirs: frozenset[str]) -> None:
    assert holds(mine, theirs) == (theirs <= mine)


@given(scopes)
def test_everyone_gives_what_they_hold_and_nothing_at_all(mine: frozenset[str]) -> None:
    assert holds(mine, mine)
    assert holds(mine, frozenset())


@given(scopes, scopes, scopes)
def test_what_is_passed_on_is_never_more_than_the_first_held(
    first: frozenset[str], second: frozenset[str], third: frozenset[str]
) -> None:
    if holds(first, second) and holds(second, third):
        assert holds(first, third)


@given(scopes, scopes, scopes)
def test_who_gives_two_things_gives_them_together(
    mine: frozenset[str], one: frozenset[str], other: frozenset[str]
) -> None:
    assert holds(mine, one | other) == (holds(mine, one) and holds(mine, other))


@given(name=st.text(min_size=1), admin=st.booleans(), enabled=st.booleans())
def test_an_administrator_may_all_that_anybody_may(
    *, name: str, admin: bool, enabled: bool
) -> None:
    allowed = scopes_of(User(name, "virtual", enabled=enabled, admin=admin))
    assert allowed <= scopes_of(User(name, "virtual", admin=True)) == frozenset(SCOPES)
    assert ("admin:write" in allowed) == admin


def test_what_is_lacking_is_named() -> None:
    actor = Actor("bob", scopes=frozenset({"admin:read", "admin:write"}))
    with pytest.raises(ForbiddenError) as refused:
        must_hold(actor, SCOPES)
    assert refused.value.message == (
        "You do not hold sessions:read, sessions:write, shares:write yourself."
    )
