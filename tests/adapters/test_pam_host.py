"""The host's user database as far as it can be odd, and what PAM says of those it refuses."""

import logging
import pwd
import subprocess
from pathlib import Path

import pytest
from portal import system_user

from control_plane.adapters.pam_host import PamHost
from control_plane.trial.host import pam_service

PASSWORD = "a-long-password-of-the-host"


def any_case(name: str) -> pwd.struct_passwd:
    """Look a name up as directories do that do not tell letters apart."""
    return pwd.getpwnam(name.lower())


def test_a_user_has_one_name_where_the_host_knows_many(tmp_path: Path) -> None:
    everyone = tmp_path / "login.defs"
    everyone.write_text("UID_MIN 0\n")
    host = PamHost("login", everyone, any_case)
    assert host.person("root") is not None
    assert host.person("ROOT") is None
    assert host.knows_name("ROOT")


@pytest.mark.parametrize(
    ("done", "typed", "why"),
    [
        (["usermod", "--lock"], PASSWORD, "account locked"),
        (["usermod", "--expiredate", "1"], PASSWORD, "account expired"),
        (["chage", "--lastday", "0"], PASSWORD, "password expired"),
        (["usermod", "--unlock"], "another", "wrong password"),
    ],
)
def test_the_log_says_why_somebody_is_refused_and_the_answer_does_not(
    done: list[str], typed: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pam_service(), system_user(PASSWORD) as name:
        assert PamHost("remoteapp").authenticate(name, PASSWORD)
        subprocess.run([*done, name], check=True)
        with caplog.at_level(logging.INFO):
            assert not PamHost("remoteapp").authenticate(name, typed)
    assert caplog.messages == [f"pam refused name={name} why={why}"]


@pytest.mark.parametrize("typed", ["a\0b", "\ud800"])
def test_what_is_no_password_at_all_is_refused(typed: str) -> None:
    assert not PamHost("remoteapp").authenticate("root", typed)
