"""The verbs `remoteappdb app grant` and `app revoke`."""

import os
from pathlib import Path

import pytest
from cli.remoteappdb_site import Site
from click.testing import CliRunner

from control_plane.cli.remoteappdb import cli
from control_plane.domain.entities import Grantee, Policy, Volume


def test_a_grant_prints_its_id_alone(cast: Site) -> None:
    words = ("app", "grant", "desk", "alice", "--no-verify", "--allow-home", "--allow-view")
    printed = cast.done(
        *words,
        *("--memory", "512m", "--cpus", "0.5", "--pids", "64", "--max-sessions", "2"),
        *("--network", "none", "--max-lifetime", "90m", "--allow-startup-data"),
        *("--app_license", "key"),
    )
    (grant,) = cast.grants_of("alice")
    assert printed == f"{grant.id}\n"
    assert grant.policy == Policy(
        allow_home=True,
        share="view",
        memory=2**29,
        cpus=0.5,
        pids=64,
        max_sessions=2,
        network="none",
        max_lifetime=5400,
        allow_startup_data=True,
        app_license="key",
    )
    assert cast.acts()[-1] == ("grant", grant.id)
    (row,) = cast.records.audit(action="grant")
    assert row.after == {
        "grantee": "user alice",
        "image": "desk",
        "policy": {
            "allow_home": True,
            "allow_startup_data": True,
            "app_license": "***",
            "share": "view",
            "memory": 2**29,
            "cpus": 0.5,
            "pids": 64,
            "network": "none",
            "max_sessions": 2,
            "max_lifetime": 5400,
        },
    }


def test_what_a_grant_lifts_is_said_beside_its_id(cast: Site) -> None:
    result = cast.run("app", "grant", "desk", "alice", "--no-verify", "--legacy-home")
    (grant,) = cast.grants_of("alice")
    assert (result.exit_code, result.stdout) == (0, f"{grant.id}\n")
    assert grant.policy == Policy(legacy_home=True)
    assert "leave a set-uid file on the host" in result.stderr


def test_the_same_grant_again_prints_the_same_id(cast: Site) -> None:
    first = cast.granted("desk", "alice", "--share", "control")
    assert cast.granted("desk", "alice", "--share", "control") == first
    assert cast.granted("desk", "alice") != first


def test_a_grant_is_for_a_user_a_group_or_everyone(cast: Site) -> None:
    cast.done("group", "create", "lab", "alice")
    cast.granted("desk", "--group", "lab")
    cast.granted("lab", "--everyone")
    assert [one.grantee for one in cast.grants_of("alice")] == [
        Grantee("group", "lab"),
        Grantee("everyone"),
    ]
    assert [one.grantee for one in cast.grants_of("bob")] == [Grantee("everyone")]


@pytest.mark.parametrize("whom", [[], ["alice", "--everyone"], ["--group", "lab", "--everyone"]])
@pytest.mark.parametrize("verb", ["grant", "revoke"])
def test_a_grant_is_for_one_of_the_three(cast: Site, verb: str, whom: list[str]) -> None:
    result = cast.run("app", verb, "desk", *whom)
    assert result.exit_code == 2
    assert "Name one of USER, --group GROUP and --everyone." in result.stderr


@pytest.mark.parametrize("verb", [["grant", "--no-verify"], ["revoke"]])
@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (["--gpus", "1"], "gpus"),
        (["--idle-timeout", "60"], "idle_timeout"),
        (["--idle-action", "stop"], "idle_action"),
    ],
)
def test_a_flag_that_is_not_enforced_yet_is_refused(
    cast: Site, verb: list[str], flags: list[str], field: str
) -> None:
    line = cast.refused(2, "app", *verb, "desk", "alice", *flags)
    assert line == f"The policy is refused. {field}: not supported by this version yet."
    assert cast.grants_of("alice") == []


@pytest.mark.parametrize(
    "flags",
    [
        ["--memory", "lots"],
        ["--cpus", "0"],
        ["--pids", "x"],
        ["--share", "all"],
        ["--max-sessions", "0"],
        ["--allow-view", "--share", "control"],
        ["--network", "some"],
        ["--max-lifetime", "soon"],
        ["--max-lifetime", "99999d"],
        ["--volume", "/srv"],
        ["--volume", "/srv:/srv:rx"],
        ["--app-license", "a\nb"],
    ],
)
def test_a_bad_policy_is_wrong_usage(cast: Site, flags: list[str]) -> None:
    assert cast.run("app", "grant", "desk", "alice", "--no-verify", *flags).exit_code == 2
    assert cast.grants_of("alice") == []


