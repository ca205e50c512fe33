"""The verbs `remoteappdb export` and `remoteappdb apply`."""

import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from cli.remoteappdb_site import COMMAND, Site
from click.testing import CliRunner
from ruamel.yaml import YAML

from control_plane.cli.remoteappdb import cli
from control_plane.domain.entities import Grantee

FILE = """\
users:
  - name: alice
    groups: [lab]
  - name: erin
    admin: true
groups:
  - lab
applications:
  - image: desk
    port: 9000
grants:
  - user: erin
    image: desk
    policy:
      memory: 1g
"""
NOTHING = "users: []\ngroups: []\napplications: []\ngrants: []\n"


def file_of(site: Site, text: str | bytes) -> str:
    path = site.path.with_name("accounting.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def faults(site: Site, text: str | bytes) -> list[str]:
    """Apply a file that is refused; return the lines that say why."""
    before, acts = site.accounting.holdings(), site.acts()
    result = site.run("apply", file_of(site, text))
    assert (result.exit_code, result.stdout) == (2, "")
    assert (site.accounting.holdings(), site.acts()) == (before, acts)
    *lines, last = result.stderr.splitlines()
    assert last.startswith("cli: The file ")
    return lines


def test_a_file_is_foreseen_applied_and_then_nothing_is_left_to_do(cast: Site) -> None:
    lab = cast.granted("lab", "alice")
    lines = [
        "+ group lab",
        "~ user alice: groups none -> lab",
        "- user bob",
        "+ user erin",
        "~ application desk: port none -> 9000",
        "- application lab",
    ]
    file = file_of(cast, FILE)
    foreseen = cast.done("apply", file, "--dry-run").splitlines()
    lines += ["+ grant of desk to user erin", "- grant of lab to user alice"]
    assert foreseen[:-1] == lines
    assert foreseen[-1] == "8 would change; nothing was."
    assert cast.accounting.grant(lab)
    done = cast.done("apply", file).splitlines()
    assert done == [*lines, "8 changed."]
    assert cast.done("apply", file) == "Nothing to change.\n"
    assert cast.done("apply", file, "--dry-run") == "Nothing to change.\n"


def test_what_is_exported_can_be_applied_and_read_by_programs(cast: Site) -> None:
    cast.done("group", "create", "lab", "bob")
    cast.done("app", "change", "lab", "--command", "lab --x", "--env", "A=b: c")
    grant_id = cast.granted("lab", "--group", "lab", "--app-license", "key: 1", "--cpus", "1.5")
    text = cast.done("export")
    assert cast.run("apply", "-", typed=text).stdout == "Nothing to change.\n"
    data = YAML(typ="safe").load(text)
    assert data["users"] == [
        {"name": "alice", "kind": "virtual"},
        {"name": "bob", "kind": "virtual", "groups": ["lab"]},
    ]
    assert data["applications"][1] == {
        "image": "lab",
        "command": ["lab", "--x"],
        "environment": {"A": "b: c"},
    }
    assert data["grants"] == [
        {
            "group": "lab",
            "image": "lab",
            "policy": {"app_license": "key: 1", "cpus": 1.5},
            "id": grant_id,
        }
    ]
    before = cast.accounting.holdings()
    assert cast.done("apply", file_of(cast, NOTHING)).endswith("6 changed.\n")
    assert cast.done("apply", file_of(cast, text)).endswith("6 changed.\n")
    after = cast.accounting.holdings()
    assert (after.groups, after.grants[0].id) == (before.groups, grant_id)
    assert [one.uid for one in after.users] == [70002, 70003]


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (
            "name: erin",
            "name: erin\n    colour: red",
            ("line 5: users[1].colour: unknown key; allowed: name, kind, enabled, admin, groups"),
        ),
        (
            "users:",
            "user:",
            ("line 1: user: unknown key; allowed: users, groups, applications, grants"),
        ),
        ("users:", "user:", "line 1: users: is missing; write users: [] for none"),
        ("groups:\n  - lab", "groups:", "line 6: groups: must be a list; [] is an empty one"),
        ("admin: true", "admin: yes", "line 5: users[1].admin: must be true or false"),
        ("admin: true", "kind: guest", "line 5: users[1].kind: must be virtual or system"),
        ("name: erin", "name: 7", "line 4: users[1].name: must be text; put a number in quotes"),
        ("name: erin", "admin: true", "line 5: users[1].admin: stands there twice"),
        (
            "name: erin",
            "name: alice",
            ("line 4: users[1].name: stands there twice, first in line 2"),
        ),
        (
            "  - name: erin\n    admin: true",
            "  - erin",
            ("line 4: users[1]: must be keys with values"),
        ),
        ("  - lab", "  - lab\n  - lab", "line 8: groups[1]: stands there twice, first in line 7"),
        ("  - lab", "  - [lab]", "line 7: groups[0]: must be text; put a number in quotes"),
        (
            "groups: [lab]",
            "groups: [class]",
            ("line 3: users[0].groups[0]: no group class stands in this file"),
        ),
        (
            "port: 9000",
            "port: 0",
            ("line 10: applications[0].port: must be a whole number from 1 to 65535"),
        ),
        (
            "port: 9000",
            "colour: red",
            (
                "line 10: applications[0].colour: unknown; allowed: image, "
                "display_name, description, category, port, command, environment, ready_path, "
                "strip_path, run_as"
            ),
        ),
        (
            "image: desk\n    port",
            "image: a b\n    port",
            ("line 9: applications[0].image: is not a name of an image of at most 255 characters"),
        ),
        (
            "user: erin",
            "user: nobody",
            ("line 12: grants[0].user: no user nobody stands in this file"),
        ),
        (
            "user: erin",
            "group: class",
            ("line 12: grants[0].group: no group class stands in this file"),
        ),
        (
            "user: erin\n    image: desk",
            "user: erin\n    image: lab",
            ("line 13: grants[0].image: no image lab stands in this file"),
        ),
        (
            "user: erin",
            "group: lab\n    everyone: true",
            ("line 12: grants[0]: must have one of user, group, everyone: true"),
        ),
        (
            "memory: 1g",
            "memory: lots",
            (
                "line 15: grants[0].policy.memory: must be a number of "
                "bytes, or text such as 512m or 2g"
            ),
        ),
        (
            "memory: 1g",
            "gpus: 1",
            ("line 15: grants[0].policy.gpus: not supported by this version yet"),
        ),
        (
            "memory: 1g",
            "volumes: [/srv]",
            (
                "line 15: grants[0].policy.volumes: /srv must be "
                "SOURCE:TARGET:MODE with two absolute paths and the mode ro or rw"
            ),
        ),
        (
            "memory: 1g",
            "memory: 1g\n    id: 12",
            ("line 16: grants[0].id: must be text; put a number in quotes"),
        ),
        (
            "memory: 1g",
            "memory: 1g\n    id: xyz",
            ("line 16: grants[0].id: must be 32 hex digits, or absent"),
        ),
        (
            "memory: 1g",
            "memory: 1g\n  - user: erin\n    image: desk\n    policy: {memory: 1g}",
            "line 16: grants[1]: stands there twice, first in line 12",
        ),
        (
            "name: erin",
            "name: *alias",
            ("line 4: users[1].name: anchors and aliases are not allowed"),
        ),
        ("name: erin", "name: !!str erin", "line 4: users[1].name: tags are not allowed"),
        (
            "memory: 1g",
            "memory: [[[[[[[1]]]]]]]",
            ("line 15: grants[0].policy.memory[0][0][0][0]: lies deeper than 8 levels"),
        ),
        (
            "  - name: erin",
            "  - {name: dora-of-the-host, kind: system}\n  - name: erin",
            (
                "line 4: user dora-of-the-host: This host has no account dora-of-the-host. "
                "Make it with useradd, or create a virtual user"
            ),
        ),
        (
            "  - name: erin",
            "  - name: root\n  - name: erin",
            ("line 4: user root: The name root is the host's. Choose another name"),
        ),
        (
            "memory: 1g",
            "volumes: ['/etc:/etc2:ro']",
            (
                "line 12: grant of desk to user erin: "
                "volumes: /etc does not lie under one of [volumes] roots (none is set)"
            ),
        ),
    ],
)
def test_a_fault_is_named_by_its_line(cast: Site, was: str, now: str, told: str) -> None:
    text = FILE.replace(was, now, 1)
    assert text != FILE
    result = cast.run("apply", file_of(cast, text))
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr.splitlines()
    assert [one.name for one in cast.accounting.users()] == ["alice", "bob"]
    assert list(cast.accounting.grants()) == []


