"""The program that makes a release for a host: same sources, same release; nothing unchecked."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from control_plane.trial.places import CLONE

PROGRAM = CLONE / "ansible" / "wheels.py"
FETCHED = CLONE / "var" / "wheels"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def made(
    project: Path, cache: Path, python: str = HERE, machine: str = "x86_64"
) -> subprocess.CompletedProcess[str]:
    words = [f"--project={project}", f"--cache={cache}", f"--python={python}"]
    return subprocess.run(
        [sys.executable, str(PROGRAM), *words, f"--machine={machine}"],
        capture_output=True,
        text=True,
        check=False,
    )


def release(project: Path, cache: Path, **host: str) -> dict[str, Any]:
    done = made(project, cache, **host)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def copy_of_project(folder: Path) -> Path:
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(CLONE / name, folder / name)
    for name in ("control_plane", "systemd"):
        no_bytecode = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CLONE / name, folder / name, ignore=no_bytecode)
    return folder


def primed(cache: Path) -> Path:
    """Return a cache that has what was fetched for this machine, but no release."""
    release(CLONE, FETCHED)
    for one in FETCHED.iterdir():
        if one.name.startswith(("locked-", "builder-")) and one.suffix != ".new":
            shutil.copytree(one, cache / one.name, symlinks=True, copy_function=os.link)
    return cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of these tests: what they make is not what a host is given."""
    return primed(tmp_path_factory.mktemp("cache"))


def test_the_same_sources_make_the_same_release_wherever_and_whenever(
    cache: Path, tmp_path: Path
) -> None:
    first = release(copy_of_project(tmp_path / "one"), cache)
    other = copy_of_project(tmp_path / "two")
    for path in other.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    second = release(other, primed(tmp_path / "another-cache"))
    assert second["release"] == first["release"]
    assert re.fullmatch(r"0\.1\.0-[0-9a-f]{12}", first["release"])
    archives = [Path(one["archive"]).read_bytes() for one in (first, second)]
    assert archives[0] == archives[1]


@pytest.mark.parametrize("changed", ["control_plane/errors.py", "systemd/remoteapp.service"])
def test_a_changed_source_makes_another_release(cache: Path, tmp_path: Path, changed: str) -> None:
    project = copy_of_project(tmp_path / "project")
    before = release(project, cache)
    with (project / changed).open("a") as file:
        file.write("# changed\n")
    assert release(project, cache)["release"] != before["release"]


def test_a_change_that_no_host_would_notice_makes_no_other_release(
    cache: Path, tmp_path: Path
) -> None:
    project = copy_of_project(tmp_path / "project")
    before = release(project, cache)
    (project / "systemd" / "README.md").write_text("Other words.\n")
    assert release(project, cache)["release"] == before["release"]


def test_a_host_of_another_python_and_machine_gets_wheels_for_it(
    cache: Path, tmp_path: Path
) -> None:
    project = copy_of_project(tmp_path / "project")
    found = release(project, cache, python="3.13", machine="aarch64")
    names = [one.stem for one in Path(found["directory"]).glob("*.whl")]
    assert not [name for name in names if not name.endswith(("-any", "_aarch64"))]
    assert [name for name in names if name.startswith("cffi-") and "-cp313-cp313-" in name]


def test_a_package_that_is_not_what_was_locked_is_refused_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    project = copy_of_project(tmp_path / "project")
    lock = project / "control_plane" / "requirements.lock"
    six = re.compile(r"(\nsix==.*?)    # via", re.DOTALL)
    lock.write_text(six.sub(_forged, lock.read_text()))
    done = made(project, tmp_path / "cache")
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    left = sorted(one.name.partition("-")[0] for one in (tmp_path / "cache").iterdir())
    assert left == ["builder", "lock", "locked"]
    assert [one.name for one in (tmp_path / "cache").glob("locked-*.new")]


def _forged(found: re.Match[str]) -> str:
    return re.sub(r"[0-9a-f]{64}", "0" * 64, found[0])


def test_a_release_installs_without_an_index_a_network_or_a_compiler(
    cache: Path, tmp_path: Path
) -> None:
    found = release(copy_of_project(tmp_path / "project"), cache)
    place = tmp_path / "release"
    place.mkdir()
    subprocess.run(["tar", "-C", str(place), "-xf", found["archive"]], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    install = ["pip", "install", "--quiet", "--no-index", "--no-deps", "--require-hashes"]
    where = ["--find-links", "wheels", "--requirement", "wheels/requirements.txt"]
    isolated = {"PATH": str(tmp_path / "nothing"), "PIP_CONFIG_FILE": os.devnull}
    subprocess.run(
        ["/usr/bin/unshare", "--net", "bin/python", "-m", *install, *where],
        cwd=place,
        env=isolated,
        check=True,
    )
    said = subprocess.run(
        [place / "bin" / "control-plane", "--help"], capture_output=True, text=True, check=True
    )
    assert "serve" in said.stdout
    subprocess.run([place / "bin" / "python", "-m", "pip", "check"], check=True)


def test_an_unknown_machine_is_wrong_usage(tmp_path: Path) -> None:
    done = made(CLONE, tmp_path / "cache", machine="m68k")
    assert done.returncode == 2
    assert "choose from" in done.stderr
