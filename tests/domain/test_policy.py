"""Policies: what is read from fields, what is refused, what the site's defaults complete."""

from datetime import timedelta

import pytest

from control_plane.domain.entities import Policy
from control_plane.domain.policy import LATER, effective, parse
from control_plane.domain.ports import Limits
from control_plane.errors import FieldError, InvalidError

LIMITS = Limits(
    memory=2 * 1024**3,
    cpus=2.0,
    pids=512,
    max_sessions=1,
    sessions_per_user=10,
    keep_ended=timedelta(days=7),
    start_timeout=60,
    stop_timeout=10,
)


def test_no_field_is_the_most_careful_policy() -> None:
    assert parse({}) == Policy(allow_home=False, share="none")


def test_every_field_is_read() -> None:
    fields = {
        "allow_home": True,
        "share": "control",
        "memory": "512m",
        "cpus": 0.5,
        "pids": 64,
        "max_sessions": 3,
    }
    assert parse(fields) == Policy(
        allow_home=True, share="control", memory=512 * 1024**2, cpus=0.5, pids=64, max_sessions=3
    )


def test_none_is_as_good_as_absent() -> None:
    assert parse({"memory": None, "share": None, "allow_home": None}) == Policy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (16777216, 16777216),
        ("16777216", 16777216),
        ("20000k", 20480000),
        ("2G", 2 * 1024**3),
        ("1gb", 1024**3),
        ("1t", 1024**4),
    ],
)
def test_memory_is_bytes_or_text(text: object, expected: int) -> None:
    assert parse({"memory": text}).memory == expected


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("allow_home", "yes", "must be true or false"),
        ("allow_home", 1, "must be true or false"),
        ("share", "all", "must be one of none, view, control"),
        ("share", ["view"], "must be one of none, view, control"),
        ("memory", "lots", "must be a number of bytes, or text such as 512m or 2g"),
        ("memory", "1.5g", "must be a number of bytes, or text such as 512m or 2g"),
        ("memory", True, "must be a number of bytes, or text such as 512m or 2g"),
        ("memory", -1, "must lie between 16m and 16t"),
        ("memory", "1m", "must lie between 16m and 16t"),
        ("memory", "17t", "must lie between 16m and 16t"),
        ("cpus", 0, "must be a number from 0.05 to 1024"),
        ("cpus", float("nan"), "must be a number from 0.05 to 1024"),
        ("cpus", float("inf"), "must be a number from 0.05 to 1024"),
        ("cpus", "1", "must be a number from 0.05 to 1024"),
        ("cpus", True, "must be a number from 0.05 to 1024"),
        ("pids", 0, "must be a whole number from 1 to 4194304"),
        ("pids", 1.5, "must be a whole number from 1 to 4194304"),
        ("pids", True, "must be a whole number from 1 to 4194304"),
        ("max_sessions", 0, "must be a whole number from 1 to 1000"),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, value: object, problem: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse({field: value})
    assert caught.value.errors == (FieldError(field, problem),)


@pytest.mark.parametrize("field", LATER)
@pytest.mark.parametrize("value", [None, False, "x"])
def test_what_is_not_enforced_yet_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidError) as caught:
        parse({field: value})
    assert caught.value.errors == (FieldError(field, "not supported by this version yet"),)


def test_an_unknown_field_is_told_what_is_allowed() -> None:
    allowed = "unknown; allowed: allow_home, share, memory, cpus, pids, max_sessions"
    with pytest.raises(InvalidError) as caught:
        parse({"ram": 1})
    assert caught.value.errors == (FieldError("ram", allowed),)


def test_every_bad_field_is_named_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        parse({"memory": "x", "share": "none", "pids": 0, "volumes": []})
    assert [error.field for error in caught.value.errors] == ["memory", "pids", "volumes"]


def test_the_defaults_fill_what_a_policy_does_not_say() -> None:
    assert effective(Policy(share="view"), LIMITS) == Policy(
        allow_home=False, share="view", memory=2 * 1024**3, cpus=2.0, pids=512, max_sessions=1
    )


def test_what_a_policy_says_stands() -> None:
    whole = Policy(allow_home=True, share="none", memory=1024**3, cpus=0.1, pids=5, max_sessions=4)
    assert effective(whole, LIMITS) == whole
