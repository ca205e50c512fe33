"""Policies: what is read from fields, what is refused, what the site's defaults complete."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.entities import Policy, Volume
from control_plane.domain.policy import as_fields, effective, merged, narrowed, parse
from control_plane.domain.policy_fields import CHECKS, LATER
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
    network="internet",
    max_lifetime=28800,
)
VOLUMES = st.lists(
    st.builds("/srv/{}:/mnt/{}:{}".format, *[st.integers(0, 9)] * 2, st.sampled_from(["ro", "rw"])),
    max_size=3,
    unique_by=lambda text: text.split(":")[1],
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "allow_home": st.booleans(),
        "volumes": VOLUMES,
        "allow_startup_data": st.booleans(),
        "app_license": st.text("ABC-123", max_size=9),
        "share": st.sampled_from(["none", "view", "control"]),
        "memory": st.none() | st.integers(16 * 1024**2, 2**40),
        "cpus": st.none() | st.floats(0.05, 64),
        "pids": st.none() | st.integers(1, 10**6),
        "network": st.sampled_from([None, "internet", "none"]),
        "max_sessions": st.none() | st.integers(1, 1000),
        "max_lifetime": st.none() | st.integers(0, 10**6),
    },
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
        "volumes": ["/srv/data:/data:ro"],
        "allow_startup_data": True,
        "app_license": "A-1",
        "network": "none",
        "max_lifetime": 3600,
    }
    assert parse(fields) == Policy(
        allow_home=True,
        volumes=(Volume("/srv/data", "/data", "ro"),),
        allow_startup_data=True,
        app_license="A-1",
        share="control",
        memory=512 * 1024**2,
        cpus=0.5,
        pids=64,
        network="none",
        max_sessions=3,
        max_lifetime=3600,
    )


def test_the_licence_stands_in_no_message() -> None:
    assert "A-1" not in repr(parse({"app_license": "A-1"}))


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
        ("network", "lan", "must be one of internet, none"),
        ("max_lifetime", -1, "must be a whole number from 0 to 31622400"),
        ("allow_startup_data", 0, "must be true or false"),
        ("app_license", "a\nb", "must be text of at most 4096 printable characters"),
        ("app_license", "a" * 4097, "must be text of at most 4096 printable characters"),
        ("volumes", "/a:/b:ro", "must be a list of at most 20 times SOURCE:TARGET:MODE"),
        (
            "volumes",
            [7],
            "7 must be SOURCE:TARGET:MODE with two absolute paths and the mode ro or rw",
        ),
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
    allowed = f"unknown; allowed: {', '.join(CHECKS)}"
    with pytest.raises(InvalidError) as caught:
        parse({"ram": 1})
    assert caught.value.errors == (FieldError("ram", allowed),)


def test_every_bad_field_is_named_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        parse({"memory": "x", "share": "none", "pids": 0, "volumes": [""]})
    assert [error.field for error in caught.value.errors] == ["memory", "pids", "volumes"]


def test_the_defaults_fill_what_a_policy_does_not_say() -> None:
    assert effective(Policy(share="view"), LIMITS) == Policy(
        share="view",
        memory=2 * 1024**3,
        cpus=2.0,
        pids=512,
        network="internet",
        max_sessions=1,
        max_lifetime=28800,
    )


@given(FIELDS)
def test_what_a_policy_says_stands_and_nothing_stays_unsaid(fields: dict[str, object]) -> None:
    policy = parse(fields)
    whole = as_fields(effective(policy, LIMITS))
    said = {name: value for name, value in as_fields(policy).items() if value is not None}
    assert None not in whole.values()
    assert {name: whole[name] for name in said} == said
    assert effective(effective(policy, LIMITS), LIMITS) == effective(policy, LIMITS)


@given(FIELDS)
def test_a_policy_is_read_from_its_own_fields(fields: dict[str, object]) -> None:
    assert parse(as_fields(parse(fields))) == parse(fields)


@given(FIELDS, FIELDS)
def test_fields_put_over_a_policy_change_those_and_no_other(
    first: dict[str, object], second: dict[str, object]
) -> None:
    both = as_fields(merged(parse(first), second))
    untouched = {
        name: value for name, value in as_fields(parse(first)).items() if name not in second
    }
    assert both == as_fields(parse(second)) | untouched


@given(FIELDS)
def test_nothing_is_lost_under_the_same_policy(fields: dict[str, object]) -> None:
    policy = effective(parse(fields), LIMITS)
    assert not narrowed(policy, policy)


READ = Volume("/srv/data", "/data", "ro")
WRITE = Volume("/srv/data", "/data", "rw")


@pytest.mark.parametrize(
    ("was", "now", "lost"),
    [
        (Policy(allow_home=True), Policy(), "the home"),
        (Policy(legacy_home=True), Policy(), "the legacy home"),
        (Policy(volumes=(READ,)), Policy(), "the volume at /data"),
        (Policy(volumes=(WRITE,)), Policy(volumes=(READ,)), "the volume at /data"),
        (Policy(network="internet"), Policy(network="none"), "the network"),
        (Policy(volumes=(READ,)), Policy(volumes=(WRITE,)), ""),
        (Policy(network="none"), Policy(network="internet"), ""),
        (Policy(memory=2**30), Policy(memory=2**28), ""),
        (Policy(), Policy(allow_home=True, volumes=(WRITE,)), ""),
    ],
)
def test_what_a_new_policy_takes_away_is_named(was: Policy, now: Policy, lost: str) -> None:
    assert narrowed(was, now) == lost


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/srv/data", "must be SOURCE:TARGET:MODE"),
        ("/srv/data:/data", "must be SOURCE:TARGET:MODE"),
        ("/srv/data:/data:rx", "must be SOURCE:TARGET:MODE"),
        ("/srv:/data:/more:ro", "must be SOURCE:TARGET:MODE"),
        ("data:/data:ro", "must be an absolute path"),
        ("/srv/../etc:/data:ro", "must be an absolute path"),
        ("/srv//a:/data:ro", "must be an absolute path"),
        ("//srv:/data:ro", "must be an absolute path"),
        ("/srv:/:ro", "cannot be a target"),
        ("/srv:/etc/ssh:ro", "cannot be a target"),
        ("/srv:/proc:ro", "cannot be a target"),
    ],
)
def test_a_volume_that_cannot_be_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse({"volumes": ["/srv/data:/fine:ro", text]})
    (error,) = caught.value.errors
    assert error.field == "volumes"
    assert problem in error.message


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"volumes": ["/a:/x:ro", "/b:/x:ro"]}, "/x is the target of two volumes"),
        (
            {"volumes": ["/a:/workspace/x:ro"], "allow_home": True},
            "/workspace/x cannot be a target: the home lies at /workspace",
        ),
    ],
)
def test_volumes_that_get_in_each_others_way_are_refused(
    fields: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(fields)
    assert caught.value.errors == (FieldError("volumes", problem),)
