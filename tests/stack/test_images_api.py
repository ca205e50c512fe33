"""Images through the API and nginx: pulled from a real registry, uploaded, listed, removed."""

import gzip
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import quote

import docker
import httpx
import pytest
import registry
from portal import HELLO, RunningPortal
from stack.conftest import Realm, until

from control_plane.domain.labels import IMAGE

IMAGES = "/api/v1/admin/images"
ARCHIVE = f"{IMAGES}/archive"
TAR = {"Content-Type": "application/x-tar"}
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def hub() -> Iterator[registry.Registry]:
    with registry.registry() as live:
        yield live


@pytest.fixture
def offered(hub: registry.Registry) -> Iterator[str]:
    """An image that the registry has and the engine does not."""
    labels = {IMAGE + "contract": "1", IMAGE + "ui_name": "Small", IMAGE + "type": "vncapp"}
    name = hub.push(f"lab/small-{secrets.token_hex(4)}", labels=labels)
    yield name
    registry.forget(name)


@pytest.fixture
def named() -> Iterator[Callable[[], str]]:
    """Return who makes names that no image has, and none keeps."""
    made = []

    def name() -> str:
        made.append(f"remoteapp-test/{secrets.token_hex(4)}:1")
        return made[-1]

    yield name
    for one in made:
        registry.forget(one)


@pytest.fixture
def admin(portal: RunningPortal) -> httpx.Client:
    return portal.api("admin")


def place(name: str) -> str:
    return f"{IMAGES}/{quote(name, safe='')}"


def listed(admin: httpx.Client) -> dict[str, Any]:
    items = admin.get(IMAGES).json()["items"]
    return {one["name"]: one for one in items}


def nameless(realm: Realm) -> set[str]:
    """Return the images without a name, as what an archive does not name would be."""
    return {str(one.id) for one in realm.api.images.list(filters={"dangling": True})}


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """Return the events of a stream that has ended."""
    found = []
    for block in answer.text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def acts(admin: httpx.Client, target: str) -> list[tuple[str, str]]:
    rows = admin.get("/api/v1/admin/audit", params={"target": target}).json()["items"]
    return [(one["action"], one["actor"]) for one in rows]


def test_an_image_is_listed_with_its_labels_and_who_uses_it(
    portal: RunningPortal, realm: Realm, admin: httpx.Client
) -> None:
    session = portal.start("alice", HELLO)
    hello = listed(admin)[HELLO]
    assert hello["ui_name"] == "Hello"
    assert hello["type"] == "webapp"
    assert hello["contract"] == "1"
    assert hello["id"] == realm.api.images.get(HELLO).id
    assert hello["size"] > 0
    assert hello["sessions"] == [session["id"]]
    assert len(hello["applications"]) == 1
    page = admin.get(IMAGES, params={"limit": 1}).json()
    assert len(page["items"]) == 1
    until(lambda: admin.get(IMAGES, params={"limit": 1}).json()["total"] == len(listed(admin)))


def test_an_image_is_pulled_with_progress_and_removed(admin: httpx.Client, offered: str) -> None:
    answer = admin.post(IMAGES, json={"name": offered}, headers=EVENTS)
    assert answer.status_code == 200
    told = events(answer)
    assert {kind for kind, _ in told[:-1]} == {"progress"}
    assert [data for _, data in told[:-1] if data["layer"] and data["total"] > 0]
    kind, done = told[-1]
    assert (kind, [one["name"] for one in done["items"]]) == ("done", [offered])
    assert listed(admin)[offered]["ui_name"] == "Small"
    gone = admin.delete(place(offered))
    assert (gone.status_code, gone.json()) == (200, {"name": offered, "warnings": []})
    assert offered not in listed(admin)
    assert admin.delete(place(offered)).status_code == 404
    assert acts(admin, offered) == [("image-remove", "admin"), ("image-pull", "admin")]


def test_an_image_is_pulled_and_waited_for(admin: httpx.Client, offered: str) -> None:
    answer = admin.post(IMAGES, json={"name": offered})
    assert answer.status_code == 201
    assert [one["name"] for one in answer.json()["items"]] == [offered]


def test_what_the_registry_does_not_have_is_409_in_its_words(
    admin: httpx.Client, hub: registry.Registry
) -> None:
    for headers in ({}, EVENTS):
        answer = admin.post(IMAGES, json={"name": f"{hub.host}/none:1"}, headers=headers)
        assert answer.status_code == 409
        assert "manifest unknown" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["Upper", "user:secret@host/x", "a b", "x" * 300, "../x"])
def test_what_is_no_reference_is_422(admin: httpx.Client, name: str) -> None:
    answer = admin.post(IMAGES, json={"name": name})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["name"]
    assert admin.delete(place(name)).status_code == 404


