"""The verbs `remoteappdb app …`, with the real engine."""

import io
import json
import tarfile
from collections.abc import Iterator

import docker
import pytest
from cli.remoteappdb_site import Site
from click.testing import CliRunner

from control_plane.cli.remoteappdb import cli

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
    made = site.run(
        *("app", "create", "me/lab:1", "--no-verify", "--display-name", "Lab"),
        *("--description", "Notebooks", "--category", "Python", "--port", "9000"),
        *("--command", "lab --base '{base_path} x'", "--env", "A=b=c", "--env", "EMPTY="),
        *("--ready-path", "{base_path}/api", "--strip-path", "--run-as", "user"),
    )
    assert made.exit_code == 0
    assert made.stderr.startswith("strip_path: links of its pages that begin with a slash")
    (found,) = site.accounting.applications()
    assert len(found.id) == 32
    assert (found.image, found.display_name, found.port) == ("me/lab:1", "Lab", 9000)
    assert (found.description, found.category) == ("Notebooks", "Python")
    assert found.command == ("lab", "--base", "{base_path} x")
    assert found.environment == {"A": "b=c", "EMPTY": ""}
    assert found.ready_path == "{base_path}/api"
    assert (found.strip_path, found.run_as) == (True, "user")
    assert site.acts() == [("application-create", "me/lab:1")]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["a b"], "image: is not a name of an image"),
        (["x" * 300], "image: is not a name of an image"),
        (["img", "--port", "65536"], "port: must be a whole number from 1 to 65535"),
        (["img", "--env", "1A=b"], "environment: 1A is not a name of a variable"),
        (["img", "--display-name", "x" * 256], "display_name: must be text of at most 255"),
        (["img", "--ready-path", "a b"], "ready_path: must be a path"),
        (
            ["img", "--run-as", "root", "--command", "serve"],
            "command: cannot be given to what starts as root",
        ),
    ],
)
def test_a_bad_field_of_an_application_is_named(site: Site, words: list[str], problem: str) -> None:
    line = site.refused(2, "app", "create", "--no-verify", *words)
    assert problem in line
    assert list(site.accounting.applications()) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--env", "novalue"], "Invalid value for '--env': must be NAME=VALUE"),
        (["--env", "=x"], "Invalid value for '--env': must be NAME=VALUE"),
        (["--command", "'open"], "Invalid value for '--command': cannot be taken apart"),
        (["--port", "many"], "Invalid value for '--port'"),
    ],
)
@pytest.mark.parametrize("verb", ["create", "change"])
def test_a_flag_that_cannot_be_read_is_wrong_usage(
    cast: Site, verb: str, words: list[str], problem: str
) -> None:
    before = list(cast.accounting.applications())
    result = cast.run("app", verb, "desk", *words)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert list(cast.accounting.applications()) == before


@pytest.mark.usefixtures("engine_up")
def test_an_image_is_looked_for_on_the_engine(site: Site, image: str) -> None:
    assert site.done("app", "create", image) == f"Created the application {image}.\n"
    site.done("app", "grant", image, "--everyone")
    assert [one.application.image for one in site.accounting.grants()] == [image]


@pytest.mark.usefixtures("engine_up")
@pytest.mark.parametrize("verb", [["create"], ["grant"]])
def test_an_image_that_the_engine_lacks_is_refused(site: Site, verb: list[str]) -> None:
    missing = "remoteapp-test/missing"
    if verb == ["grant"]:
        site.done("app", "create", missing, "--no-verify")
        verb = [*verb, "--everyone"]
    line = site.refused(1, "app", *verb, missing)
    assert line == (
        "The engine does not have the image remoteapp-test/missing. "
        "Pull or build it first, or go on all the same with --no-verify."
    )
    assert list(site.accounting.grants()) == []


