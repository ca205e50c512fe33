"""What the door asks of each field of a container: exact, and without an engine."""

from dataclasses import fields, replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from engine_door.rulebook import (
    CONTRACT,
    DORA,
    FOREIGN,
    OLDER,
    REALM,
    RULES,
    SESSION,
    VIRTUAL,
    known_of,
    spec_of,
)

from control_plane.domain.containers import ContainerSpec, HomeMount
from control_plane.domain.entities import Application, Image, Person, Volume
from control_plane.domain.labels import IMAGE, RUN
from control_plane.engine_door import judging
from control_plane.engine_door.rules import Rules

APART = "remoteapp-lab-apart-70001"
DATA = Volume("/srv/data", "/data", "rw")
ROOT = Application("0" * 32, FOREIGN.name, run_as="root")


def refused(
    spec: ContainerSpec,
    image: Image = CONTRACT,
    whose: Person = VIRTUAL,
    rules: Rules = RULES,
    **found: Any,
) -> str:
    """Return the field that is refused; empty when none is."""
    known = known_of(spec, image, whose)
    owner = {name: found.pop(name) for name in list(found) if name in OWNER}
    known = replace(known, owner=replace(known.owner, **owner), **found)
    return judging.refusal(spec, known, rules).partition(":")[0]


NOBODY: dict[str, Any] = {"person": None}
OWNER = {"uid_taken", "person", "powerful", "home_why_not"}


def test_every_field_of_a_container_has_a_rule() -> None:
    assert set(judging.FIELDS) == {one.name for one in fields(ContainerSpec)}


@pytest.mark.parametrize(
    ("image", "person", "application"),
    [
        (CONTRACT, VIRTUAL, None),
        (CONTRACT, DORA, None),
        (OLDER, VIRTUAL, None),
        (OLDER, DORA, None),
        (FOREIGN, DORA, None),
        (FOREIGN, VIRTUAL, ROOT),
        (FOREIGN, VIRTUAL, replace(ROOT, run_as="user", command=("serve", "--port", "1"))),
    ],
)
@pytest.mark.parametrize("allow_home", [True, False])
def test_what_the_control_plane_makes_of_a_grant_passes(
    image: Image, person: Person, application: Application | None, *, allow_home: bool
) -> None:
    spec = spec_of(image, person, application=application, allow_home=allow_home)
    assert judging.refusal(spec, known_of(spec, image, person), RULES) == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "remoteapp-other-" + SESSION}, "name"),
        ({"name": f"remoteapp-{REALM}-../../{SESSION}"}, "name"),
        ({"image": "lab/app:1"}, "image"),
        ({"image": OLDER.id}, "image"),
        ({"as_root": True}, "as_root"),
        ({"own_directory": True}, "own_directory"),
        ({"read_only": True}, "read_only"),
        ({"uid": 0}, "uid"),
        ({"gid": 0}, "uid"),
        ({"gid": 999}, "uid"),
        ({"gids": (999,)}, "uid"),
        ({"gids": (0,)}, "uid"),
        ({"login": "root"}, "login"),
        ({"login": "alice:x:0:0"}, "login"),
        ({"home_directory": "/etc"}, "home_directory"),
        ({"home_directory": "/proc/self"}, "home_directory"),
        ({"home": HomeMount("/", is_volume=False)}, "home"),
        ({"home": HomeMount("/home/dora", is_volume=False)}, "home"),
        ({"home": HomeMount("remoteapp-lab-home-70002", is_volume=True)}, "home"),
        ({"home": HomeMount("remoteapp-other-home-70001", is_volume=True)}, "home"),
        ({"home": HomeMount("../../etc", is_volume=True)}, "home"),
        ({"network": "host"}, "network"),
        ({"network": "container:abc"}, "network"),
        ({"address": "10.213.0.0"}, "address"),
        ({"address": "10.213.0.1"}, "address"),
        ({"address": "10.213.7.255"}, "address"),
        ({"address": "10.213.8.9"}, "address"),
        ({"address": "127.0.0.1"}, "address"),
        ({"address": "x"}, "address"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"published_port": -1}, "published_port"),
        ({"memory": 0}, "memory"),
        ({"memory": -1}, "memory"),
        ({"memory": 9 * 1024**3}, "memory"),
        ({"cpus": 0.0}, "memory"),
        ({"cpus": 4.1}, "memory"),
        ({"cpus": float("nan")}, "memory"),
        ({"cpus": float("inf")}, "memory"),
        ({"pids": 0}, "memory"),
        ({"pids": -1}, "memory"),
        ({"pids": 4097}, "memory"),
        ({"open_files": 0}, "open_files"),
        ({"open_files": 2**30}, "open_files"),
        ({"disk": -1}, "disk"),
        ({"command": ("a\0b",)}, "command"),
        ({"command": ("x" * 300_000,)}, "command"),
    ],
)
def test_a_field_that_says_something_else_is_refused(changes: dict[str, Any], field: str) -> None:
    assert refused(replace(spec_of(), **changes)) == field