def test_a_volume_lies_under_one_of_the_roots(cast: Site) -> None:
    line = cast.refused(
        2, "app", "grant", "desk", "alice", "--no-verify", "--volume", "/srv:/data:ro"
    )
    assert "does not lie under one of [volumes] roots (none is set)" in line
    words = [str(cast.path), "app", "grant", "desk", "alice", "--no-verify"]
    shared = Path("/srv/remoteapp-test-volume")
    shared.mkdir()
    try:
        result = CliRunner().invoke(
            cli,
            [*words, "--volume", f"{shared}:/data:ro"],
            env={"REMOTEAPP_VOLUMES__ROOTS": '["/srv"]'},
        )
    finally:
        shared.rmdir()
    assert result.exit_code == 0, result.output
    (grant,) = cast.grants_of("alice")
    assert grant.policy.volumes == (Volume(str(shared), "/data", "ro"),)


def test_a_volume_that_its_user_could_move_is_refused(cast: Site) -> None:
    theirs = Path("/srv/remoteapp-test-theirs")
    (theirs / "data").mkdir(parents=True)
    os.chown(theirs, 12345, 12345)
    words = [str(cast.path), "app", "grant", "desk", "alice", "--no-verify"]
    try:
        result = CliRunner().invoke(
            cli,
            [*words, "--volume", f"{theirs}/data:/data:rw"],
            env={"REMOTEAPP_VOLUMES__ROOTS": '["/srv"]'},
        )
    finally:
        (theirs / "data").rmdir()
        theirs.rmdir()
    assert result.exit_code == 2
    assert "must be root's and writable by nobody else" in result.stderr
    assert cast.grants_of("alice") == []


def test_a_grant_to_nobody_or_of_nothing_is_refused(cast: Site) -> None:
    words = ("app", "grant", "--no-verify", "desk")
    assert "no user charlie" in cast.refused(1, *words, "charlie")
    assert "no group charlie" in cast.refused(1, *words, "--group", "charlie")
    assert "no application of the image nothing" in cast.refused(
        1, "app", "grant", "nothing", "alice"
    )


def test_revoking_takes_just_what_the_options_say(cast: Site) -> None:
    kept = cast.granted("desk", "alice")
    gone = cast.granted("desk", "alice", "--allow-home")
    said = cast.done("app", "revoke", "desk", "alice", "--allow-home")
    assert said == "Revoked 1 of user alice.\n"
    assert [grant.id for grant in cast.grants_of("alice")] == [kept]
    assert cast.acts()[-1] == ("revoke", gone)
    assert cast.records.kept_running() == frozenset()


def test_revoking_all_takes_every_policy(cast: Site) -> None:
    for flags in ([], ["--allow-home"]):
        cast.granted("desk", "alice", *flags)
    cast.granted("lab", "alice")
    cast.granted("desk", "--everyone")
    cast.done("app", "revoke", "desk", "alice", "--revoke-all")
    assert [(one.application.image, str(one.grantee)) for one in cast.grants_of("alice")] == [
        ("desk", "everyone"),
        ("lab", "user alice"),
    ]


def test_revoking_all_takes_no_policy(cast: Site) -> None:
    result = cast.run("app", "revoke", "desk", "alice", "--revoke-all", "--allow-home")
    assert result.exit_code == 2


def test_what_runs_may_be_kept_running(cast: Site) -> None:
    gone = cast.granted("desk", "alice")
    cast.done("app", "revoke", "desk", "alice", "--keep-running")
    assert cast.records.kept_running() == frozenset({f"grant:{gone}"})
    (row,) = cast.records.audit(action="revoke")
    assert row.detail == "what runs computes on"


def test_revoking_what_nobody_granted_is_told(cast: Site) -> None:
    cast.granted("desk", "alice", "--allow-home")
    line = cast.refused(1, "app", "revoke", "desk", "alice")
    assert line.startswith("No such grant of desk to user alice.")
    assert len(cast.grants_of("alice")) == 1
