"""The command remoteapprest, over TLS, on the real application with an engine in memory."""

import contextlib
import json
import os
import subprocess
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cli.remoteapprest_desk import COMMAND, Desk, HeldEngine, at_a_terminal
from click.testing import CliRunner
from served import Served, Wire, portal_of, served, wire
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from usecases.conftest import APPLICATION, Application200, grant_of, until

from control_plane.cli.remoteapprest import cli
from control_plane.domain.entities import SCOPES, Grantee, Policy

PASSWORD = "alice's password"


@dataclass(frozen=True)
class Waiting:
    """A `start --wait` that runs beside the test."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        """Return the next line of stderr."""
        assert self.process.stderr
        return self.process.stderr.readline()

    def end(self) -> tuple[int, str, str]:
        """Return its status, and the rest of stdout and stderr."""
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextlib.contextmanager
def start_and_wait(desk: Desk) -> Iterator[Waiting]:
    """Start alice's application and wait, beside the test."""
    process = subprocess.Popen(
        [*COMMAND, "app", "start", grant_of(desk.plane, "alice"), "--wait"],
        env={**os.environ, **desk.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Waiting(process)
        finally:
            process.kill()


@pytest.fixture
def cuttable(portal: Served) -> Iterator[Wire]:
    with wire(portal.port) as made:
        yield made


def container_of(desk: Desk) -> str:
    """Return the container of the one session, as soon as it has one."""
    sessions = desk.plane.access.sessions
    until(lambda: any(one.container_id for one in sessions.values()))
    (session,) = sessions.values()
    return session.container_id


# signing in


def test_a_sign_in_stores_a_token_and_never_the_password(desk: Desk) -> None:
    assert desk.sign_in() == f"Signed in at {desk.portal.url} as alice.\n"
    stored = desk.profile()
    assert stored.pop("token").startswith("rapp_")
    (token,) = desk.plane.access.tokens.values()
    assert stored == {
        "url": desk.portal.url,
        "user": "alice",
        "ca": str(desk.portal.ca),
        "token_id": token.id,
    }
    assert token.name.startswith("remoteapprest on ")
    assert token.scopes == ("sessions:read", "sessions:write", "shares:write")
    assert desk.profiles.stat().st_mode & 0o777 == 0o600
    assert desk.profiles.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in desk.profiles.parent.iterdir()] == ["profiles.json"]


def test_the_password_is_asked_for_and_never_shown(desk: Desk) -> None:
    words = desk.login
    answers = (b"alice\n", PASSWORD.encode() + b"\n")
    status, seen = at_a_terminal([*COMMAND, *words], desk.env, answers)
    assert status == 0
    assert seen.splitlines() == [
        "Name: alice",
        "Password: ",
        f"Signed in at {desk.portal.url} as alice.",
    ]


@pytest.mark.parametrize("words", [(), ("--username", "alice"), ("--admin",)])
def test_without_a_terminal_the_password_must_be_piped(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run("login", "https://localhost:1", *words, typed="x\n")  # nobody is asked
    assert result.exit_code == 2
    assert "--username and --password-stdin, --token or --browser" in result.stderr


def test_an_administrator_may_ask_for_a_token_that_administers(admins: Desk) -> None:
    words = (*admins.login, "--username", "admin", "--password-stdin")
    admins.done(*words, typed="admin's password\n")
    before = admins.profile()["token_id"]
    line = admins.refused(1, "admin", "user", "list")
    assert line.endswith("As an administrator, sign in again with remoteapprest login URL --admin.")
    admins.done(*words, "--admin", typed="admin's password\n")
    (mine,) = (one for one in admins.plane.access.tokens.values() if one.name != "tests")
    assert mine.id == admins.profile()["token_id"] != before
    assert mine.scopes == SCOPES
    assert "alice" in admins.done("admin", "user", "list")


def test_who_is_no_administrator_gets_no_token_that_administers(desk: Desk) -> None:
    words = (*desk.login, "--username", "alice", "--password-stdin", "--admin")
    line = desk.refused(1, *words, typed=f"{PASSWORD}\n")
    assert line == "alice is no administrator of this portal. Sign in without --admin."
    assert not desk.profiles.exists()
    assert not desk.plane.access.tokens


def test_another_refusal_is_told_as_it_is_with_admin_too(desk: Desk) -> None:
    desk.plane.accounting.change_user("alice", lambda one: replace(one, enabled=False))
    words = (*desk.login, "--username", "alice", "--password-stdin", "--admin")
    with_admin = desk.refused(1, *words, typed=f"{PASSWORD}\n")
    assert with_admin == desk.refused(1, *words[:-1], typed=f"{PASSWORD}\n")


def test_a_token_that_may_not_administer_is_not_taken_for_one_that_may(alices: Desk) -> None:
    before = alices.profile()
    words = (*alices.login, "--token", "--admin")
    line = alices.refused(1, *words, typed=f"{before['token']}\n")
    assert line == "This token may not administer. Sign in without --admin."
    assert alices.profile() == before


def test_a_wrong_password_is_refused_and_stores_nothing(desk: Desk) -> None:
    words = (*desk.login, "--username", "alice")
    line = desk.refused(1, *words, "--password-stdin", typed="guess\n")
    assert line == "Name and password do not match."
    assert not desk.profiles.exists()


def test_a_token_of_ones_own_serves_as_well(alices: Desk) -> None:
    token = alices.profile()["token"]
    words = ("--profile", "other", *alices.login)
    alices.done(*words, "--token", typed=f"{token}\n")
    assert alices.profile("other") == {**alices.profile(), "token_id": ""}
    assert "Hello" in alices.done("--profile", "other", "app", "available")


def test_a_token_that_nobody_issued_is_refused(desk: Desk) -> None:
    words = (*desk.login, "--token")
    assert desk.refused(1, *words, typed="rapp_x\n") == "The portal does not know this token."
    assert not desk.profiles.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.test",
        "http://localhost:8000",
        "portal.test",
        "https://",
        "https://portal.test/login",
        "https://alice:secret@portal.test",
    ],
)
def test_only_the_https_address_of_a_portal_is_taken(desk: Desk, url: str) -> None:
    result = desk.run("login", url, "--username", "alice", "--password-stdin", typed="x\n")
    assert result.exit_code == 2
    assert "must be an https address" in result.stderr