@pytest.mark.parametrize(
    ("label", "value", "field"),
    [
        ("realm", "other", "labels"),
        ("user", "", "labels"),
        ("user", "bob", "labels"),
        ("user", "alice:x:0:0\n", "labels"),
        ("user", "a" * 65, "labels"),
        ("urlpath", "/user/bob/containers/x", "labels"),
        ("url_id", "..", "name"),
        ("session", "x" * 20_000, "labels"),
        ("holder", "", "labels"),
    ],
)
def test_a_label_that_is_not_the_sessions_is_refused(label: str, value: str, field: str) -> None:
    spec = spec_of()
    assert refused(replace(spec, labels={**spec.labels, RUN + label: value})) == field


def test_a_label_of_somebody_elses_is_refused() -> None:
    spec = spec_of()
    assert refused(replace(spec, labels={**spec.labels, "com.docker.x": "1"})) == "labels"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USER_UID", "0"),
        ("USER_GID", "0"),
        ("USER_GIDS", "0,999"),
        ("USER", "root"),
        ("HOME", "/root"),
        ("JPY_USER", "bob"),
        ("URL_ID", "0"),
        ("JPY_BASE_USER_URL", "/user/bob"),
        ("A=B", "x"),
        ("", "x"),
        ("A", "x\0"),
    ],
)
def test_a_variable_that_lies_is_refused(name: str, value: str) -> None:
    spec = spec_of()
    assert refused(replace(spec, environment={**spec.environment, name: value})) == "environment"


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT", "PATH", "BASH_ENV", "PYTHONPATH"])
def test_what_loads_code_reaches_nothing_that_starts_as_root(name: str) -> None:
    for image, application, field in ((OLDER, None, "environment"), (CONTRACT, None, "")):
        spec = spec_of(image, application=application)
        told = replace(spec, environment={**spec.environment, name: "x"})
        assert refused(told, image) == field


def test_what_starts_as_root_gets_no_command() -> None:
    for image, application in ((OLDER, None), (FOREIGN, ROOT)):
        spec = replace(spec_of(image, application=application), command=("sh",))
        assert refused(spec, image) == "command"


def test_what_starts_as_root_gets_the_home_apart_alone_unless_the_host_allows_it() -> None:
    spec = spec_of(OLDER)
    assert spec.home == HomeMount(APART, is_volume=True)
    allowing = replace(RULES, allow_legacy_home=True)
    for person in (VIRTUAL, DORA):
        legacy = spec_of(OLDER, person, legacy_home=True)
        assert refused(legacy, OLDER, person) == "home"
        assert refused(legacy, OLDER, person, allowing) == ""
        wrong = replace(legacy, home=HomeMount("/home/boss", is_volume=False))
        assert refused(wrong, OLDER, person, allowing) == "home"


def test_what_starts_as_root_may_only_read_what_is_the_hosts() -> None:
    allowing = replace(RULES, allow_legacy_home=True)
    writing = spec_of(OLDER, volumes=(DATA,))
    assert refused(writing, OLDER) == "volumes"
    assert refused(writing, OLDER, rules=allowing) == ""
    assert refused(spec_of(OLDER, volumes=(replace(DATA, mode="ro"),)), OLDER) == ""


def test_an_image_is_what_its_labels_say_and_not_what_is_claimed() -> None:
    assert refused(replace(spec_of(OLDER), as_root=False), OLDER) == "as_root"
    strange = replace(CONTRACT, labels={IMAGE + "contract": "2"})
    assert refused(spec_of(), strange) == "image"


def test_images_are_let_in_by_their_names() -> None:
    rules = replace(RULES, images=("lab/*", "hub.example.org/desk:[0-9]"))
    assert refused(spec_of(), rules=rules) == ""
    for names in ((), ("evil/app:1",), ("hub.example.org/desk:latest",), ("x/lab/app:1",)):
        assert refused(spec_of(), rules=rules, names=names) == "image"
    assert refused(spec_of(), names=()) == ""


