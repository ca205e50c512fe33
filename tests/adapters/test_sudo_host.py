"""Whom sudo lets become root, asked of a program that answers as sudo does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from portal import system_user

from control_plane.adapters import host_programs, sudo_host
from control_plane.errors import UnavailableError

NOBODY = "User dora is not allowed to run sudo on here."
MAY = "User dora may run the following commands on here:\n"


@pytest.fixture(scope="module")
def dora() -> Iterator[str]:
    with system_user("a-long-password-of-dora") as name:
        yield name


@pytest.fixture
def sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file whose content sudo says of everybody."""
    program, said = tmp_path / "sudo", tmp_path / "said"
    program.write_text(f"#!/bin/sh\ncat {said}\n")
    program.chmod(0o755)
    monkeypatch.setattr(host_programs, "PATH", f"{tmp_path}:{host_programs.PATH}")
    return said


@pytest.mark.parametrize(
    ("rules", "is_powerful"),
    [
        ("    (ALL) NOPASSWD: ALL", True),
        ("    (ALL : ALL) ALL", True),
        ("    (ALL, !root) ALL", True),
        ("    (bob, root : adm) PASSWD: ALL", True),
        ("    (root) NOPASSWD: SETENV: /bin/x, ALL", True),
        ("    (bob) ALL\n    (root) /bin/x\n    (root) ALL, !/bin/su", True),
        ("    (root) /bin/x, /bin/ALL", False),
        ("    (bob : root) ALL", False),
        ("    (rooty) ALL", False),
    ],
)
def test_who_may_do_everything_is_powerful(
    sudo: Path, dora: str, rules: str, *, is_powerful: bool
) -> None:
    sudo.write_text(f"Matching Defaults entries for dora on here:\n    env_reset\n\n{MAY}{rules}\n")
    assert [*sudo_host.powerful([dora])] == [dora] * is_powerful
    assert (dora in sudo_host.everybody()) == is_powerful


def test_who_may_nothing_and_who_is_no_person_is_nobody(sudo: Path, dora: str) -> None:
    sudo.write_text(NOBODY)
    assert [*sudo_host.powerful([dora])] == []
    sudo.write_text(f"{MAY}    (ALL) ALL")
    assert [*sudo_host.powerful(["root", "daemon", "-l"])] == []


def test_what_sudo_does_not_say_is_no_no(sudo: Path, dora: str) -> None:
    sudo.write_text("sudo: /etc/sudoers.d/x:1:1: syntax error")
    with pytest.raises(UnavailableError, match="syntax error"):
        [*sudo_host.powerful([dora])]


def test_without_sudo_there_is_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_programs, "PATH", str(tmp_path))
    assert [*sudo_host.everybody()] == []
