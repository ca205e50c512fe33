"""Installing packages starts nothing, and gives back who decided that before."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.trial.places import CLONE

INSTALL = str(CLONE / "control_plane" / "trial" / "packages")
POLICY = Path("/usr/sbin/policy-rc.d")
BEFORE = Path("/usr/sbin/policy-rc.d.before-remoteapp")
OURS = "#!/bin/sh\n# made by Remoteapp while it installs packages\nexit 101\n"
OPERATORS = "#!/bin/sh\nexit 104\n"


@pytest.fixture
def policy(tmp_path: Path) -> Iterator[Path]:
    """The machine's own is put aside."""
    aside = tmp_path / "policy"
    if POLICY.exists():
        shutil.copy2(POLICY, aside)
    yield POLICY
    POLICY.unlink(missing_ok=True)
    if aside.exists():
        shutil.copy2(aside, POLICY)


def test_the_operators_policy_comes_back_after_a_killed_run(policy: Path) -> None:
    policy.write_text(OURS)
    BEFORE.write_text(OPERATORS)
    subprocess.run([INSTALL, "bash"], check=True)
    assert policy.read_text() == OPERATORS
    assert not BEFORE.exists()


def test_a_policy_of_ours_alone_is_removed(policy: Path) -> None:
    policy.write_text(OURS)
    subprocess.run([INSTALL, "bash"], check=True)
    assert not policy.exists()


def test_a_policy_that_is_not_ours_is_left(policy: Path) -> None:
    policy.write_text(OPERATORS)
    subprocess.run([INSTALL, "bash"], check=True)
    assert policy.read_text() == OPERATORS


def test_a_package_that_cannot_be_installed_fails_and_leaves_no_policy(policy: Path) -> None:
    policy.unlink(missing_ok=True)
    done = subprocess.run([INSTALL, "no-such-package-here"], check=False, capture_output=True)
    assert done.returncode != 0
    assert not policy.exists()