def test_an_archive_of_several_images_is_uploaded_as_it_comes(
    admin: httpx.Client, named: Callable[[], str], engine_api: docker.DockerClient
) -> None:
    names = sorted([named(), named()])
    with registry.made_image(names[0]), registry.made_image(names[1]):
        archive = registry.saved(*names)
        engine_api.images.get(names[0]).tag(named())  # which the archive does not bring
    pieces = (archive[start : start + 65536] for start in range(0, len(archive), 65536))
    answer = admin.post(ARCHIVE, content=pieces, headers=TAR)
    assert answer.status_code == 201, answer.text
    assert [one["name"] for one in answer.json()["items"]] == names
    assert set(names) <= set(listed(admin))
    assert acts(admin, names[0]) == [("image-upload", "admin")]


def test_an_archive_of_a_length_that_is_told_and_compressed_is_taken_too(
    admin: httpx.Client, named: Callable[[], str]
) -> None:
    name = named()
    with registry.made_image(name):
        archive = registry.saved(name)
    answer = admin.post(ARCHIVE, content=gzip.compress(archive, 1), headers=TAR)
    assert answer.status_code == 201, answer.text
    assert [one["name"] for one in answer.json()["items"]] == [name]


@pytest.mark.parametrize("garbage", [b"", b"garbage!" * 1_000_000])
def test_what_is_no_archive_is_422_and_leaves_nothing(
    realm: Realm, admin: httpx.Client, garbage: bytes
) -> None:
    before = nameless(realm)
    answer = admin.post(ARCHIVE, content=garbage, headers=TAR)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["body"]
    until(lambda: nameless(realm) <= before, why="what other tests untag is gone, too")


def test_an_archive_that_says_it_is_too_long_is_refused_unread(
    portal: RunningPortal, admin: httpx.Client
) -> None:
    connection = HTTPSConnection(
        "localhost", portal.portal.options.port, timeout=20, context=portal.trust
    )
    with closing(connection):
        connection.putrequest("POST", ARCHIVE)
        connection.putheader("Authorization", admin.headers["Authorization"])
        connection.putheader("Content-Type", "application/x-tar")
        connection.putheader("Content-Length", str(20 * 1024**3 + 1))
        connection.endheaders(b"x")
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.load(answer)["type"] == "urn:remoteapp:too-large"


def test_an_archive_of_another_media_type_is_415(admin: httpx.Client) -> None:
    answer = admin.post(ARCHIVE, content=b"{}", headers={"Content-Type": "application/json"})
    assert answer.status_code == 415


def test_who_may_not_administer_is_refused_before_a_long_body_is_read(
    portal: RunningPortal, admin: httpx.Client
) -> None:
    long = b"x" * 30_000_000
    for client, status in ((portal.api("alice"), 403), (portal.guest(), 401)):
        assert client.post(ARCHIVE, content=long, headers=TAR).status_code == status
        assert client.post(IMAGES, json={"name": "x"}).status_code == status
        assert client.get(IMAGES).status_code == status
        assert client.delete(place(HELLO)).status_code == status
    assert HELLO in listed(admin)


def test_an_image_that_a_session_uses_is_409_and_the_session_named(
    portal: RunningPortal, realm: Realm, admin: httpx.Client
) -> None:
    session = portal.start("alice", HELLO)
    answer = admin.delete(place(HELLO))
    assert answer.status_code == 409
    assert [one["id"] for one in answer.json()["sessions"]] == [session["id"]]
    assert realm.api.images.get(HELLO)


def test_an_image_that_any_other_container_uses_is_409(
    admin: httpx.Client, named: Callable[[], str], engine_api: docker.DockerClient
) -> None:
    name = named()
    with registry.made_image(name):
        container = engine_api.containers.create(name, command=["none"])
        try:
            assert admin.delete(place(name)).status_code == 409
        finally:
            container.remove()


def test_an_image_that_the_catalogue_names_is_removed_with_a_warning(
    portal: RunningPortal, admin: httpx.Client, named: Callable[[], str]
) -> None:
    name = named()
    with registry.made_image(name):
        portal.remoteappdb("app", "create", name)
        try:
            answer = admin.delete(place(name))
            assert answer.status_code == 200
            (warning,) = answer.json()["warnings"]
            assert name in warning
        finally:
            portal.remoteappdb("app", "remove", name)


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(
    portal: RunningPortal, admin: httpx.Client, named: Callable[[], str]
) -> None:
    name = named()
    with registry.made_image(name):
        archive = registry.saved(name)

    def broken() -> Iterator[bytes]:
        yield archive[: len(archive) // 2]
        raise ConnectionError("the cable")

    client = portal.guest(Authorization=admin.headers["Authorization"])
    with pytest.raises(ConnectionError, match="the cable"):
        client.post(ARCHIVE, content=broken(), headers=TAR)
    assert name not in listed(admin)
    with closing(docker.from_env()) as api:
        assert not api.images.list(name)
