#!/usr/bin/env python3
"""Make on the controller what a host installs without an index or a compiler: one release.

A release is the locked packages as wheels for the host's Python and machine, this project's own
wheel, and its systemd units. Its name is its content: the same sources and the same lock always
give the same name, and everything in it was checked against a hash.
"""
# ruff: noqa: T201 (it prints)

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "control_plane")
LOCK = Path("control_plane", "requirements.lock")
UNITS = "systemd"
KINDS = (".service", ".socket", ".path", ".timer", ".target")
MACHINES = ("x86_64", "aarch64")
# The C library of every host that is supported is at least 2.34 (RHEL 9); wheels name the oldest
# that they need, by manylinux_2_17 = manylinux2014 and later.
_NEWEST_LIBC, _OLDEST_LIBC = 34, 17
# The zip format knows no earlier day.
_EPOCH = 315532800
_NO_VENV = "Install python3-venv on this machine, or run Ansible with another Python."
_NO_WHEEL = "Only wheels are taken: lock a version that has one for this Python and machine."


@dataclass(frozen=True)
class Release:
    """What was made: its name, a directory of wheels, and all of it in one archive."""

    release: str
    directory: str
    archive: str


class RefusedError(Exception):
    """It cannot be made; the message says why and what to do."""


def main() -> int:
    """Make what the command line asks for; print it as JSON."""
    parser = argparse.ArgumentParser(description="Make a release of Remoteapp for a host.")
    parser.add_argument("--python", required=True, help="the host's, such as 3.11")
    parser.add_argument("--machine", required=True, choices=MACHINES, help="the host's")
    parser.add_argument("--project", type=Path, default=CLONE, help="the sources [this clone]")
    parser.add_argument("--cache", type=Path, default=CLONE / "var" / "wheels")
    words = parser.parse_args()
    if not re.fullmatch(r"3\.\d+", words.python):
        parser.error(f"--python {words.python}: must be like 3.11")
    os.umask(0o022)  # the modes of the files are part of the wheel
    try:
        made = release(words.project.resolve(), words.cache.resolve(), words.python, words.machine)
    except (RefusedError, OSError) as error:
        print(f"wheels.py: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(made)))
    return 0


def release(project: Path, cache: Path, python: str, machine: str) -> Release:
    """Return the release of these sources, from the cache where it was made before."""
    place = cache / f"release-{_key(_inputs(project), python, machine)}"
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        if not place.exists():
            builder = _builder(project / LOCK, cache)
            locked = _locked(project / LOCK, builder, cache, python, machine)
            with _until_complete(place) as new:
                _fill(new, project, locked, builder)
        name = (place / "name").read_text()
        return Release(name, str(place / "wheels"), str(place / "release.tar"))


def _inputs(project: Path) -> dict[str, Path]:
    """Return every file that a release depends on, by its name in the project."""
    found = [project / one for one in (*SOURCES, UNITS)]
    files = [*filter(Path.is_file, found), *(one for top in found for one in top.rglob("*"))]
    names = {one.relative_to(project).as_posix(): one for one in files if one.is_file()}
    return {name: names[name] for name in sorted(names) if "__pycache__" not in name}


def _locked(lock: Path, builder: Path, cache: Path, python: str, machine: str) -> Path:
    """Return a directory with the wheels of the lock, each of which has a hash of the lock."""
    place = cache / f"locked-{_key({'lock': lock}, python, machine)}"
    if not place.exists():
        with _until_complete(place) as new:
            _say(f"fetching the locked wheels for Python {python} on {machine}")
            what = _what(lock, python, machine)
            _run([*_pip(builder), "download", *what, "--dest", new], _NO_WHEEL)
    return place


def _what(lock: Path, python: str, machine: str) -> Iterator[str | Path]:
    yield from ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", lock)
    yield from ("--implementation", "cp", "--python-version", python)
    for abi in (f"cp{python.replace('.', '')}", "abi3", "none"):
        yield from ("--abi", abi)
    for libc in range(_NEWEST_LIBC, _OLDEST_LIBC - 1, -1):
        yield from ("--platform", f"manylinux_2_{libc}_{machine}")
    yield from ("--platform", f"manylinux2014_{machine}")


def _builder(lock: Path, cache: Path) -> Path:
    """Return an environment with the locked setuptools, so that all build the same wheel."""
    found = re.search(r"^setuptools==(.*\\\n)*.*\n", lock.read_text(), re.MULTILINE)
    if found is None:
        raise RefusedError(f"{lock} locks no setuptools, which build the wheel; run `make lock`.")
    place = cache / f"builder-{_hash(f'{sys.version}{found[0]}'.encode())[:16]}"
    if not place.exists():
        with _until_complete(place) as new:
            _say("making a virtual environment to build in")
            _run([sys.executable, "-m", "venv", new], _NO_VENV)
            (new / "setuptools.lock").write_text(found[0])
            words = ["--require-hashes", "--no-deps", "--requirement", new / "setuptools.lock"]
            _run([*_pip(new), "install", *words])
    return place


def _fill(place: Path, project: Path, locked: Path, builder: Path) -> None:
    wheels = place / "wheels"
    wheels.mkdir()
    for one in locked.glob("*.whl"):
        if not one.name.startswith("setuptools-"):  # it builds; nothing runs with it
            shutil.copyfile(one, wheels / one.name)
    own = _own_wheel(project, builder, wheels)
    (wheels / "requirements.txt").write_text(_requirements(wheels.glob("*.whl")))
    (place / UNITS).mkdir()
    for one in (project / UNITS).glob("*"):
        if one.suffix in KINDS:
            shutil.copyfile(one, place / UNITS / one.name)
    parts = [one for one in sorted(place.rglob("*")) if one.is_file()]
    content = "".join(f"{_hash(one.read_bytes())}  {one.name}\n" for one in parts)
    name = f"{own.name.split('-')[1]}-{_hash(content.encode())[:12]}"
    _pack(place, parts)
    (place / "name").write_text(name)


def _own_wheel(project: Path, builder: Path, wheels: Path) -> Path:
    """Build the wheel of this project from a copy of its sources; nothing else can enter it."""
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work, "project")
        for name, path in _inputs(project).items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / name)
        words = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", wheels]
        _run([*_pip(builder), *words, copy])
    (own,) = wheels.glob("remoteapp-*.whl")
    return own


