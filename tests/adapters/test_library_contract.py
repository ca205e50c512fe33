"""What every library of images does: the engine's, and the fake that stands for it."""

import json
import secrets
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from tarfile import TarFile, TarInfo
from typing import Any

import docker
import door
import pytest
import registry
from adapters.fakes_engine import FakeLibrary, hello

from control_plane.adapters.docker_library import DockerLibrary
from control_plane.adapters.images_client import LibraryClient
from control_plane.adapters.transfers import MOST_AT_ONCE
from control_plane.domain.entities import Image
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Library
from control_plane.engine_door.rules import Rules
from control_plane.errors import (
    ConflictError,
    EngineUnavailableError,
    ImageMissingError,
    InvalidError,
    TooLargeError,
)

LABELS = {IMAGE + "ui_name": "Small"}


@dataclass
class Shelf:
    """A library, what a registry has for it, and what an archive of an image looks like."""

    of_images: Library
    offer: Callable[[str], str]
    archive: Callable[[str], bytes]
    use: Callable[[str], None]

    def named(self, name: str) -> Image | None:
        return next((one for one in self.of_images.images() if one.name == name), None)


@pytest.fixture(scope="module")
def hub() -> Iterator[registry.Registry]:
    with registry.registry() as live:
        yield live


@pytest.fixture(params=["fake", "docker", "door"])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    if request.param == "fake":
        yield _fake()
        return
    request.getfixturevalue("engine_up")
    with ExitStack() as undo:
        library = _library(undo, request.param)
        yield _docker(undo, request.getfixturevalue("hub"), library)


@pytest.fixture
def docker_library(engine_up: None) -> Iterator[DockerLibrary]:
    del engine_up
    with closing(DockerLibrary()) as library:
        yield library


@pytest.fixture
def api(engine_up: None) -> Iterator[Any]:
    del engine_up
    with closing(docker.APIClient(version="auto")) as client:
        yield client


@pytest.fixture
def name() -> Iterator[str]:
    """A name that no image has, and none keeps."""
    made = f"remoteapp-test/{secrets.token_hex(4)}:1"
    yield made
    registry.forget(made)


def test_an_image_is_pulled_step_by_step_and_then_there_with_its_labels(shelf: Shelf) -> None:
    wanted = shelf.offer("small")
    steps = list(shelf.of_images.pull(wanted))
    assert [one for one in steps if one.layer and one.total > 0]
    assert all(0 <= one.current <= one.total for one in steps if one.total)
    assert wanted in steps[-1].status
    found = shelf.named(wanted)
    assert found
    assert found.labels[IMAGE + "ui_name"] == "Small"
    assert found.size >= 1024**2
    assert found.created_at
    assert found.created_at < datetime.now(UTC) + timedelta(minutes=1)
    shelf.of_images.remove(wanted)
    assert shelf.named(wanted) is None


def test_what_the_registry_does_not_have_is_a_conflict_in_its_words(shelf: Shelf) -> None:
    wanted = shelf.offer("small").replace("small", "large")
    with pytest.raises(ConflictError, match=r"large.*manifest unknown"):
        shelf.of_images.pull(wanted)
    assert shelf.named(wanted) is None


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "Upper/case",
        "-x",
        "x:",
        "a//b",
        "../x",
        "x y",
        "x\n",
        "x@sha256:" + "a" * 64,
        "user:secret@host/x",
        "http://host/x",
        "x?tag=y",
        "x:y/z",
        "x:" + "t" * 129,
        "x" * 300,
        "ünï",
    ],
)
def test_what_is_no_reference_never_reaches_the_engine(shelf: Shelf, bad: str) -> None:
    for verb in (shelf.of_images.pull, shelf.of_images.remove):
        with pytest.raises(InvalidError) as caught:
            verb(bad)
        assert [one.field for one in caught.value.errors] == ["name"]


def test_an_image_is_pulled_once_at_a_time_and_a_few_in_all(shelf: Shelf) -> None:
    first = shelf.offer("small")
    others = [first.replace("small", f"small{number}") for number in range(MOST_AT_ONCE)]
    for one in others:
        shelf.offer(one.rpartition("/")[2].partition(":")[0])
    pulling = shelf.of_images.pull(first)
    with pytest.raises(ConflictError, match="already"):
        shelf.of_images.pull(first)
    more = [shelf.of_images.pull(one) for one in others[1:]]
    with pytest.raises(ConflictError, match="under way"):
        shelf.of_images.pull(others[0])
    with pytest.raises(ConflictError, match="under way"):
        shelf.of_images.load(iter([b""]))
    for begun in (pulling, *more):
        begun.close()  # type: ignore[attr-defined]  # as a generator has it
    assert list(shelf.of_images.pull(first))
    shelf.of_images.remove(first)


def test_an_archive_is_taken_in_and_its_names_are_told(shelf: Shelf, name: str) -> None:
    archive = shelf.archive(name)
    pieces = (archive[start : start + 65536] for start in range(0, len(archive), 65536))
    assert shelf.of_images.load(pieces) == [name]
    assert shelf.named(name)


