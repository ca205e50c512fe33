"""Packages of PyPI and npm, fetched on the host, which knows its indexes and its certificates.

Invariant: a lock's packages are fetched once for each content of it, held against its hashes.
"""
# ruff: noqa: S603 (it runs pip)

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from building.programs import CACHE, fail, follow, one_at_a_time

PYTHON = "3.11.2"  # of the base: wheels are fetched for it, whatever Python the host has
GLIBC = [f"manylinux_2_{minor}" for minor in range(17, 37)]  # the base's glibc is 2.36
VENV = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "python"


def packages(folder: Path) -> dict[str, Path]:
    """Return what the build finds beside the folder's own files: its place there, its place here.

    `wheels` are those of requirements.lock, `node_modules` those of package-lock.json.
    """
    return {
        place: once(place, folder, [lock, *others], fetch)
        for place, lock, others, fetch in (
            ("wheels", folder / "requirements.lock", [], fetch_wheels),
            (
                "node_modules",
                folder / "package-lock.json",
                [folder / "package.json"],
                fetch_node_modules,
            ),
        )
        if lock.exists()
    }


def once(place: str, folder: Path, locks: list[Path], fetch: Callable[[Path, Path], None]) -> Path:
    """Return the cached packages of the locks, fetched if no build has fetched them yet."""
    content = b"".join(lock.read_bytes() for lock in locks)
    kept = CACHE / place / hashlib.sha256(content).hexdigest()[:12]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(f"{place}-{kept.name}"):
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=kept.parent) as partial:
                fetch(folder, Path(partial))
                (Path(partial) / place).rename(kept)
    return kept


def fetch_wheels(folder: Path, partial: Path) -> None:
    """Download the wheels of requirements.lock, for the base."""
    lock = str(folder / "requirements.lock")
    follow(folder.name, [*pip_download(), "--requirement", lock, "--dest", str(partial / "wheels")])


def fetch_node_modules(folder: Path, partial: Path) -> None:
    """Install the packages of package-lock.json, without running anything of theirs."""
    if not shutil.which("npm"):
        fail(f"{folder.name}: there is no npm to fetch its packages: install npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, partial)
    command = ["npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
    follow(folder.name, [*command, "--prefix", str(partial)])


def pip_download() -> list[str]:
    """Return the command that downloads wheels for the base, through the host's own indexes."""
    for python in (sys.executable, str(VENV)):
        asked = [python, "-m", "pip", "--version"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            break
    else:
        fail("there is no pip: run it with the Python of a virtual environment")
    command = [python, "-m", "pip", "download", "--require-hashes", "--no-deps"]
    command += ["--only-binary=:all:", "--progress-bar=off"]
    command += ["--python-version", PYTHON, "--implementation=cp"]
    command += [f"--abi={abi}" for abi in ("cp311", "abi3", "none")]
    return command + [f"--platform={system}_{platform.machine()}" for system in GLIBC]