def test_an_engine_that_is_away_is_told(site: Site) -> None:
    words = [str(site.path), "app", "create", "desk"]
    result = CliRunner().invoke(cli, words, env={"DOCKER_HOST": "tcp://127.0.0.1:9"})
    assert result.exit_code == 4
    assert "engine does not answer" in result.stderr
    assert list(site.accounting.applications()) == []


def test_an_application_is_changed_where_it_is_named(cast: Site) -> None:
    grant_id = cast.granted("desk", "alice")
    cast.done("app", "change", "desk", "--port", "9000", "--env", "A=1")
    cast.done("app", "change", "desk", "--image", "desk:2", "--no-verify")
    (grant,) = cast.grants_of("alice")
    found = grant.application
    assert (grant.id, found.image, found.port) == (grant_id, "desk:2", 9000)
    assert found.environment == {"A": "1"}
    assert cast.acts()[-2:] == [("application-change", "desk"), ("application-change", "desk:2")]


def test_a_variable_that_a_change_does_not_name_stays(cast: Site) -> None:
    cast.done("app", "change", "desk", "--port", "9000", "--env", "A=1", "--env", "B=2")
    cast.done("app", "change", "desk", "--env", "B=3", "--env", "C=")
    cast.done("app", "change", "desk", "--no-env", "A", "--no-port")
    (found,) = [one for one in cast.accounting.applications() if one.image == "desk"]
    assert (found.environment, found.port) == ({"B": "3", "C": ""}, None)
    line = cast.refused(1, "app", "change", "desk", "--no-env", "A", "--env", "D=4")
    assert line == "The application has no variable A."
    cast.done("app", "change", "desk", "--display-name", "Desk")
    (found,) = [one for one in cast.accounting.applications() if one.image == "desk"]
    assert (found.environment, found.display_name) == ({"B": "3", "C": ""}, "Desk")


def test_a_change_that_cannot_be_is_refused(cast: Site) -> None:
    assert cast.run("app", "change", "desk").exit_code == 2
    line = cast.refused(1, "app", "change", "desk", "--image", "lab", "--no-verify")
    assert line == "There is an application of the image lab already."
    assert "port" in cast.refused(2, "app", "change", "desk", "--port", "0")
    line = cast.refused(1, "app", "change", "nothing", "--port", "1")
    assert line.startswith("There is no application of the image nothing.")


def test_an_application_goes_with_its_grants(cast: Site) -> None:
    grant_id = cast.granted("desk", "alice")
    assert cast.done("app", "remove", "desk") == "Removed the application desk.\n"
    assert cast.grants_of("alice") == []
    assert cast.acts()[-2:] == [("application-remove", "desk"), ("revoke", grant_id)]
    assert "no application of the image desk" in cast.refused(1, "app", "remove", "desk")


def test_the_grants_are_listed_with_whom_they_are_for(cast: Site) -> None:
    cast.done("group", "create", "lab", "alice")
    own = cast.granted("desk", "alice", "--app-license", "s3cret", "--memory", "1g")
    shared = cast.granted("desk", "--group", "lab")
    all_of_them = cast.granted("lab", "--everyone")
    rows = json.loads(cast.done("app", "list", "--show-grants", "--json"))
    assert {row["grant_id"]: row["granted_to"] for row in rows} == {
        own: "user alice",
        shared: "group lab",
        all_of_them: "everyone",
    }
    (mine,) = [row for row in rows if row["grant_id"] == own]
    assert (mine["memory"], mine["has_app_license"], mine["volumes"]) == (2**30, True, [])
    for form in ("--json", "--no-decoration", "--table"):
        assert "s3cret" not in cast.done("app", "list", "--show-grants", form)
        assert "s3cret" not in cast.done("user", "list", "--show-apps", form)
    users = json.loads(cast.done("user", "list", "--show-apps", "--json"))
    assert [(row["name"], row["grant_id"]) for row in users] == [
        *(("alice", row["grant_id"]) for row in rows),
        ("bob", all_of_them),
    ]