def test_signing_in_again_revokes_the_token_before(alices: Desk) -> None:
    before = alices.profile()["token_id"]
    alices.sign_in()
    (token,) = alices.plane.access.tokens.values()
    assert token.id == alices.profile()["token_id"] != before


def test_profiles_are_apart(alices: Desk) -> None:
    alices.sign_in("bob", "work")
    assert (alices.profile()["user"], alices.profile("work")["user"]) == ("alice", "bob")
    alices.done("--profile", "work", "logout")
    assert list(json.loads(alices.profiles.read_text())) == ["default"]


def test_a_relative_ca_is_stored_as_the_place_that_it_is(desk: Desk) -> None:
    words = ("login", desk.portal.url, "--ca", "ca.pem", "--username", "alice")
    with contextlib.chdir(desk.portal.ca.parent):
        desk.done(*words, "--password-stdin", typed=f"{PASSWORD}\n")
    assert desk.profile()["ca"] == str(desk.portal.ca)


def test_profiles_that_do_not_parse_are_told_and_kept(alices: Desk) -> None:
    alices.profiles.write_text("{")
    line = alices.refused(1, "app", "running")
    assert line.startswith(f"The profiles in {alices.profiles} cannot be read: ")
    assert line.endswith("Mend the file or remove it.")
    assert alices.profiles.read_text() == "{"


# signing out


def test_signing_out_revokes_the_token_and_forgets_it(alices: Desk) -> None:
    assert alices.done("logout") == f"Signed out of {alices.portal.url}.\n"
    assert alices.plane.access.tokens == {}
    assert json.loads(alices.profiles.read_text()) == {}
    assert alices.refused(1, "app", "running") == (
        "The profile default is not signed in anywhere. Sign in with remoteapprest login URL."
    )


def test_signing_out_of_a_portal_that_is_away_says_that_the_token_holds(
    alices: Desk,
) -> None:
    stored = json.loads(alices.profiles.read_text())
    stored["default"]["url"] = "https://localhost:1"
    alices.profiles.write_text(json.dumps(stored))
    result = alices.run("logout")
    assert (result.exit_code, result.stdout) == (0, "Signed out of https://localhost:1.\n")
    assert "not revoked" in result.stderr
    assert json.loads(alices.profiles.read_text()) == {}