def _requirements(wheels: Iterable[Path]) -> str:
    def line(wheel: Path) -> str:
        name, version = wheel.name.split("-")[:2]
        return f"{name}=={version} --hash=sha256:{_hash(wheel.read_bytes())}\n"

    return "".join(sorted(map(line, wheels)))


def _pack(place: Path, parts: Sequence[Path]) -> None:
    """Put everything into one archive: a host gets one file, not fifty."""
    with tarfile.open(place / "release.tar", "w") as archive:
        for one in parts:
            entry = tarfile.TarInfo(one.relative_to(place).as_posix())
            entry.size, entry.mode, entry.mtime = one.stat().st_size, 0o644, _EPOCH
            with one.open("rb") as content:
                archive.addfile(entry, content)


def _key(files: dict[str, Path], *words: str) -> str:
    """Return a hash of words and files, their names and what stands in them."""
    lines = [*words, *(f"{name} {_hash(path.read_bytes())}" for name, path in files.items())]
    return _hash("\n".join([Path(__file__).read_text(), *lines]).encode())[:16]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one program at a time work here: hosts are provisioned side by side."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _until_complete(place: Path) -> Iterator[Path]:
    """Give a new directory, which gets its name only when all went well."""
    new = place.with_name(f"{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    yield new
    new.rename(place)


def _pip(environment: Path) -> list[str | Path]:
    return [environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-qq"]


def _run(words: Sequence[object], hint: str = "") -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(_EPOCH)}
    command = [str(one) for one in words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise RefusedError(f"{' '.join(command[:6])} … failed: {said} {hint}".strip())


def _say(words: str) -> None:
    print(f"wheels.py: {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
