"""The verbs `remoteapprest admin …`, over TLS, on the real application."""

import csv
import io
import json
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO
from cli.remoteapprest_desk import COMMAND, Desk, at_a_terminal
from served import portal_of, served
from starlette.types import Receive, Scope, Send
from usecases.conftest import APPLICATION, grant_of, until

from control_plane import sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import (
    AuditRow,
    Group,
    Policy,
    UsageRow,
    Volume,
)
from control_plane.domain.ports import Plane

UNKNOWN = "0" * 32
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LISTS = (
    ("user", "list"),
    ("group", "list"),
    ("app", "list"),
    ("grant", "list"),
    ("session", "list"),
    ("usage",),
    ("audit",),
)


def running(plane: Plane) -> str:
    """Start alice's application; return the session's id when it is ready."""
    user = plane.accounting.user("alice")
    assert user
    session = sessions.begin(
        plane, Caller(user, frozenset()), grant_of(plane, "alice"), {}, instead=False
    )
    until(lambda: plane.access.sessions[session.id].ready_at)
    return session.id


def act(number: int) -> AuditRow:
    return AuditRow(NOON + timedelta(seconds=number), "root", "test", f"target {number}")


# every verb


@pytest.mark.parametrize("words", LISTS)
def test_every_list_is_a_table_plain_words_and_json(admins: Desk, words: Sequence[str]) -> None:
    running(admins.plane)
    admins.plane.accounting.add_group(Group("lab", ("alice",)))
    admins.plane.records.add_audit(act(1))
    admins.plane.records.save_usage(UsageRow("1" * 32, "alice", "Hello", HELLO, NOON, NOON + HOUR))
    items = admins.told("admin", *words)
    plain = admins.done("admin", *words, "--no-decoration").splitlines()
    assert len(plain) == len(items) > 0
    titles, rule, *lines = [
        line for line in admins.done("admin", *words).splitlines() if line.strip()
    ]
    assert (len(lines), set(rule.strip())) == (len(items), {"─"})
    assert len(titles.split("  ")) > 1


def test_a_list_is_whole_however_many_pages_it_has(admins: Desk) -> None:
    for number in range(501):
        admins.plane.accounting.add_group(Group(f"group-{number:03}"))
    found = admins.told("admin", "group", "list")
    assert [one["name"] for one in found] == [f"group-{number:03}" for number in range(501)]


@pytest.mark.parametrize(
    "words", [("user", "list"), ("user", "enable", "bob"), ("stats",), ("announce", "Hello")]
)
def test_a_token_that_may_not_administer_is_told_how_to_get_one(
    alices: Desk, words: Sequence[str]
) -> None:
    scope = "admin:read" if words[-1] in ("list", "stats") else "admin:write"
    assert alices.refused(1, "admin", *words) == (
        f"This needs the scope {scope}. "
        "As an administrator, sign in again with remoteapprest login URL --admin."
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("user", "show", "nobody"), "user list"),
        (("user", "remove", "nobody"), "user list"),
        (("user", "enable", "nobody"), "user list"),
        (("user", "disable", "nobody"), "user list"),
        (("user", "create", "dan", "--no-password", "--group", "none"), "group list"),
        (("group", "create", "lab", "nobody"), "user list"),
        (("group", "remove", "none"), "group list"),
        (("group", "add", "none", "alice"), "user list and admin group list"),
        (("app", "change", UNKNOWN, "--port", "80"), "app list"),
        (("app", "remove", "none"), "app list"),
        (("grant", "create", "none", "--user", "alice"), "user list, group list and app list"),
        (("grant", "create", HELLO, "--group", "none"), "user list, group list and app list"),
        (("grant", "change", UNKNOWN, "--memory", "1g"), "grant list"),
        (("grant", "remove", UNKNOWN), "grant list"),
        (("session", "stop", UNKNOWN), "session list"),
        (("session", "message", UNKNOWN, "Hello"), "session list"),
    ],
)
def test_what_is_unknown_is_refused_with_where_to_look(
    admins: Desk, words: Sequence[str], hint: str
) -> None:
    assert admins.refused(1, "admin", *words).endswith(f". See remoteapprest admin {hint}.")


