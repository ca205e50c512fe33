"""The verbs `remoteappdb app …`, with the real engine."""

import io
import tarfile
from collections.abc import Iterator

import docker
import pytest
from cli.remoteappdb_site import Site
from click.testing import CliRunner

from control_plane.cli.remoteappdb import cli
from control_plane.domain.entities import Policy

IMAGE = "remoteapp-test/nothing"


@pytest.fixture
def image() -> Iterator[str]:
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    client = docker.from_env()
    client.api.import_image_from_data(empty.getvalue(), repository=IMAGE)
    yield IMAGE
    client.images.remove(IMAGE)
    client.close()


def test_an_application_keeps_what_it_was_made_with(site: Site) -> None:
    site.done(
        *("app", "create", "me/lab:1", "--no-verify", "--display-name", "Lab"),
        *("--description", "Notebooks", "--category", "Python", "--port", "9000"),
        *("--command", "lab --base '{base_path} x'", "--env", "A=b=c", "--env", "EMPTY="),
        *("--ready-path", "{base_path}/api"),
    )
    (found,) = site.accounting.applications()
    assert len(found.id) == 32
    assert (found.image, found.display_name, found.port) == ("me/lab:1", "Lab", 9000)
    assert (found.description, found.category) == ("Notebooks", "Python")
    assert found.command == ("lab", "--base", "{base_path} x")
    assert found.environment == {"A": "b=c", "EMPTY": ""}
    assert found.ready_path == "{base_path}/api"
    assert site.acts() == [("application-create", "me/lab:1")]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["a b"], "image: is not a name of an image"),
        (["x" * 300], "image: is not a name of an image"),
        (["img", "--env", "1A=b"], "env: must be NAME=VALUE"),
        (["img", "--env", "novalue"], "env: must be NAME=VALUE"),
        (["img", "--command", "'open"], "command: No closing quotation"),
    ],
)
def test_a_bad_field_of_an_application_is_named(site: Site, words: list[str], problem: str) -> None:
    line = site.refused(2, "app", "create", "--no-verify", *words)
    assert problem in line
    assert list(site.accounting.applications()) == []


@pytest.mark.usefixtures("engine_up")
def test_an_image_is_looked_for_on_the_engine(site: Site, image: str) -> None:
    assert site.done("app", "create", image) == f"Created the application {image}.\n"


@pytest.mark.usefixtures("engine_up")
def test_an_image_that_the_engine_lacks_is_refused(site: Site) -> None:
    line = site.refused(1, "app", "create", "remoteapp-test/missing")
    assert line == (
        "The engine does not have the image remoteapp-test/missing. "
        "Pull or build it first, or add it all the same with --no-verify."
    )
    assert list(site.accounting.applications()) == []


def test_an_engine_that_is_away_is_told(site: Site) -> None:
    words = [str(site.path), "app", "create", "desk"]
    result = CliRunner().invoke(cli, words, env={"DOCKER_HOST": "tcp://127.0.0.1:9"})
    assert result.exit_code == 4
    assert "engine does not answer" in result.stderr
    assert list(site.accounting.applications()) == []


def test_an_application_goes_with_its_grants(cast: Site) -> None:
    cast.done("app", "grant", "desk", "alice")
    assert cast.done("app", "remove", "desk") == "Removed the application desk.\n"
    assert list(cast.accounting.grants_of("alice")) == []
    assert "no application of the image desk" in cast.refused(1, "app", "remove", "desk")


def test_a_grant_prints_its_id_alone(cast: Site) -> None:
    words = ("app", "grant", "desk", "alice", "--allow-home", "--allow-view", "--memory", "512m")
    printed = cast.done(*words, "--cpus", "0.5", "--pids", "64", "--max-sessions", "2")
    (grant,) = cast.accounting.grants_of("alice")
    assert printed == f"{grant.id}\n"
    assert grant.policy == Policy(
        allow_home=True, share="view", memory=2**29, cpus=0.5, pids=64, max_sessions=2
    )
    assert cast.acts()[-1] == ("grant", grant.id)


def test_the_same_grant_again_prints_the_same_id(cast: Site) -> None:
    first = cast.done("app", "grant", "desk", "alice", "--share", "control")
    assert cast.done("app", "grant", "desk", "alice", "--share", "control") == first
    assert cast.done("app", "grant", "desk", "alice") != first


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (["--volume", "/data:/data:ro"], "volumes"),
        (["--app-license", "key"], "app_license"),
        (["--app_license", "key"], "app_license"),
        (["--allow-startup-data"], "allow_startup_data"),
        (["--network", "none"], "network"),
        (["--max-lifetime", "3600"], "max_lifetime"),
        (["--legacy-home"], "legacy_home"),
        (["--gpus", "1"], "gpus"),
        (["--idle-timeout", "60"], "idle_timeout"),
        (["--idle-action", "stop"], "idle_action"),
    ],
)
@pytest.mark.parametrize("verb", ["grant", "revoke"])
def test_a_flag_that_is_not_enforced_yet_is_refused(
    cast: Site, verb: str, flags: list[str], field: str
) -> None:
    line = cast.refused(2, "app", verb, "desk", "alice", *flags)
    assert line == f"The policy is refused. {field}: not supported by this version yet."
    assert list(cast.accounting.grants_of("alice")) == []


@pytest.mark.parametrize(
    "flags",
    [
        ["--memory", "lots"],
        ["--cpus", "0"],
        ["--pids", "x"],
        ["--share", "all"],
        ["--max-sessions", "0"],
        ["--allow-view", "--share", "control"],
    ],
)
def test_a_bad_policy_is_wrong_usage(cast: Site, flags: list[str]) -> None:
    assert cast.run("app", "grant", "desk", "alice", *flags).exit_code == 2
    assert list(cast.accounting.grants_of("alice")) == []


def test_a_grant_to_nobody_or_of_nothing_is_refused(cast: Site) -> None:
    assert "no user charlie" in cast.refused(1, "app", "grant", "desk", "charlie")
    assert "no application of the image nothing" in cast.refused(
        1, "app", "grant", "nothing", "alice"
    )


def test_revoking_takes_just_what_the_options_say(cast: Site) -> None:
    kept = cast.done("app", "grant", "desk", "alice").strip()
    cast.done("app", "grant", "desk", "alice", "--allow-home")
    assert cast.done("app", "revoke", "desk", "alice", "--allow-home") == "Revoked 1 of alice.\n"
    assert [grant.id for grant in cast.accounting.grants_of("alice")] == [kept]
    assert cast.acts()[-1] == ("revoke", "desk")


def test_revoking_all_takes_every_policy(cast: Site) -> None:
    for flags in ([], ["--allow-home"]):
        cast.done("app", "grant", "desk", "alice", *flags)
    cast.done("app", "grant", "lab", "alice")
    cast.done("app", "revoke", "desk", "alice", "--revoke-all")
    assert [one.application.image for one in cast.accounting.grants_of("alice")] == ["lab"]


def test_revoking_what_nobody_granted_is_told(cast: Site) -> None:
    cast.done("app", "grant", "desk", "alice", "--allow-home")
    line = cast.refused(1, "app", "revoke", "desk", "alice")
    assert line.startswith("No such grant of desk to alice.")
    assert len(cast.accounting.grants_of("alice")) == 1
