"""A session becomes a container: compared word for word."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from control_plane.domain import containers, labels, options
from control_plane.domain.entities import (
    Application,
    Image,
    Person,
    Policy,
    Session,
    State,
    Volume,
)
from control_plane.errors import InvalidError

ID = "0123456789abcdef0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n"
PREFIX = "eu.simphony-project.docker."
DESKTOP = Image(
    "sha256:1",
    "lab/desktop:latest",
    {
        PREFIX + "contract": "1",
        PREFIX + "type": "vncapp",
        PREFIX + "env.x11-width": "",
        PREFIX + "env.x11-height": "",
        PREFIX + "env.x11-depth": "",
    },
)
FOREIGN = Image("sha256:2", "somebody/app:1", {"maintainer": "somebody"})
PERSON = Person("ann@lab.example", 70001, 70002, (50, 60), "home-of-ann", home_is_volume=True)
DATA = Volume("/srv/data", "/data", "ro")
BOUNDS = containers.Bounds(open_files=1024, disk=5 * 1024**3)
spec_of = partial(containers.spec, realm="lab", bounds=BOUNDS)
POLICY = Policy(allow_home=True, share="none", memory=1024**3, cpus=1.5, pids=100, max_sessions=1)
SESSION = Session(
    id=ID,
    owner="ann@lab.example",
    grant_id="g" * 32,
    application="Desktop",
    image="lab/desktop:latest",
    type="vncapp",
    state=State.STARTING,
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    address="10.213.0.7",
    port=8888,
    ready_path=f"/user/ann@lab.example/containers/{ID}/",
    options={"resolution": "1280x800"},
)


def made(application: Application, policy: Policy = POLICY) -> containers.ContainerSpec:
    return spec_of(SESSION, application, policy, DESKTOP, PERSON)


def test_the_spec_of_a_desktop() -> None:
    assert made(Application("a", "lab/desktop:latest")) == containers.ContainerSpec(
        name=f"remoteapp-lab-{ID}",
        image="sha256:1",
        command=(),
        environment={
            "X11_WIDTH": "1280",
            "X11_HEIGHT": "800",
            "X11_DEPTH": "24",
            "JPY_USER": "ann@lab.example",
            "JPY_BASE_USER_URL": "/user/ann@lab.example",
            "URL_ID": ID,
            "USER": "user",
            "USER_UID": "70001",
            "USER_GID": "70002",
            "USER_GIDS": "50,60",
            "HOME": "/workspace",
        },
        labels=labels.of_session(SESSION, "lab"),
        uid=70001,
        gid=70002,
        gids=(50, 60),
        login="user",
        home_directory="/workspace",
        as_root=False,
        own_directory=False,
        home=containers.HomeMount("home-of-ann", is_volume=True),
        volumes=(),
        network="internet",
        address="10.213.0.7",
        port=8888,
        published_port=8888,
        memory=1024**3,
        cpus=1.5,
        pids=100,
        read_only=False,
        open_files=1024,
        disk=5 * 1024**3,
    )


def test_the_licence_and_the_startup_file_reach_the_container_and_nothing_else() -> None:
    session = replace(SESSION, options={"startup_file": "/workspace/case.med"})
    policy = replace(POLICY, app_license="L-42", network="none", volumes=(DATA,))
    application = Application("a", "lab/desktop:latest")
    spec = spec_of(session, application, policy, DESKTOP, PERSON)
    assert spec.environment["APP_LICENSE"] == "L-42"
    assert spec.environment["STARTUPDATA"] == "/workspace/case.med"
    assert (spec.volumes, spec.network) == ((DATA,), "none")
    assert "L-42" not in str(spec.labels) + repr(spec)


@pytest.mark.parametrize(
    ("changes", "read_only"),
    [
        ({"read-only": "1"}, True),
        ({"read-only": "0"}, False),
        ({}, False),
        ({"read-only": "1", "contract": None}, False),  # made for simphony-remote: root writes
    ],
)
def test_a_root_is_read_only_where_an_image_of_the_contract_says_that_it_can(
    changes: dict[str, str | None], *, read_only: bool
) -> None:
    wanted = {**DESKTOP.labels, **{PREFIX + name: value for name, value in changes.items()}}
    image = replace(DESKTOP, labels={name: text for name, text in wanted.items() if text})
    spec = spec_of(SESSION, Application("a", "x"), POLICY, image, PERSON)
    assert spec.read_only is read_only


def test_a_foreign_image_starts_where_it_says_and_any_other_in_the_home() -> None:
    application = Application("a", "lab/app:1")
    for image, own in ((replace(DESKTOP, labels={}), True), (DESKTOP, False)):
        spec = spec_of(SESSION, application, POLICY, image, PERSON)
        assert (spec.own_directory, spec.home_directory) == (own, "/workspace")


def test_without_a_home_the_user_has_a_directory_of_the_container() -> None:
    spec = made(Application("a", "x"), replace(POLICY, allow_home=False))
    assert spec.home is None
    assert spec.home_directory == spec.environment["HOME"] == "/home/user"


def test_the_placeholders_of_a_foreign_image_are_filled() -> None:
    application = Application(
        "a",
        "somebody/app:1",
        port=5000,
        command=("serve", "--base={base_path}", "--name={user}", "{unknown}"),
        environment={"BASE": "{base_path}/{session_id}", "USER": "mallory", "URL_ID": "forged"},
        ready_path="{base_path}/api",
    )
    spec = made(application)
    base = f"/user/ann@lab.example/containers/{ID}"
    assert spec.command == ("serve", f"--base={base}", "--name=ann@lab.example", "{unknown}")
    assert spec.environment["BASE"] == f"{base}/{ID}"
    assert (spec.environment["USER"], spec.environment["URL_ID"]) == ("user", ID)
    values = containers.placeholders(ID, SESSION.owner)
    assert containers.ready_path_of(application, FOREIGN, values) == f"{base}/api"
    assert containers.port_of(application, FOREIGN) == 5000


@pytest.mark.parametrize(
    ("label", "path"),
    [("", "/"), ("health", "/health"), ("{base_path}/api/status", "/api/status")],
)
def test_the_ready_path_is_the_labels_or_the_session_path(label: str, path: str) -> None:
    image = replace(DESKTOP, labels={PREFIX + "ready-path": label})
    values = containers.placeholders(ID, "ann")
    found = containers.ready_path_of(Application("a", "x"), image, values)
    assert found == f"/user/ann/containers/{ID}{path}"


@pytest.mark.parametrize(
    ("label", "port"), [("", 8888), ("9000", 9000), ("x", 8888), ("99999", 8888), ("0", 8888)]
)
def test_the_port_is_the_labels_or_8888(label: str, port: int) -> None:
    image = replace(DESKTOP, labels={PREFIX + "port": label})
    assert containers.port_of(Application("a", "x"), image) == port


def test_the_labels_of_a_container_are_the_contracts() -> None:
    found = labels.of_session(SESSION, "lab")
    kept = json.loads(found.pop(PREFIX + "runinfo.session"))
    assert found == {
        PREFIX + "runinfo.realm": "lab",
        PREFIX + "runinfo.user": "ann@lab.example",
        PREFIX + "runinfo.mapping_id": "g" * 32,
        PREFIX + "runinfo.url_id": ID,
        PREFIX + "runinfo.urlpath": f"/user/ann@lab.example/containers/{ID}",
    }
    assert kept["application"] == "Desktop"


def test_a_session_is_rebuilt_from_the_labels_alone() -> None:
    found = labels.to_session(labels.of_session(SESSION, "lab"), "container")
    assert found == replace(SESSION, container_id="container")


@pytest.mark.parametrize("broken", [{}, {PREFIX + "runinfo.session": "{"}])
def test_labels_that_make_no_session_are_refused(broken: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="do not make a session"):
        labels.to_session(broken, "container")


@pytest.mark.parametrize("size", ["320x200", "7680x4320", "1280x800"])
def test_a_resolution_within_bounds_is_taken(size: str) -> None:
    assert options.checked({"resolution": size}, DESKTOP, POLICY) == {"resolution": size}


@pytest.mark.parametrize(
    "size",
    [
        "319x200",
        "320x199",
        "7681x200",
        "320x4321",
        "99999999x1",
        "803.5x600",
        "x",
        5,
        None,
        "1x1\n",
    ],
)
def test_a_resolution_out_of_bounds_is_refused(size: object) -> None:
    with pytest.raises(InvalidError) as caught:
        options.checked({"resolution": size}, DESKTOP, POLICY)
    assert [one.field for one in caught.value.errors] == ["options.resolution"]


def test_an_icon_that_is_no_png_is_none() -> None:
    for text in ("%%%", "aWNvbg=="):
        assert labels.icon(replace(DESKTOP, labels={PREFIX + "icon_128": text})) is None
    folded = "iVBORw0K\nGgo="
    assert labels.icon(replace(DESKTOP, labels={PREFIX + "icon_128": folded})) == PNG


def test_what_an_image_was_made_for_is_told_by_its_labels() -> None:
    older = {PREFIX + "ui_name": "Old"}
    kinds = [labels.kind(replace(DESKTOP, labels=one)) for one in (DESKTOP.labels, older, {})]
    assert kinds == ["contract", "older", "foreign"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("contract", "7", "Its contract version is 7; this portal knows 1."),
        ("contract", "", "Its contract version is ''; this portal knows 1."),
        ("type", "desktop", "Its type is desktop; there are vncapp and webapp."),
        ("port", "http", "Its port is http; it must be a number from 1 to 65535."),
        ("port", "65536", "Its port is 65536; it must be a number from 1 to 65535."),
        (
            "ready-path",
            "a b",
            "Its ready-path is no path of at most 255 printable characters without a space.",
        ),
        ("icon_128", "%%%", "Its icon_128 is not the base64 of a PNG."),
        ("icon_128", "aWNvbg==", "Its icon_128 is not the base64 of a PNG."),
        (
            "env.a b;c",
            "",
            "Its label env.a b;c names no variable: letters, digits, - and _ do.",
        ),
        ("env.", "", "Its label env. names no variable: letters, digits, - and _ do."),
    ],
)
def test_a_label_that_nobody_can_read_bars_the_start_and_nothing_else(
    name: str, value: str, sentence: str
) -> None:
    image = replace(DESKTOP, labels=dict(DESKTOP.labels) | {PREFIX + name: value})
    assert labels.problems(DESKTOP) == ()
    assert labels.problems(image) == (sentence,)
    assert labels.port(image) == labels.DEFAULT_PORT
    assert labels.app_type(image) == ("webapp" if name == "type" else "vncapp")


def test_labels_that_only_a_session_may_have_bar_the_start() -> None:
    image = replace(DESKTOP, labels=dict(DESKTOP.labels) | {PREFIX + "runinfo.holder": "1"})
    assert labels.problems(image) == (
        "Its label runinfo.holder is for the containers of sessions alone.",
    )


def test_of_many_bad_labels_a_few_are_named() -> None:
    many = {f"{PREFIX}env.a {number}": "" for number in range(100)}
    found = labels.problems(replace(DESKTOP, labels=dict(DESKTOP.labels) | many))
    assert (len(found), found[-1]) == (labels.MOST_PROBLEMS + 1, "There is more of the kind.")


def test_a_ready_path_that_is_too_long_with_all_in_it_is_refused() -> None:
    application = Application("a", "x", ready_path="a" * 250)
    values = containers.placeholders(ID, SESSION.owner)
    with pytest.raises(InvalidError, match="ready path is longer than 255"):
        containers.ready_path_of(application, DESKTOP, values)


def as_root(policy: Policy, *, person: Person = PERSON) -> containers.ContainerSpec:
    older = replace(DESKTOP, labels={PREFIX + "type": "vncapp"})
    application = Application("a", "lab/old:1")
    return spec_of(SESSION, application, policy, older, person)


def test_what_starts_as_root_has_a_home_apart_and_goes_where_it_likes() -> None:
    spec = as_root(POLICY)
    assert spec.as_root
    assert spec.home == containers.HomeMount("remoteapp-lab-apart-70001", is_volume=True)
    assert spec.home_directory == ""
    assert "HOME" not in spec.environment
    assert as_root(replace(POLICY, allow_home=False)).home is None


def test_legacy_home_gives_the_real_home_and_writable_volumes() -> None:
    writable = replace(POLICY, volumes=(replace(DATA, mode="rw"),))
    older = replace(DESKTOP, labels={PREFIX + "type": "vncapp"})
    application = Application("a", "lab/old:1")
    refused = containers.refused_mounts(application, writable, older)
    assert refused.startswith("It starts as root, so it may not write to /data of this machine")
    assert containers.refused_mounts(application, POLICY, older) == ""
    assert containers.refused_mounts(application, writable, DESKTOP) == ""
    lifted = replace(writable, legacy_home=True)
    assert containers.refused_mounts(application, lifted, older) == ""
    assert as_root(lifted).home == containers.HomeMount("home-of-ann", is_volume=True)


def test_only_a_foreign_image_starts_as_root_because_its_application_says_so() -> None:
    wanted = Application("a", "x", run_as="root")
    foreign = replace(DESKTOP, labels={})
    assert containers.runs_as_root(wanted, foreign)
    assert not containers.runs_as_root(wanted, DESKTOP)
    assert not containers.runs_as_root(Application("a", "x"), foreign)


def test_the_ready_path_of_what_sees_no_session_path_is_its_root() -> None:
    values = containers.placeholders(ID, SESSION.owner)
    stripped = Application("a", "x", strip_path=True)
    assert containers.ready_path_of(stripped, replace(DESKTOP, labels={}), values) == "/"


def test_a_startup_file_needs_an_image_that_takes_one_and_a_policy_that_allows_it() -> None:
    labelled = dict(DESKTOP.labels) | {PREFIX + "env.startupdata": ""}
    image, allowed = replace(DESKTOP, labels=labelled), replace(POLICY, allow_startup_data=True)
    chosen = {"startup_file": "/workspace/case.med"}
    assert options.checked(chosen, image, allowed) == chosen
    assert options.offered_options(image, POLICY) == ("resolution",)
    for one, policy in ((image, POLICY), (DESKTOP, allowed)):
        with pytest.raises(InvalidError) as caught:
            options.checked(chosen, one, policy)
        assert [error.field for error in caught.value.errors] == ["options.startup_file"]


@pytest.mark.parametrize("file", ["", "a\nb", "a\0", "x" * 1025, 7, None])
def test_a_startup_file_is_a_printable_path(file: object) -> None:
    labelled = dict(DESKTOP.labels) | {PREFIX + "env.startupdata": ""}
    image, allowed = replace(DESKTOP, labels=labelled), replace(POLICY, allow_startup_data=True)
    with pytest.raises(InvalidError):
        options.checked({"startup_file": file}, image, allowed)


def test_what_starts_as_root_gets_no_command() -> None:
    older = Image("sha256:3", "lab/old:1", {PREFIX + "ui_name": "Old"})
    commanded = Application("a", "x", command=("serve",))
    refused = containers.refused_command(commanded, older)
    assert refused == (
        "Its command cannot be given to what starts as root: run it as the user, or put the command"
        " into the image."
    )
    as_root = replace(commanded, run_as="root")
    assert containers.refused_command(as_root, FOREIGN) == refused
    assert containers.refused_command(commanded, FOREIGN) == ""
    assert containers.refused_command(as_root, DESKTOP) == ""
    assert containers.refused_command(Application("a", "x"), older) == ""