@pytest.mark.parametrize(
    "words",
    [
        ("user", "create", "dan"),
        ("user", "create", "dan", "--no-password", "--stdin"),
        ("user", "create", "dora", "--kind", "system", "--stdin"),
        ("user", "password", "alice"),
        ("user", "password", "alice", "a new password"),
        ("app", "change", HELLO),
        ("app", "create", "image", "--env", "NAME"),
        ("app", "create", "image", "--command", "sh -c 'x"),
        ("grant", "create", HELLO),
        ("grant", "create", HELLO, "--user", "alice", "--everyone"),
        ("grant", "create", HELLO, "--everyone", "--allow-view", "--share", "control"),
        ("grant", "change", UNKNOWN),
        ("grant", "change", UNKNOWN, "--default", "colour"),
        ("usage", "--since", "yesterday"),
        ("announce",),
        ("announce", "Hello", "--clear"),
        ("announce", "--clear", "--until", "2040-01-01"),
    ],
)
def test_wrong_usage_changes_nothing(admins: Desk, words: Sequence[str]) -> None:
    before, acts = admins.plane.accounting.holdings(), admins.plane.records.audit()
    result = admins.run("admin", *words, typed="some password\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert admins.plane.accounting.holdings() == before
    assert admins.plane.records.audit() == acts


def test_a_field_that_the_portal_refuses_is_named(admins: Desk) -> None:
    words = ("admin", "grant", "create", HELLO, "--everyone", "--memory", "1k")
    line = admins.refused(2, *words)
    assert line == "The policy is refused. policy.memory: must lie between 16m and 16t."


# users


def test_a_user_is_made_shown_kept_out_let_in_and_removed(admins: Desk) -> None:
    plane = admins.plane
    plane.accounting.add_group(Group("lab"))
    words = ("admin", "user", "create", "dan", "--stdin", "--group", "lab", "--disabled")
    assert admins.done(*words, typed="dan's password\n") == "Created the virtual user dan.\n"
    shown = admins.told("admin", "user", "show", "dan")
    assert (shown["kind"], shown["enabled"], shown["groups"]) == ("virtual", False, ["lab"])
    digest = plane.records.password("dan")
    assert plane.passwords.verify(digest, "dan's password")
    assert admins.done("admin", "user", "enable", "dan") == "Enabled the user dan.\n"
    assert admins.told("admin", "user", "list", "--search", "da", "--enabled")[0]["name"] == "dan"
    assert admins.done("admin", "user", "disable", "dan") == "Disabled the user dan.\n"
    assert [one["name"] for one in admins.told("admin", "user", "list", "--disabled")] == ["dan"]
    said = admins.done("admin", "user", "remove", "dan")
    assert said.splitlines()[0] == "Removed the user dan."
    assert plane.accounting.user("dan") is None


def test_a_user_is_shown_field_by_field(admins: Desk) -> None:
    lines = admins.done("admin", "user", "show", "alice", "--no-decoration").splitlines()
    assert lines == [
        "name\talice",
        "kind\tvirtual",
        "enabled\tyes",
        "admin\tno",
        "uid\t70000",
        "gid\t70000",
        "groups\t-",
    ]


def test_a_system_user_and_a_user_without_a_password_are_asked_for_none(admins: Desk) -> None:
    made = admins.told("admin", "user", "create", "dora", "--kind", "system", "--admin")
    assert (made["kind"], made["admin"], made["uid"]) == ("system", True, None)
    admins.done("admin", "user", "create", "dan", "--no-password")
    assert admins.plane.records.password("dan") is None


@pytest.mark.parametrize("words", [("create", "dan"), ("password", "alice")])
def test_a_password_is_asked_for_twice_and_never_shown(admins: Desk, words: Sequence[str]) -> None:
    command = [*COMMAND, "admin", "user", *words]
    status, seen = at_a_terminal(command, admins.env, [b"another password\n"] * 2)
    assert (status, "another password" in seen) == (0, False)
    assert seen.splitlines()[:2] == ["Password: ", "Repeat for confirmation: "]
    digest = admins.plane.records.password(words[1])
    assert admins.plane.passwords.verify(digest, "another password")


def test_a_password_is_read_from_standard_input(admins: Desk) -> None:
    words = ("admin", "user", "password", "alice", "--stdin")
    assert admins.done(*words, typed="a new password\n") == "Set the password of alice.\n"
    digest = admins.plane.records.password("alice")
    assert admins.plane.passwords.verify(digest, "a new password")
    line = admins.refused(2, *words, typed="short\n")
    assert "password: " in line
    assert "short" not in line.removeprefix("The body has bad fields. password: ")[20:]


def test_a_rehearsed_removal_tells_what_would_go_and_takes_nothing(admins: Desk) -> None:
    before = admins.plane.accounting.holdings()
    words = ("admin", "user", "remove", "alice", "--home", "archive", "--dry-run")
    report = admins.told(*words)
    assert report == {
        "user": "alice",
        "grants": [grant_of(admins.plane, "alice")],
        "groups": [],
        "tokens": 0,
        "signins": 0,
        "sessions": [],
        "home": "remoteapp-unit-home-70000",
        "home_action": "archive",
    }
    said = admins.done(*words)
    assert said.splitlines()[0] == "Would remove the user alice."
    assert "remoteapp-unit-home-70000" in said
    assert admins.plane.accounting.holdings() == before
    assert admins.plane.records.home_tasks() == []


@pytest.mark.parametrize(("words", "kept"), [((), set()), (("--keep-running",), {"user:alice"})])
def test_what_runs_is_kept_running_only_as_asked(
    admins: Desk, words: Sequence[str], kept: set[str]
) -> None:
    admins.done("admin", "user", "disable", "alice", *words)
    assert admins.plane.records.kept_running() == kept


# groups


def test_a_group_is_made_grows_shrinks_and_is_removed(admins: Desk) -> None:
    assert admins.done("admin", "group", "create", "lab", "alice") == "Created the group lab.\n"
    said = admins.done("admin", "group", "add", "lab", "charlie", "bob", "alice")
    assert said == "In the group lab: alice, bob, charlie.\n"
    left = admins.told("admin", "group", "discard", "lab", "alice", "charlie")
    assert left == {"id": "lab", "name": "lab", "members": ["bob"]}
    assert [one["name"] for one in admins.told("admin", "group", "list", "--member", "bob")] == [
        "lab"
    ]
    assert admins.done("admin", "group", "discard", "lab", "bob") == "In the group lab: nobody.\n"
    assert admins.told("admin", "group", "remove", "lab") == {"id": "lab", "removed": True}
    assert admins.plane.accounting.groups() == []


def test_a_stranger_to_a_group_is_not_taken_out_in_silence(admins: Desk) -> None:
    admins.plane.accounting.add_group(Group("lab", ("alice", "bob")))
    line = admins.refused(1, "admin", "group", "discard", "lab", "bob", "charlie")
    assert line == "Not in the group lab: charlie. See remoteapprest admin group list."
    group = admins.plane.accounting.group("lab")
    assert group == Group("lab", ("alice", "bob"))


@pytest.mark.parametrize(("others", "status"), [(1, 0), (100, 1)])
def test_what_somebody_else_changed_meanwhile_is_read_again_and_kept(
    admins: Desk, loop: AbstractEventLoop, tmp_path: Path, others: int, status: int
) -> None:
    plane, portal = admins.plane, portal_of(admins.plane)
    plane.accounting.add_group(Group("lab", ("alice",)))
    members = iter([("alice", "bob"), *[("alice",), ("alice", "bob")] * 50][:others])

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "PATCH" and (now := next(members, None)):
            plane.accounting.change_group("lab", lambda one: replace(one, members=now))
        await portal(scope, receive, send)

    (tmp_path / "busy").mkdir()
    with served(busy, loop, tmp_path / "busy") as found:
        admins.move_to(found)
        result = admins.run("admin", "group", "add", "lab", "charlie")
    assert result.exit_code == status
    if status:
        assert "It was changed since you looked at it." in result.stderr
    else:
        assert result.stdout == "In the group lab: alice, bob, charlie.\n"


# applications


def test_an_application_is_made_changed_and_removed_by_its_image(admins: Desk) -> None:
    flags = ("--display-name", "Desk", "--port", "8080", "--command", "run 'a b'")
    variables = ("--env", "A=1", "--env", "B=x=y")
    result = admins.run("admin", "app", "create", "desk:1", *flags, *variables, "--json")
    made = json.loads(result.stdout)
    assert (made["command"], made["environment"]) == (["run", "a b"], {"A": "1", "B": "x=y"})
    assert result.stderr == "This machine does not have its image.\n"
    words = ("--env", "C=3", "--no-env", "A", "--no-port", "--command", "")
    changed = admins.told("admin", "app", "change", "desk:1", *words)
    environment = {"B": "x=y", "C": "3"}
    assert changed == {**made, "environment": environment, "port": None, "command": []}
    again = admins.told("admin", "app", "change", made["id"], "--image", "desk:2")
    assert (again["image"], again["environment"]) == ("desk:2", environment)
    (row,) = admins.told("admin", "app", "list", "--search", "desk")
    assert row == again
    assert admins.done("admin", "app", "remove", "desk:2") == "Removed the application desk:2.\n"
    assert admins.told("admin", "app", "list", "--search", "desk") == []


def test_a_variable_that_is_not_there_is_not_forgotten_in_silence(admins: Desk) -> None:
    line = admins.refused(1, "admin", "app", "change", HELLO, "--no-env", "NAME")
    assert line == "The application has no variable NAME."


# grants

EVERY_FLAG = {
    "--allow-home": (),
    "--share": ("view",),
    "--allow-startup-data": (),
    "--app-license": ("ABC-1",),
    "--memory": ("1g",),
    "--cpus": ("0.5",),
    "--pids": ("64",),
    "--network": ("none",),
    "--max-sessions": ("2",),
    "--max-lifetime": ("2h",),
}


def test_every_field_of_the_policy_has_a_flag_and_a_way_back(admins: Desk, root: Path) -> None:
    flags = [word for flag, words in EVERY_FLAG.items() for word in (flag, *words)]
    volumes = ("--volume", f"{root}:/data:ro", "--volume", f"{root}:/more:rw")
    grant_id = admins.done("admin", "grant", "create", HELLO, "--user", "charlie", *flags, *volumes)
    grant_id = grant_id.strip()
    grant = admins.plane.accounting.grant(grant_id)
    assert grant
    assert grant.policy == Policy(
        allow_home=True,
        volumes=(Volume(str(root), "/data", "ro"), Volume(str(root), "/more", "rw")),
        allow_startup_data=True,
        app_license="ABC-1",
        share="view",
        memory=1024**3,
        cpus=0.5,
        pids=64,
        network="none",
        max_sessions=2,
        max_lifetime=7200,
    )
    names = [flag.removeprefix("--") for flag in (*EVERY_FLAG, "--volumes")]
    defaults = [word for name in names for word in ("--default", name)]
    admins.done("admin", "grant", "change", grant_id, *defaults)
    grant = admins.plane.accounting.grant(grant_id)
    assert grant
    assert grant.policy == Policy()


def test_a_change_of_a_grant_leaves_what_it_does_not_name(admins: Desk) -> None:
    grant_id = grant_of(admins.plane, "alice")
    words = ("--memory", "1g", "--no-allow-startup-data", "--allow-view")
    assert admins.done("admin", "grant", "change", grant_id, *words) == (
        f"Changed the grant {grant_id}.\n"
    )
    grant = admins.plane.accounting.grant(grant_id)
    assert grant
    assert grant.policy == Policy(allow_home=True, memory=1024**3, share="view")


def test_a_licence_is_read_from_standard_input_and_shown_nowhere(admins: Desk) -> None:
    words = ("admin", "grant", "create", HELLO, "--everyone", "--app_license", "-", "--json")
    made = admins.done(*words, typed="SECRET-1\n")
    grant = admins.plane.accounting.grant(json.loads(made)["id"])
    assert grant
    assert grant.policy.app_license == "SECRET-1"
    told = [
        made,
        *(admins.done("admin", *one, "--json") for one in (("grant", "list"), ("audit",))),
    ]
    assert ["SECRET" in one for one in told] == [False, False, False]


def test_grants_are_listed_with_whom_they_are_to_and_what_they_allow(admins: Desk) -> None:
    accounting = admins.plane.accounting
    accounting.add_group(Group("lab"))
    everyone = ("--everyone", "--max-lifetime", "0", "--memory", "16m", "--allow-home")
    admins.done("admin", "grant", "create", APPLICATION, *everyone)
    admins.done("admin", "grant", "create", HELLO, "--group", "lab")

    def rows(*words: str) -> list[list[str]]:
        text = admins.done("admin", "grant", "list", "--no-decoration", *words)
        return [line.split("\t")[1:4] for line in text.splitlines()]

    assert rows("--group", "lab") == [["group lab", HELLO, "-"]]
    limits = f"allow_home memory={16 * 1024**2} max_lifetime=0"
    assert rows("--everyone") == [["everyone", HELLO, limits]]
    assert rows("--user", "bob") == [["user bob", HELLO, "allow_home"]]
    assert len(rows("--application", HELLO)) == len(rows()) == 4


@pytest.mark.parametrize("words", [(), ("--keep-running",)])
def test_a_grant_is_taken_back(admins: Desk, words: Sequence[str]) -> None:
    grant_id = grant_of(admins.plane, "alice")
    said = admins.done("admin", "grant", "remove", grant_id, *words)
    assert said == f"Took the grant {grant_id} back.\n"
    assert admins.plane.accounting.grants_of("alice") == []
    kept = {f"grant:{grant_id}"} if words else set()
    assert admins.plane.records.kept_running() == kept


# sessions


def test_anyones_session_is_seen_told_something_and_stopped(admins: Desk) -> None:
    session_id = running(admins.plane)
    (row,) = admins.told("admin", "session", "list", "--user", "alice", "--state", "ready")
    assert (row["id"], row["owner"], row["access"]) == (session_id, "alice", "none")
    assert admins.told("admin", "session", "list", "--user", "bob") == []
    before = admins.plane.events.latest()
    said = admins.done("admin", "session", "message", session_id, "We close at six.")
    assert said == f"Told those who follow {session_id}.\n"
    (told,) = admins.plane.events.since(before) or ()
    assert told.message == "We close at six."
    assert admins.done("admin", "session", "stop", session_id) == f"Stopped {session_id}.\n"
    assert admins.told("admin", "session", "list") == []


# what was used, who did what


@pytest.fixture
def used(admins: Desk) -> Desk:
    for number, name in enumerate(("alice", "alice", "=cmd()", "bob\x1b[31m")):
        begun = NOON + number * HOUR
        row = UsageRow(f"{number:032}", name, "Hello", HELLO, begun, begun + HOUR, cpu_seconds=1.25)
        admins.plane.records.save_usage(row)
    return admins


def test_usage_is_listed_for_a_period(used: Desk) -> None:
    items = used.told("admin", "usage", "--until", "2026-03-01T14:00Z")
    assert items == [
        {
            "name": "alice",
            "sessions": 2,
            "seconds": 7200.0,
            "cpu_seconds": 2.5,
            "memory_gib_seconds": 0.0,
        }
    ]
    text = used.done("admin", "usage", "--by", "application", "--no-decoration")
    assert text == "Hello\t4\t14400.0\t5.0\t0.0\n"
    assert used.told("admin", "usage", "--since", "2026-03-02") == []


def test_usage_as_csv_is_what_the_portal_sent(used: Desk) -> None:
    rows = list(csv.reader(io.StringIO(used.done("admin", "usage", "--csv"))))
    assert [row[0] for row in rows] == ["name", "'=cmd()", "alice", "bob\x1b[31m"]


def test_a_csv_cannot_command_the_terminal(used: Desk) -> None:
    command = [*COMMAND, "admin", "usage", "--csv", "--since", "2026-03-01T15:00Z"]
    status, seen = at_a_terminal(command, used.env, ())
    assert status == 0
    assert seen.splitlines()[1:] == [r"bob\x1b[31m,1,3600.0,1.25,0.0"]


def test_the_audit_log_is_read_by_actor_action_target_and_time(admins: Desk) -> None:
    admins.done("admin", "user", "disable", "alice")
    for number in range(3):
        admins.plane.records.add_audit(act(number))
    (row,) = admins.told("admin", "audit", "--action", "user-disable", "--target", "alice")
    assert (row["actor"], row["before"]["enabled"], row["after"]["enabled"]) == (
        "admin",
        True,
        False,
    )
    text = admins.done("admin", "audit", "--action", "user-disable", "--no-decoration")
    assert text.rstrip("\n").split("\t")[-1] == "enabled: True > False"
    words = (
        "--actor",
        "root",
        "--since",
        "2026-03-01T12:00:01Z",
        "--until",
        "2026-03-01T12:00:02Z",
    )
    assert [one["target"] for one in admins.told("admin", "audit", *words)] == ["target 1"]
    assert admins.told("admin", "audit", "--actor", "nobody") == []


def test_the_audit_log_is_whole_and_a_csv_too(admins: Desk) -> None:
    for number in range(501):
        admins.plane.records.add_audit(act(number))
    newest_first = [f"target {number}" for number in reversed(range(501))]
    found = admins.told("admin", "audit", "--actor", "root")
    assert [one["target"] for one in found] == newest_first
    rows = csv.DictReader(io.StringIO(admins.done("admin", "audit", "--actor", "root", "--csv")))
    assert [row["target"] for row in rows] == newest_first


def test_acts_that_are_written_meanwhile_are_not_mixed_in(
    admins: Desk, loop: AbstractEventLoop, tmp_path: Path
) -> None:
    plane, portal = admins.plane, portal_of(admins.plane)
    for number in range(501):
        plane.records.add_audit(act(number))

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            plane.records.add_audit(AuditRow(datetime.now(UTC), "root", "test", "meanwhile"))
        await portal(scope, receive, send)

    (tmp_path / "busy").mkdir()
    with served(busy, loop, tmp_path / "busy") as found:
        admins.move_to(found)
        told = [one["target"] for one in admins.told("admin", "audit", "--action", "test")]
    assert told == ["meanwhile", *(f"target {number}" for number in reversed(range(501)))]


# the portal


def test_everyone_is_told_something_until_it_is_taken_back(admins: Desk) -> None:
    assert admins.done("admin", "announce", "We close at six.") == "Announced.\n"
    said = admins.done("admin", "announce", "We close.", "--until", "2040-01-01T00:00Z")
    assert said == "Announced until 2040-01-01T00:00:00Z.\n"
    told = admins.plane.records.announcement()
    assert told
    assert (told.text, told.until) == ("We close.", datetime(2040, 1, 1, tzinfo=UTC))
    assert admins.told("admin", "announce", "--clear") == {"text": "", "until": None}
    assert admins.plane.records.announcement() is None
    assert admins.refused(1, "admin", "announce", "--clear") == "Nothing is announced."


def test_the_figures_are_shown(admins: Desk) -> None:
    running(admins.plane)
    figures = admins.told("admin", "stats")
    assert (figures["users"], figures["sessions"]["ready"]) == (4, 1)
    lines = admins.done("admin", "stats", "--no-decoration").splitlines()
    assert lines[0] == "users\t4"