def test_every_fault_is_named_in_the_order_of_the_lines(cast: Site) -> None:
    text = (
        FILE.replace("groups: [lab]", "groups: [class]")
        .replace("admin: true", "colour: red")
        .replace("port: 9000", "port: x")
        .replace("memory: 1g", "pids: 0")
    )
    assert [line.split(": ")[:2] for line in faults(cast, text)] == [
        ["line 3", "users[0].groups[0]"],
        ["line 5", "users[1].colour"],
        ["line 10", "applications[0].port"],
        ["line 15", "grants[0].policy.pids"],
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("users: [", "line 1: expected the node content, but found '<stream end>'"),
        ("a\n\t- b", "line 2: found character '\\t' that cannot start any token"),
        ("[[" * 50000, "line 1: [0][0][0][0][0][0][0][0]: lies deeper than 8 levels"),
        ("", "line 1: must be the keys users, groups, applications, grants"),
        ("- a", "line 1: must be the keys users, groups, applications, grants"),
        ("? [a]\n: b", "line 1: a key must be a word"),
        (b"users: []\n\xff", "line 2: is not UTF-8"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
            ("line 1: a: anchors and aliases are not allowed"),
        ),
    ],
)
def test_what_is_no_declaration_is_told(cast: Site, text: str | bytes, told: str) -> None:
    result = cast.run("apply", file_of(cast, text))
    assert result.exit_code == 2
    assert told in result.stderr.splitlines()