@pytest.mark.parametrize("garbage", [b"", b"garbage!" * 1_000_000, bytes(10240)])
def test_what_is_no_archive_is_refused_and_leaves_nothing(shelf: Shelf, garbage: bytes) -> None:
    before = shelf.of_images.images()
    with pytest.raises(InvalidError, match="not taken in") as caught:
        shelf.of_images.load(iter([garbage]))
    assert [one.field for one in caught.value.errors] == ["body"]
    assert shelf.of_images.images() == before


def test_an_archive_that_is_broken_off_leaves_nothing(shelf: Shelf, name: str) -> None:
    archive = shelf.archive(name)

    def pieces() -> Iterator[bytes]:
        yield archive[: len(archive) // 2]
        raise TooLargeError("Enough.")

    with pytest.raises(TooLargeError, match="Enough"):
        shelf.of_images.load(pieces())
    assert shelf.named(name) is None


def test_an_image_in_use_is_kept_and_a_missing_one_is_named(name: str, shelf: Shelf) -> None:
    # The container goes with the shelf, so the name's turn to be cleaned up comes after it.
    with pytest.raises(ImageMissingError, match=name):
        shelf.of_images.remove(name)
    shelf.of_images.load(iter([shelf.archive(name)]))
    shelf.use(name)
    with pytest.raises(ConflictError, match=f"{name} is in use by 1 containers"):
        shelf.of_images.remove(name)
    assert shelf.named(name)


def test_an_id_is_not_taken_for_a_name(docker_library: DockerLibrary, name: str) -> None:
    with registry.made_image(name) as image:
        for odd in (image, image.removeprefix("sha256:"), image[7:19]):
            with pytest.raises(ImageMissingError):
                docker_library.remove(odd)
        assert name in {one.name for one in docker_library.images()}


def test_an_image_loses_one_name_and_keeps_the_other(
    docker_library: DockerLibrary, api: Any, name: str
) -> None:
    other = f"{name}-other"
    with registry.made_image(name) as image:
        api.tag(image, *other.rsplit(":", 1))
        docker_library.remove(other)
        assert [one.name for one in docker_library.images() if one.id == image] == [name]


def test_an_image_that_others_are_made_of_loses_its_name_alone(
    docker_library: DockerLibrary, api: Any, name: str
) -> None:
    child = f"{name}-child"
    with registry.made_image(name) as image:
        text = f"FROM {name}\nLABEL a=b\n".encode()
        list(api.build(fileobj=BytesIO(text), tag=child, rm=True, decode=True))
        try:
            docker_library.remove(name)
            assert {child} <= {one.name for one in docker_library.images()}
            assert api.inspect_image(child)["Parent"] == image
        finally:
            registry.forget(child)


def test_what_has_no_name_is_not_listed_and_not_taken_in(
    docker_library: DockerLibrary, api: Any, name: str
) -> None:
    with registry.made_image(name) as image:
        archive = registry.saved(image)
    with pytest.raises(InvalidError, match="without a name"):
        docker_library.load(iter([archive]))
    with pytest.raises(docker.errors.ImageNotFound):
        api.inspect_image(image)
    assert not [one for one in docker_library.images() if "<none>" in one.name]


def test_an_archive_that_is_refused_gives_the_names_back(
    docker_library: DockerLibrary, name: str
) -> None:
    other = f"{name}-other"
    with registry.made_image(name) as old, registry.made_image(other):
        pass  # a first image of that name, only to be another one
    with registry.made_image(name), registry.made_image(other):
        archive = _with_second_broken(registry.saved(name, other), name)
    with registry.made_image(name) as now:
        assert now != old
        with pytest.raises(InvalidError):
            docker_library.load(iter([archive]))
        assert {one.id for one in docker_library.images() if one.name == name} == {now}
    assert other not in {one.name for one in docker_library.images()}


@pytest.mark.parametrize("is_there", [True, False], ids=["taken", "new"])
def test_names_that_the_engine_gives_without_a_word_are_given_back(
    engine_up: None, name: str, *, is_there: bool
) -> None:
    del engine_up
    with ExitStack() as undo:
        docker_library = undo.enter_context(closing(DockerLibrary(admits=lambda _: False)))
        before = undo.enter_context(registry.made_image(name)) if is_there else None
        with pytest.raises(InvalidError, match="holds no image"):
            docker_library.load(iter([_without_manifest(name)]))
        found = {one.name: one.id for one in docker_library.images()}
        assert found.get(name) == before


def test_two_archives_that_are_refused_at_once_leave_the_name_to_whose_it_was(
    engine_up: None, name: str
) -> None:
    del engine_up
    judged = threading.Event()

    def admits(_: str) -> bool:
        is_first = not judged.is_set()
        judged.set()
        time.sleep(1 if is_first else 2)  # meanwhile the name is the archive's
        return False

    with closing(DockerLibrary(admits=admits)) as library, ThreadPoolExecutor(2) as both:
        with registry.made_image(name):
            archive = registry.saved(name)
        with registry.made_image(name) as now:
            first = both.submit(library.load, iter([archive]))
            judged.wait(20)
            second = both.submit(library.load, iter([archive]))
            assert [type(one.exception()) for one in (first, second)] == [InvalidError] * 2
            assert {one.id for one in library.images() if one.name == name} == {now}


def test_what_others_name_while_an_archive_comes_stays_though_it_is_refused(
    docker_library: DockerLibrary, api: Any, name: str
) -> None:
    other = f"{name}-other"

    def pieces() -> Iterator[bytes]:
        yield b"garbage!"
        api.tag(image, *other.rsplit(":", 1))
        yield b"garbage!"

    with registry.made_image(name) as image:
        try:
            with pytest.raises(InvalidError):
                docker_library.load(pieces())
            assert other in {one.name for one in docker_library.images()}
        finally:
            registry.forget(other)


def test_a_registry_that_is_away_is_told_in_the_engines_words(
    docker_library: DockerLibrary,
) -> None:
    with pytest.raises(ConflictError, match="connection refused"):
        docker_library.pull("localhost:1/x")


def test_an_archive_is_never_whole_in_memory(docker_library: DockerLibrary) -> None:
    length, piece = 200 * 1024**2, 1024**2

    def long() -> Iterable[bytes]:
        entry = TarInfo("long")
        entry.size = length
        yield entry.tobuf()
        for _ in range(length // piece):
            yield bytes(piece)

    tracemalloc.start()
    try:
        with pytest.raises(InvalidError):
            docker_library.load(long())
        assert tracemalloc.get_traced_memory()[1] < 20 * piece
    finally:
        tracemalloc.stop()


def test_an_engine_that_is_away_says_so() -> None:
    library = DockerLibrary("unix:///nowhere.sock")
    for call in (
        library.images,
        lambda: library.pull("x"),
        lambda: library.load(iter([b""])),
        lambda: library.remove("x"),
    ):
        with pytest.raises(EngineUnavailableError):
            call()


def _fake() -> Shelf:
    library = FakeLibrary()

    def offer(name: str) -> str:
        whole = f"localhost:5000/{name}:1"
        library.registry[whole] = replace(hello(), id=f"sha256:{name}", name=whole, labels=LABELS)
        return whole

    return Shelf(
        library,
        offer,
        lambda name: f"archive\n{name}".encode(),
        lambda name: library.used.add(f"sha256:{name}"),
    )


def _library(undo: ExitStack, way: str) -> Library:
    if way == "door":
        return LibraryClient(undo.enter_context(door.opened(Rules("test"))))
    return undo.enter_context(closing(DockerLibrary()))


def _docker(undo: ExitStack, hub: registry.Registry, library: Library) -> Shelf:
    api = undo.enter_context(closing(docker.APIClient(version="auto")))

    def offer(name: str) -> str:
        whole = hub.push(name, labels=LABELS)
        undo.callback(registry.forget, whole)
        return whole

    def archive(name: str) -> bytes:
        with registry.made_image(name, LABELS):
            return registry.saved(name)

    def use(name: str) -> None:
        holder = api.create_container(name, command=["none"])["Id"]
        undo.callback(api.remove_container, holder)

    return Shelf(library, offer, archive, use)


def _without_manifest(name: str) -> bytes:
    """Return an archive as Docker made them before 1.10."""
    layer = BytesIO()
    with TarFile(fileobj=layer, mode="w") as tar:
        tar.addfile(TarInfo("file"))
    image, (title, tag) = secrets.token_hex(32), name.rsplit(":", 1)
    about = {"id": image, "created": "2020-01-01T00:00:00Z", "os": "linux", "config": {}}
    content = {
        f"{image}/VERSION": b"1.0",
        f"{image}/layer.tar": layer.getvalue(),
        f"{image}/json": json.dumps(about).encode(),
        "repositories": json.dumps({title: {tag: image}}).encode(),
    }
    return _tar(content)


def _tar(content: Mapping[str, bytes]) -> bytes:
    out = BytesIO()
    with TarFile(fileobj=out, mode="w") as tar:
        for path, data in content.items():
            entry = TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, BytesIO(data))
    return out.getvalue()


def _with_second_broken(archive: bytes, first: str) -> bytes:
    """Return an archive whose first image is that name's and whose second has no layer."""
    with TarFile(fileobj=BytesIO(archive)) as tar:
        files = {one.name: tar.extractfile(one) for one in tar.getmembers() if one.isreg()}
        content = {path: file.read() for path, file in files.items() if file}
    manifest = sorted(
        json.loads(content["manifest.json"]), key=lambda one: one["RepoTags"] != [first]
    )
    content["manifest.json"] = json.dumps(manifest).encode()
    del content[manifest[1]["Layers"][0]]
    return _tar(content)