def test_a_number_of_the_hosts_is_nobody_elses() -> None:
    assert refused(spec_of(), uid_taken=True) == "uid"
    assert refused(replace(spec_of(person=DORA), uid=70001), whose=DORA, uid_taken=False) == "uid"
    assert refused(spec_of(person=DORA), whose=DORA, **NOBODY) == "uid"


def test_a_user_of_the_host_has_the_hosts_numbers_and_home() -> None:
    spec = spec_of(person=DORA)
    for changes in ({"gid": 27}, {"gids": (2001, 999)}, {"gids": ()}, {"uid": 1006}):
        assert refused(replace(spec, **changes), whose=DORA) == "uid"
    for source in ("/", "/home", "/home/boss", "/home/dora/../boss", "/home/dora/"):
        other = replace(spec, home=HomeMount(source, is_volume=False))
        assert refused(other, whose=DORA) == "home"
    told: dict[str, Any] = {"home_why_not": "it would open /etc"}
    assert refused(spec, whose=DORA, **told) == "home"


def test_the_home_of_who_can_become_root_is_mounted_only_where_the_host_allows_it() -> None:
    allowing = replace(RULES, allow_powerful_homes=True)
    spec = spec_of(person=DORA)
    assert refused(spec, whose=DORA, powerful=True) == "home"
    assert refused(spec, whose=DORA, rules=allowing, powerful=True) == ""
    writing = spec_of(person=DORA, allow_home=False, volumes=(DATA,))
    assert refused(writing, whose=DORA, powerful=True) == "volumes"
    assert refused(writing, whose=DORA, rules=allowing, powerful=True) == ""


@pytest.mark.parametrize("source", ["/home", "/home/boss", "/home/boss/.ssh", "/root"])
def test_no_volume_opens_the_home_of_who_can_become_root(source: str) -> None:
    allowing = replace(RULES, allow_powerful_homes=True)
    spec = spec_of(volumes=(Volume(source, "/data", "ro"),))
    assert refused(spec) == "volumes"
    assert refused(spec, rules=allowing) == ""


@pytest.mark.parametrize(
    ("volumes", "found"),
    [
        ((Volume("/srv/data", "/etc/cron.d", "rw"),), {}),
        ((Volume("/srv/data", "/workspace/x", "ro"),), {}),
        ((DATA, DATA), {}),
        ((Volume("/srv/../etc", "/data", "ro"),), {}),
        ((Volume("/srv/data", "/data", "rw"),), {"why_not": "it lies elsewhere"}),
        ((Volume("/srv/link", "/data", "rw"),), {"volumes": (DATA,)}),
        (tuple(Volume(f"/srv/{one}", f"/data/{one}", "ro") for one in range(21)), {}),
    ],
)
def test_a_volume_is_what_it_was_judged_as(
    volumes: tuple[Volume, ...], found: dict[str, Any]
) -> None:
    assert refused(spec_of(volumes=volumes), **found) == "volumes"


def test_published_ports_are_the_sessions_own() -> None:
    loopback: dict[str, Any] = {"half": IPv4Network("127.0.0.1/32")}
    spec = replace(spec_of(), address="127.0.0.1", published_port=20000)
    assert refused(spec, **loopback) == ""
    assert refused(replace(spec, published_port=22), **loopback) == "published_port"
    assert refused(replace(spec, address="0.0.0.0"), **loopback) == "address"  # noqa: S104 - refused
    assert refused(replace(spec, network="none"), **loopback) == "network"


def test_a_network_that_the_host_does_not_allow_is_refused() -> None:
    assert refused(spec_of(), rules=replace(RULES, networks=("none",))) == "network"


def test_the_rules_that_nobody_wrote_are_narrow() -> None:
    assert Rules(REALM) == Rules(
        REALM,
        images=("*",),
        volume_roots=(),
        virtual_uids=(70000, 99999),
        allow_legacy_home=False,
        allow_powerful_homes=False,
    )
    groups = set(Rules(REALM).powerful_groups)
    assert {"docker", "sudo", "shadow", "disk", "root", "adm"} <= groups
    assert {"libvirt", "lxd", "incus-admin"} <= groups  # their daemons mount what they are told