def test_a_file_that_is_too_large_is_not_read(cast: Site) -> None:
    begun = time.monotonic()
    result = cast.run("apply", file_of(cast, b"#" * 50 * 1024**2))
    assert (result.exit_code, result.stderr) == (2, "cli: The file is larger than 16 MiB.\n")
    assert time.monotonic() - begun < 5


def test_two_documents_are_one_too_many(cast: Site) -> None:
    line = cast.refused(2, "apply", file_of(cast, f"{NOTHING}---\n{NOTHING}"))
    assert line == "The file holds more than one document; one is allowed."


def test_a_file_that_is_not_there_is_wrong_usage(cast: Site) -> None:
    assert cast.run("apply", "/nonexistent").exit_code == 2


def test_accounting_that_is_read_only_is_exported_and_not_written(tmp_path: Path) -> None:
    kept = tmp_path / "accounting.csv"
    kept.write_text(
        "user.name,application.image,policy.app_license,policy.allow_home,policy.allow_view,"
        "policy.allow_common,policy.volume_source,policy.volume_target,policy.volume_mode,"
        "policy.allow_startup_data\nalice,remoteapp/desk,,1,0,0,,,,0\n"
    )
    database, records = str(kept), f"{tmp_path}/records.db"
    env = {"STATE_DIRECTORY": str(tmp_path), "REMOTEAPP_RECORDS__URL": records}
    assert CliRunner().invoke(cli, [database, "init"], env=env).exit_code == 0
    result = CliRunner().invoke(cli, [database, "group", "create", "lab"], env=env)
    assert result.exit_code == 3, result.output
    result = CliRunner().invoke(cli, [database, "apply", "-"], env=env, input=NOTHING)
    assert result.exit_code == 3, result.output
    assert "only read here" in result.stderr
    result = CliRunner().invoke(cli, [database, "apply", "-", "--dry-run"], env=env, input=NOTHING)
    assert "- user alice\n" in result.stdout
    result = CliRunner().invoke(cli, [database, "export"], env=env)
    assert "user: alice\n" in result.stdout, result.output
    assert kept.read_text().endswith("alice,remoteapp/desk,,1,0,0,,,,0\n")


def test_a_process_that_is_killed_at_the_commit_leaves_everything_as_it_was(cast: Site) -> None:
    grants = "".join(
        f"  - user: user{number % 100}\n    image: img{number // 100}\n" for number in range(4000)
    )
    users = "".join(f"  - name: user{number}\n" for number in range(100))
    images = "".join(f"  - image: img{number}\n" for number in range(40))
    text = f"users:\n{users}groups: []\napplications:\n{images}grants:\n{grants}"
    cast.records.set_password("alice", "$argon2id$alices")
    before = cast.accounting.holdings()
    command = [*COMMAND, str(cast.path), "apply", file_of(cast, text)]
    applying = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _wait_for_a_long_write(cast.path, applying)
    applying.kill()
    assert applying.wait() == -9
    assert cast.accounting.holdings() == before
    assert cast.records.password("alice") == "$argon2id$alices"
    assert cast.acts() == [
        *(("user-create", name) for name in ("alice", "bob")),
        *(("application-create", name) for name in ("desk", "lab")),
    ]
    assert cast.done("apply", file_of(cast, text)).endswith("4144 changed.\n")
    assert len(cast.accounting.grants_of("user0")) == 40
    assert cast.accounting.grants()[0].grantee == Grantee("user", "user0")
    assert cast.records.password("alice") is None


def _wait_for_a_long_write(path: Path, writer: subprocess.Popen[bytes]) -> None:
    """Return while somebody holds the write lock for longer than a small write takes."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    held = 0
    while held < 10:
        assert writer.poll() is None
        time.sleep(0.005)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            held = 0
        except sqlite3.OperationalError:
            held += 1
    connection.close()
