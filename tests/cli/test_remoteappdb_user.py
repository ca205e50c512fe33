"""The verbs `remoteappdb user …`, with the host's own accounts."""

import contextlib
import os
import pty
import subprocess
from collections.abc import Iterator, Sequence

import pytest
from cli.remoteappdb_site import COMMAND, LATER, NOW, Site
from click.testing import CliRunner

from control_plane.adapters.passwords import Argon2Passwords
from control_plane.cli.remoteappdb import cli
from control_plane.domain.entities import Session, SignIn, State, Token, User

ACCOUNT = "rapptester"


@pytest.fixture
def account() -> Iterator[str]:
    subprocess.run(["useradd", "--no-create-home", ACCOUNT], check=True)
    yield ACCOUNT
    subprocess.run(["userdel", ACCOUNT], check=True)


def give_everything(site: Site, name: str) -> None:
    site.records.set_password(name, "$argon2id$old")
    site.records.add_signin(SignIn(f"signin-{name}", name, "user", NOW, LATER))
    site.records.add_token(Token(f"token-{name}", name, "laptop", (), NOW, LATER, f"of {name}"))


def at_a_terminal(command: Sequence[str], answers: Sequence[bytes]) -> tuple[int, bytes]:
    """Run a command on a terminal of its own; give an answer at each colon that it prints."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], list(command))  # noqa: S606 - a terminal needs a fork
    shown, waiting = b"", list(answers)
    with contextlib.suppress(OSError):  # the terminal closes with the command
        while chunk := os.read(terminal, 1024):
            shown += chunk
            if chunk.endswith(b": ") and waiting:
                os.write(terminal, waiting.pop(0))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def test_a_virtual_user_gets_a_uid_of_its_own(site: Site) -> None:
    assert site.done("user", "create", "alice") == "Created the virtual user alice.\n"
    site.done("user", "create", "bob", "--admin")
    assert list(site.accounting.users()) == [
        User("alice", "virtual", uid=70000, gid=70000),
        User("bob", "virtual", admin=True, uid=70001, gid=70001),
    ]
    assert site.acts() == [("user-create", "alice"), ("user-create", "bob")]


def test_a_name_is_taken_once(cast: Site) -> None:
    assert cast.refused(1, "user", "create", "alice") == "There is a user alice already."


@pytest.mark.parametrize("name", ["../../etc", "a b", "élise", "x" * 300, "a\x1b[2J", ""])
def test_a_name_that_cannot_be_is_refused_in_one_line(site: Site, name: str) -> None:
    line = site.refused(2, "user", "create", "--", name)
    assert line.endswith("name: 1 to 64 of a-z, 0-9 and _ . @ -, the first a letter or _.")
    assert len(line) < 200
    assert list(site.accounting.users()) == []


@pytest.mark.parametrize("name", ["root", "daemon"])
def test_a_name_that_the_host_has_is_no_virtual_users(site: Site, name: str) -> None:
    assert name in site.refused(1, "user", "create", name)
    assert list(site.accounting.users()) == []


@pytest.mark.parametrize("name", ["root", "daemon", "nobody"])
def test_the_systems_own_accounts_never_sign_in(site: Site, name: str) -> None:
    line = site.refused(1, "user", "create", name, "--kind", "system")
    assert line.startswith(f"The account {name} is one of the system's own")


def test_a_system_user_needs_an_account(site: Site) -> None:
    line = site.refused(1, "user", "create", "no-such-account", "--kind", "system")
    assert line.startswith("This host has no account no-such-account.")


def test_a_system_user_is_an_account_of_the_host(site: Site, account: str) -> None:
    site.done("user", "create", account, "--kind", "system")
    assert site.accounting.user(account) == User(account, "system")
    line = site.refused(1, "user", "password", account, "--stdin", typed="correct horse\n")
    assert line == f"The password of {account} is the host's. Use passwd."


def report(cast: Site, *words: str) -> tuple[str, list[str]]:
    first, *lines = cast.done("user", "remove", "alice", *words).splitlines()
    return first, [line.strip() for line in lines]


def test_a_removed_user_leaves_no_password_sign_in_token_or_grant(cast: Site) -> None:
    give_everything(cast, "alice")
    cast.done("group", "create", "lab", "alice")
    grant_id = cast.granted("desk", "alice")
    session = Session(
        *("a" * 32, "alice", grant_id, "Desk", "desk", "vncapp", State.READY),
        *(NOW, "10.213.0.2", 8888, "/"),
    )
    cast.records.add_session(session)
    told = [
        f"grants: {grant_id}",
        "groups: lab",
        "sign-ins: 1, tokens: 1",
        f"sessions: {'a' * 32} (end)",
        "home: remoteapp-remoteapp-home-70000 (keep)",
    ]
    assert report(cast, "--dry-run") == ("Would remove the user alice.", told)
    assert cast.accounting.user("alice") is not None
    assert cast.records.password("alice") is not None
    assert report(cast) == ("Removed the user alice.", told)
    assert cast.accounting.user("alice") is None
    assert cast.records.password("alice") is None
    assert list(cast.records.signins(NOW)) == []
    assert list(cast.records.tokens(NOW)) == []
    assert cast.acts()[-2:] == [("user-remove", "alice"), ("revoke", grant_id)]
    assert list(cast.records.home_tasks()) == []
    line = cast.refused(1, "user", "create", "alice")
    assert line.startswith("Sessions of a former user alice still run.")


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_the_home_of_who_leaves_is_archived_or_deleted_as_asked(cast: Site, action: str) -> None:
    line = cast.refused(2, "user", "remove", "alice", "--home", action)
    assert line.startswith("The settings are not here, so nobody knows where the homes lie.")
    words = [str(cast.path), "user", "remove", "alice", "--home", action]
    result = CliRunner().invoke(cli, words, env={"REMOTEAPP_REALM": "lab"})
    assert f"home: remoteapp-lab-home-70000 ({action})\n" in result.stdout
    (task,) = cast.records.home_tasks()
    assert (task.volume, task.user, task.action) == ("remoteapp-lab-home-70000", "alice", action)
    assert task.by.startswith("cli:")


def test_what_a_user_runs_may_be_kept_running(cast: Site) -> None:
    cast.done("user", "disable", "alice", "--keep-running")
    assert cast.records.kept_running() == frozenset({"user:alice"})
    cast.done("user", "disable", "alice")
    assert cast.records.kept_running() == frozenset()
    cast.done("user", "remove", "alice", "--keep-running")
    assert cast.records.kept_running() == frozenset({"user:alice"})


def test_the_next_of_a_name_inherits_neither_uid_nor_password(cast: Site) -> None:
    cast.done("user", "remove", "alice")
    give_everything(cast, "alice")
    cast.done("user", "create", "alice")
    assert cast.accounting.user("alice") == User("alice", "virtual", uid=70002, gid=70002)
    assert cast.records.password("alice") is None


def test_a_disabled_user_is_signed_out_and_kept_out(cast: Site) -> None:
    give_everything(cast, "alice")
    cast.done("user", "disable", "alice")
    assert cast.accounting.user("alice") == User(
        "alice", "virtual", enabled=False, uid=70000, gid=70000
    )
    assert list(cast.records.signins(NOW)) == []
    assert {one.user for one in cast.records.tokens(NOW)} == {"alice"}  # refused meanwhile
    cast.done("user", "enable", "alice")
    assert cast.accounting.user("alice") == User("alice", "virtual", uid=70000, gid=70000)
    assert cast.acts()[-2:] == [("user-disable", "alice"), ("user-enable", "alice")]


@pytest.mark.parametrize("verb", ["remove", "enable", "disable", "password"])
def test_an_unknown_user_is_told(site: Site, verb: str) -> None:
    line = site.refused(1, "user", verb, "nobody-here")
    assert line == "There is no user nobody-here."


def test_a_password_is_stored_hashed_and_ends_the_sign_ins(cast: Site) -> None:
    give_everything(cast, "alice")
    cast.done("user", "password", "alice", "--stdin", typed="correct horse\nbattery\n")
    digest = cast.records.password("alice")
    assert digest is not None
    assert digest.startswith("$argon2id$")
    assert Argon2Passwords().verify(digest, "correct horse")
    assert list(cast.records.signins(NOW)) == []
    assert cast.acts()[-1] == ("password", "alice")


@pytest.mark.parametrize("typed", ["", "\n", "seven77\n", "x" * 1025 + "\n"])
def test_a_password_has_8_to_1024_characters(cast: Site, typed: str) -> None:
    line = cast.refused(2, "user", "password", "alice", "--stdin", typed=typed)
    assert "must have 8 to 1024 characters" in line
    assert cast.records.password("alice") is None


def test_without_a_terminal_a_password_needs_stdin(cast: Site) -> None:
    result = cast.run("user", "password", "alice")
    assert result.exit_code == 2
    assert "--stdin" in result.stderr


def test_at_a_terminal_the_password_is_asked_twice_and_not_shown(cast: Site) -> None:
    status, shown = at_a_terminal(
        [*COMMAND, str(cast.path), "user", "password", "alice"],
        [b"correct horse\n", b"wrong horse\n", b"correct horse\n", b"correct horse\n"],
    )
    assert status == 0
    assert b"horse" not in shown
    digest = cast.records.password("alice")
    assert Argon2Passwords().verify(digest, "correct horse")