def test_a_token_that_was_revoked_elsewhere_calls_for_a_new_sign_in(alices: Desk) -> None:
    alices.plane.access.tokens.clear()
    line = alices.refused(1, "app", "running")
    assert line == "Nobody is signed in. Sign in again with remoteapprest login URL."


# the server


def test_a_certificate_that_is_not_trusted_is_never_accepted(desk: Desk) -> None:
    words = ("login", desk.portal.url, "--username", "alice", "--password-stdin")
    line = desk.refused(4, *words, typed=f"{PASSWORD}\n")
    assert line.startswith(f"The certificate of {desk.portal.url} is not trusted: ")
    assert line.endswith("remoteapprest login URL --ca FILE.")


def test_a_certificate_for_another_name_is_never_accepted(desk: Desk) -> None:
    url = f"https://127.0.0.1:{desk.portal.port}"
    words = ("login", url, "--ca", str(desk.portal.ca), "--username", "alice")
    line = desk.refused(4, *words, "--password-stdin", typed=f"{PASSWORD}\n")
    assert "IP address mismatch" in line


def test_no_flag_turns_the_check_off() -> None:
    for words in (["--help"], ["login", "--help"]):
        text = CliRunner().invoke(cli, words).stdout.lower()
        assert "insecure" not in text
        assert "verify" not in text


