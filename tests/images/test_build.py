"""images/build: an image is built when its content is new, and only then, and says what it is."""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from control_plane.trial.places import CLONE

IMAGES = CLONE / "images"
SBOM = CLONE / "var" / "sbom"
OF_MS = "6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="
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
    """A copy of the images' folders, beside what `sources` names of the project."""
    for name in (IMAGES / "portal" / "sources").read_text().split():
        (tmp_path / name).symlink_to(CLONE / name)
    return Path(shutil.copytree(IMAGES, tmp_path / "images", symlinks=True))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a name of its own, for an image of a test; the image goes with it."""
    folder = tmp_path / f"build-{secrets.token_hex(4)}"
    folder.mkdir()
    yield folder
    names = f"--filter=reference=remoteapp-test/{folder.name}*"
    words = ["docker", "images", names, "--format={{.Repository}}:{{.Tag}}"]
    made = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    if made:
        subprocess.run(["docker", "image", "rm", *made], capture_output=True, check=True)
    for path in SBOM.glob(f"remoteapp-test-{folder.name}*"):
        path.unlink()


def inspected(image: str) -> dict[str, Any]:
    """Return what the engine knows of an image."""
    words = ["docker", "image", "inspect", image]
    answer = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout)[0])


def inside(image: str, *words: str) -> str:
    """Return what a command in the image prints."""
    command = ["docker", "run", "--rm", "--network=none", image, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sbom(tag: str) -> dict[str, Any]:
    """Return the list of what the image is made of, which its schema allows."""
    text = (SBOM / f"{tag.replace('/', '-').replace(':', '-')}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return dict(json.loads(text))


def test_the_demo_set_and_its_parents_are_there() -> None:
    there = {name for name, (_, built) in listed(IMAGES).items() if built}
    assert there >= {"debian", "builder", "hello", "base-vnc", "terminal", "base-web", "jupyter"}


def test_what_is_there_is_not_built_again() -> None:
    answer = build(IMAGES, "terminal")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["debian", "builder", "base-vnc", "terminal"]
    assert all(" is there: remoteapp/" in line for line in lines)


def test_a_clone_elsewhere_has_the_same_tags(copy: Path) -> None:
    assert listed(copy) == listed(IMAGES)


def test_a_changed_file_makes_its_image_and_those_upon_it_new(copy: Path) -> None:
    before = listed(copy)
    with (copy / "base-vnc" / "page" / "page.css").open("a") as style:
        style.write("/* changed */\n")
    after = listed(copy)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"base-vnc", "terminal", "gnuplot", "paraview"}
    assert not after["terminal"][1]


def test_a_change_of_our_own_code_makes_the_image_new_that_is_made_of_it(copy: Path) -> None:
    before = listed(copy)
    (copy.parent / "LICENSE").unlink()
    (copy.parent / "LICENSE").write_text("changed")
    after = listed(copy)
    assert {name for name in after if after[name] != before[name]} == {"portal"}


def test_an_unknown_image_is_refused_with_the_names_of_those_there_are() -> None:
    answer = build(IMAGES, "helo")
    assert answer.returncode == 1
    assert answer.stderr.startswith(
        "images/build: no image named helo: there are base-vnc, base-web, "
    )


def test_an_unknown_parent_is_refused_with_the_name_of_who_wants_it(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM remoteapp/helo\n")
    answer = build(IMAGES, str(folder))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"images/build: {folder.name}: no image named helo: there are ")


def test_a_folder_elsewhere_is_an_image_for_tests(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM remoteapp/debian\nCOPY word /word\n")
    (folder / "word").write_text("first")
    first = tag_built(folder)
    (folder / "word").write_text("second")
    second = tag_built(folder)
    repository = f"remoteapp-test/{folder.name}"
    assert {tag.rpartition(":")[0] for tag in (first, second)} == {repository}
    assert inside(first, "cat", "/word") == "first"
    assert inside(f"{repository}:latest", "cat", "/word") == "second"


def tag_built(folder: Path) -> str:
    answer = build(IMAGES, str(folder))
    assert answer.returncode == 0, answer.stderr
    return next(
        line.split()[-1] for line in answer.stdout.splitlines() if " is built: remoteapp-" in line
    )


def test_an_image_for_tests_may_stand_on_one_beside_it(folder: Path) -> None:
    beside = folder.parent / f"{folder.name}-child"
    beside.mkdir()
    (folder / "Dockerfile").write_text("FROM remoteapp/debian\nRUN echo parent > /word\n")
    (beside / "Dockerfile").write_text(f"FROM remoteapp-test/{folder.name}\n")
    answer = build(IMAGES, str(beside))
    assert answer.returncode == 0, answer.stderr
    assert inside(f"remoteapp-test/{beside.name}", "cat", "/word") == "parent\n"


def test_a_folder_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    answer = build(IMAGES, str(tmp_path))
    assert (answer.returncode, answer.stderr) == (
        1,
        f"images/build: there is no Dockerfile in {tmp_path}\n",
    )


def test_of_two_builds_at_once_one_builds_and_the_other_finds_it_built(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM remoteapp/debian\nRUN sleep 3\n")
    words = [sys.executable, str(IMAGES / "build"), str(folder)]
    builds = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = "".join(one.communicate()[0] for one in builds)
    assert [one.returncode for one in builds] == [0, 0]
    assert said.count(" is built: remoteapp-test/") == 1
    assert said.count(" is there: remoteapp-test/") == 1


def test_npm_packages_are_fetched_beside_the_folder_s_own_files(folder: Path) -> None:
    integrity = f"sha512-{OF_MS}"
    wanted = {"name": "test", "dependencies": {"ms": "2.1.3"}}
    locked = {"version": "2.1.3", "integrity": integrity}
    packages = {"": wanted, "node_modules/ms": locked}
    lock = {"name": "test", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package.json").write_text(json.dumps(wanted))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "Dockerfile").write_text("FROM remoteapp/debian\nCOPY node_modules /node_modules\n")
    tag = tag_built(folder)
    assert json.loads(inside(tag, "cat", "/node_modules/ms/package.json"))["version"] == "2.1.3"
    (ms,) = (one for one in sbom(tag)["components"] if one.get("purl") == "pkg:npm/ms@2.1.3")
    assert ms["hashes"] == [{"alg": "SHA-512", "content": base64.b64decode(OF_MS).hex()}]


def test_an_image_says_its_name_its_version_and_what_it_stands_on() -> None:
    tags = {name: tag for name, (tag, _) in listed(IMAGES).items()}
    labels = inspected(tags["terminal"])["Config"]["Labels"]
    said = {name: text for name, text in labels.items() if name.startswith("org.opencontainers.")}
    assert said == {
        "org.opencontainers.image.title": "remoteapp/terminal",
        "org.opencontainers.image.version": tags["terminal"].split(":")[1],
        "org.opencontainers.image.base.name": tags["base-vnc"],
    }


def test_the_list_of_an_image_has_each_debian_package_that_dpkg_has() -> None:
    tag = listed(IMAGES)["terminal"][0]
    listing = inside(tag, "dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n")
    urls = [PackageURL.from_string(one["purl"]) for one in sbom(tag)["components"]]
    binaries = {
        f"{url.name} {url.version} {url.qualifiers['arch']}"
        for url in urls
        if url.qualifiers.get("arch") != "source"
    }
    assert binaries == set(listing.splitlines())


def test_the_list_of_an_image_has_the_python_packages_of_its_lock_by_hash() -> None:
    tag = listed(IMAGES)["jupyter"][0]
    lock = (IMAGES / "jupyter" / "requirements.lock").read_text()
    found = {
        (one["name"].lower().replace("_", "-"), one["version"]): one["hashes"][0]["content"]
        for one in sbom(tag)["components"]
        if one["purl"].startswith("pkg:pypi/")
    }
    locked = set(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    assert {(name.lower(), version) for name, version in locked} <= set(found)
    assert all(f"sha256:{found[name.lower(), version]}" in lock for name, version in locked)


def test_an_image_s_list_is_the_same_when_it_is_written_again() -> None:
    tag = listed(IMAGES)["hello"][0]
    path = SBOM / f"{tag.replace('/', '-').replace(':', '-')}.cdx.json"
    before = path.read_bytes()
    path.unlink()
    answer = build(IMAGES, "hello")
    assert answer.returncode == 0, answer.stderr
    assert path.read_bytes() == before


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


def test_a_mirror_that_is_away_is_said_to_be_away(folder: Path) -> None:
    lines = [
        "FROM remoteapp/debian",
        "RUN rm -rf /etc/apt/sources.list.d",
        "RUN echo deb http://mirror.invalid x main > /etc/apt/sources.list",
        "RUN apt-get -o Acquire::Retries=0 update && apt-get install -y nothing",
    ]
    (folder / "Dockerfile").write_text("\n".join(lines))
    answer = build(IMAGES, str(folder))
    assert answer.returncode == 1
    last = answer.stderr.splitlines()[-1]
    assert last.startswith(f"images/build: {folder.name}: a mirror or index does not answer (")
    assert last.endswith("): try again when it does")


@pytest.mark.parametrize("source", ["hello", "base-vnc/desktop"])
def test_the_servers_are_formatted_and_vetted(source: str) -> None:
    check = 'cd /src && test -z "$(gofmt -l .)" && go vet *.go'
    mount = f"{IMAGES / source}:/src:ro"
    words = ["docker", "run", "--rm", "--volume", mount, "remoteapp/builder", "sh", "-c", check]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
