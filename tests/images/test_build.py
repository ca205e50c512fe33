"""images/build: an image is built when its content is new, and only then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane.trial.places import CLONE

IMAGES = CLONE / "images"
pytestmark = pytest.mark.usefixtures("images")


def build(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "build"), *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def listed(folder: Path) -> dict[str, tuple[str, bool]]:
    """Return each image's tag and whether the engine has it."""
    answer = build(folder, "--list")
    assert answer.returncode == 0, answer.stderr
    lines = [line.split(maxsplit=1) for line in answer.stdout.splitlines()]
    return {
        tag.split("/")[1].split(":")[0]: (tag, state.strip() == "built") for tag, state in lines
    }


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(IMAGES, tmp_path / "images"))


def test_the_demo_set_and_its_parents_are_there() -> None:
    assert all(there for _, there in listed(IMAGES).values())


def test_what_is_there_is_not_built_again() -> None:
    answer = build(IMAGES)
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[0] for line in answer.stdout.splitlines()] == [
        "debian",
        "builder",
        "hello",
        "base-vnc",
        "terminal",
        "jupyter",
    ]
    assert all(" is there: remoteapp/" in line for line in answer.stdout.splitlines())


def test_a_clone_elsewhere_has_the_same_tags(copy: Path) -> None:
    assert listed(copy) == listed(IMAGES)


def test_a_changed_file_makes_its_image_and_those_upon_it_new(copy: Path) -> None:
    before = listed(copy)
    with (copy / "base-vnc" / "page" / "page.css").open("a") as style:
        style.write("/* changed */\n")
    after = listed(copy)
    assert {name for name in after if after[name] != before[name]} == {"base-vnc", "terminal"}
    assert not after["terminal"][1]


def test_an_unknown_image_is_refused_with_the_names_of_those_there_are() -> None:
    answer = build(IMAGES, "helo")
    assert answer.returncode == 1
    assert answer.stderr == (
        "images/build: no image named helo: there are "
        "base-vnc, builder, debian, hello, jupyter, terminal\n"
    )


def test_an_absent_engine_is_said_to_be_absent() -> None:
    answer = build(IMAGES, "hello", DOCKER_HOST="unix:///nonexistent.sock")
    assert answer.returncode == 1
    assert answer.stderr.startswith("images/build: the engine does not answer: ")
    assert "Traceback" not in answer.stderr


def test_a_build_that_fails_shows_its_last_lines(copy: Path) -> None:
    broken = copy / "broken"
    broken.mkdir()
    (broken / "Dockerfile").write_text("FROM remoteapp/debian\nRUN echo the reason && exit 7\n")
    answer = build(copy, "broken")
    assert answer.returncode == 1
    assert "the reason" in answer.stderr
    assert "images/build: broken: docker build ended with status " in answer.stderr


@pytest.mark.parametrize("folder", ["hello", "base-vnc/desktop"])
def test_the_servers_are_formatted_and_vetted(folder: str) -> None:
    check = 'cd /src && test -z "$(gofmt -l .)" && go vet *.go'
    mount = f"{IMAGES / folder}:/src:ro"
    words = ["docker", "run", "--rm", "--volume", mount, "remoteapp/builder", "sh", "-c", check]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