def test_a_ca_file_without_a_certificate_is_told(desk: Desk, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    words = ("login", desk.portal.url, "--ca", str(empty), "--username", "alice")
    line = desk.refused(1, *words, "--password-stdin", typed="x\n")
    assert line.startswith(f"The CA file {empty} cannot be used: ")


def test_a_server_that_is_away_is_status_4(desk: Desk) -> None:
    words = ("login", "https://localhost:1", "--username", "alice", "--password-stdin")
    line = desk.refused(4, *words, typed="x\n")
    assert line.startswith("https://localhost:1 cannot be reached: ")


@pytest.mark.parametrize(("status", "ends"), [(200, 1), (302, 1), (404, 1), (502, 4), (503, 4)])
def test_a_server_that_is_no_portal_is_told(
    loop: AbstractEventLoop, tmp_path: Path, status: int, ends: int
) -> None:
    async def other(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("<h1>Hello</h1>", status, media_type="text/html")(scope, receive, send)

    with served(other, loop, tmp_path) as found:
        words = ("login", found.url, "--ca", str(found.ca), "--username", "a", "--password-stdin")
        result = CliRunner().invoke(
            cli, words, input="x\n", env={"XDG_CONFIG_HOME": str(tmp_path / "config")}
        )
    assert result.exit_code == ends
    assert f"/api/v1/tokens answered {status}, not as a portal does." in result.stderr


def test_an_engine_that_is_away_is_status_4(alices: Desk, engine: HeldEngine) -> None:
    engine.away = True
    grant = grant_of(alices.plane, "alice")
    assert "The container engine does not answer." in alices.refused(4, "app", "start", grant)


# applications


def test_the_catalogue_lists_what_one_may_start(alices: Desk) -> None:
    (row,) = json.loads(alices.done("app", "available", "--json"))
    assert row["grant_id"] == grant_of(alices.plane, "alice")
    assert (row["display_name"], row["options"]) == ("Hello", ["resolution"])
    table = alices.done("app", "available")
    assert row["grant_id"] in table
    assert "Hello" in table


def test_a_start_prints_the_id_alone_and_a_stop_ends_it(alices: Desk) -> None:
    session_id = alices.started()
    assert alices.plane.access.sessions[session_id].owner == "alice"
    assert session_id in alices.done("app", "running")
    (row,) = json.loads(alices.done("app", "running", "--json"))
    assert (row["id"], row["state"]) == (session_id, "ready")
    assert alices.done("app", "stop", session_id) == f"Stopped {session_id}.\n"
    assert json.loads(alices.done("app", "running", "--json")) == []


def test_every_verb_speaks_json(alices: Desk) -> None:
    grant = grant_of(alices.plane, "alice")
    session = json.loads(alices.done("app", "start", grant, "--json"))
    assert (session["grant_id"], session["state"]) == (grant, "starting")
    log = json.loads(alices.done("app", "log", session["id"], "--json"))
    assert log["id"] == session["id"]
    stopped = json.loads(alices.done("app", "stop", session["id"], "--json"))
    assert stopped == {"id": session["id"], "state": "stopped"}
    url = alices.portal.url
    words = ("login", url, "--ca", str(alices.portal.ca), "--username", "alice")
    signed = alices.done(*words, "--password-stdin", "--json", typed=f"{PASSWORD}\n")
    assert json.loads(signed) == {"profile": "default", "url": url, "user": "alice"}
    out = json.loads(alices.done("logout", "--json"))
    assert out == {"profile": "default", "url": url, "revoked": True}


def test_options_reach_the_container(alices: Desk, engine: HeldEngine) -> None:
    grant = grant_of(alices.plane, "alice")
    words = ("--option", "resolution=1280x800", "--wait", "--json")
    result = alices.run("app", "start", grant, *words)
    assert json.loads(result.stdout)["state"] == "ready"
    (spec,) = engine.specs.values()
    assert (spec.environment["X11_WIDTH"], spec.environment["X11_HEIGHT"]) == ("1280", "800")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("resolution=huge", "options.resolution: must be WIDTHxHEIGHT"),
        ("startup_file=a.txt", "options.startup_file: this application does not offer this option"),
        ("colour=red", "options.colour: unknown option"),
        ("resolution", "must be NAME=VALUE"),
        ("=1", "must be NAME=VALUE"),
    ],
)
def test_a_bad_option_is_wrong_usage(alices: Desk, option: str, words: str) -> None:
    result = alices.run("app", "start", grant_of(alices.plane, "alice"), "--option", option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert alices.plane.access.sessions == {}


def test_a_startup_file_reaches_the_container_where_the_policy_allows_it(
    alices: Desk, engine: HeldEngine
) -> None:
    grantee, policy = Grantee("user", "alice"), Policy(allow_startup_data=True)
    grant = alices.plane.accounting.add_grant(grantee, APPLICATION, policy).id
    words = ("--option", "startup_file=data/a b.txt", "--wait")
    assert alices.run("app", "start", grant, *words).exit_code == 0
    (spec,) = engine.specs.values()
    assert spec.environment["STARTUPDATA"] == "data/a b.txt"


def test_a_session_that_has_an_end_is_let_run_on(alices: Desk) -> None:
    grantee, policy = Grantee("user", "alice"), Policy(max_lifetime=3600)
    grant = alices.plane.accounting.add_grant(grantee, APPLICATION, policy).id
    session = json.loads(alices.run("app", "start", grant, "--wait", "--json").stdout)
    longer = json.loads(alices.done("app", "extend", session["id"], "60", "--json"))
    assert longer["ends_at"] > session["ends_at"]
    said = alices.done("app", "extend", session["id"], "3600")
    assert said.startswith("It ends at 20")


def test_a_session_without_an_end_cannot_be_extended(alices: Desk) -> None:
    line = alices.refused(1, "app", "extend", alices.started(), "60")
    assert line == "Only what runs and has an end can be extended."


def test_a_second_start_names_what_runs_and_replace_stops_it(alices: Desk) -> None:
    first, grant = alices.started(), grant_of(alices.plane, "alice")
    line = alices.refused(1, "app", "start", grant)
    assert line.startswith("Hello runs already as often as it may.")
    assert line.endswith(f"Running: {first}.")
    second = alices.done("app", "start", grant, "--replace").strip()
    until(lambda: alices.plane.access.sessions[second].state == "ready")
    rows = json.loads(alices.done("app", "running", "--json"))
    assert [row["id"] for row in rows] == [second]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("start", "0" * 32), "See remoteapprest app available."),
        (("stop", "0" * 32), "See remoteapprest app running."),
        (("log", "0" * 32), "See remoteapprest app running."),
        (("extend", "0" * 32, "60"), "See remoteapprest app running."),
        (("stop", "../../tokens"), "See remoteapprest app running."),
    ],
)
def test_an_unknown_id_is_refused_with_where_to_look(
    alices: Desk, words: Sequence[str], hint: str
) -> None:
    assert alices.refused(1, "app", *words).endswith(hint)


def test_what_is_bobs_is_unknown_to_alice(alices: Desk) -> None:
    alices.sign_in("bob", "bob")
    grant = grant_of(alices.plane, "bob")
    theirs = alices.done("--profile", "bob", "app", "start", grant).strip()
    for words in (("start", grant), ("stop", theirs), ("log", theirs)):
        assert alices.refused(1, "app", *words).startswith("There is no such ")
    assert json.loads(alices.done("app", "running", "--json")) == []


def test_the_log_has_its_last_lines_as_they_are(alices: Desk) -> None:
    session_id = alices.started()
    raw = json.loads(alices.done("app", "log", session_id, "--json"))["log"]
    assert raw == "first\n\x1b[31msecond\x1b[0m\n"
    assert alices.done("app", "log", session_id, "--tail", "1") == "second\n"


def test_a_log_cannot_command_the_terminal(alices: Desk) -> None:
    session_id = alices.started()
    status, seen = at_a_terminal([*COMMAND, "app", "log", session_id], alices.env, ())
    assert (status, seen.splitlines()) == (0, ["first", r"\x1b[31msecond\x1b[0m"])


# waiting


def test_waiting_ends_with_the_address(alices: Desk) -> None:
    result = alices.run("app", "start", grant_of(alices.plane, "alice"), "--wait")
    (session,) = alices.plane.access.sessions.values()
    url = alices.plane.site.origins.session_address(session)
    assert (result.exit_code, result.stdout) == (0, f"{url}\n")
    assert result.stderr.splitlines()[0] == f"Session {session.id}"


def test_waiting_tells_why_it_failed_and_what_the_container_wrote(
    alices: Desk, application: Application200
) -> None:
    application.ready = False
    with start_and_wait(alices) as waiting:
        alices.plane.jobs.ended(container_of(alices))
        status, out, err = waiting.end()
    assert (status, out) == (1, "")
    assert err.splitlines()[-3:] == [
        "first",
        r"\x1b[31msecond\x1b[0m",
        "remoteapprest: The application ended before it was ready.",
    ]


def test_a_session_that_is_stopped_meanwhile_is_a_failure(
    alices: Desk, application: Application200
) -> None:
    application.ready = False
    with start_and_wait(alices) as waiting:
        assert container_of(alices)
        alices.done("app", "stop", next(iter(alices.plane.access.sessions)))
        status, out, err = waiting.end()
    assert (status, out) == (1, "")
    assert "stopped by alice" in err.splitlines()[-1]


def test_a_broken_stream_is_taken_up_where_it_broke(
    desk: Desk, cuttable: Wire, engine: HeldEngine, application: Application200
) -> None:
    far = replace(desk, portal=Served(cuttable.port, desk.portal.ca))
    far.sign_in()
    application.ready = False
    engine.go.clear()
    with start_and_wait(far) as waiting:
        assert waiting.line().startswith("Session ")
        assert waiting.line() == "Starting\n"
        engine.go.set()
        assert waiting.line() == "The container runs.\n"
        before = cuttable.laid
        cuttable.cut()
        until(lambda: cuttable.laid > before)
        application.ready = True
        status, out, err = waiting.end()
    assert (status, err) == (0, "")
    assert out.startswith(f"{desk.plane.site.origins.of('')}/user/alice/containers/")


def test_waiting_ends_where_there_is_no_event_stream(
    alices: Desk, loop: AbstractEventLoop, tmp_path: Path
) -> None:
    portal = portal_of(alices.plane)

    async def mute(scope: Scope, receive: Receive, send: Send) -> None:
        silent = scope.get("path", "").endswith("/events")
        await (Response("<h1>Hello</h1>", media_type="text/html") if silent else portal)(
            scope, receive, send
        )

    (tmp_path / "mute").mkdir()
    with served(mute, loop, tmp_path / "mute") as found:
        alices.move_to(found)
        result = alices.run("app", "start", grant_of(alices.plane, "alice"), "--wait")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "cli: The portal sent no event stream."


def test_open_shows_the_sessions_page_in_the_browser(desk: Desk, tmp_path: Path) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(0o755)
    desk.sign_in()
    words = ("app", "start", grant_of(desk.plane, "alice"), "--open")
    env = {**os.environ, **desk.env, "BROWSER": str(browser)}
    done = subprocess.run(
        [*COMMAND, *words], env=env, capture_output=True, text=True, check=True, timeout=20
    )
    assert seen.read_text() == f"{desk.portal.url}/sessions/{done.stdout.strip()}"
