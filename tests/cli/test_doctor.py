"""`control-plane doctor`: how it says what it found."""

import json

from click.testing import CliRunner, Result

from control_plane.cli.control_plane import main
from control_plane.cli.doctor import render
from control_plane.doctor.examining import NAMES
from control_plane.doctor.findings import failed, ok, warning

FOUND = [
    ("disk", ok("9 GiB are left.")),
    ("images", failed("The image a\x1b[0m is not there.", "docker pull a")),
    ("clock", warning("It follows nobody.", "timedatectl set-ntp true")),
]


def doctor(*words: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["doctor", *words], prog_name="control-plane")


def test_people_read_a_row_a_finding_and_below_it_what_to_type() -> None:
    lines = [" ".join(line.split()) for line in render(FOUND, as_json=False).splitlines()]
    assert lines[3:] == [
        "disk ok 9 GiB are left.",
        "images failed The image a\\x1b[0m is not there.",
        "-> docker pull a",
        "clock warning It follows nobody.",
        "-> timedatectl set-ntp true",
        "",
        "1 ok, 1 warning, 1 failed",
    ]


def test_programs_get_a_list_of_what_was_found() -> None:
    assert json.loads(render(FOUND, as_json=True))[1] == {
        "name": "images",
        "status": "failed",
        "found": "The image a\x1b[0m is not there.",
        "todo": "docker pull a",
    }


def test_a_check_that_is_not_known_is_wrong_usage_and_says_which_are() -> None:
    answer = doctor("--only", "weather")
    assert answer.exit_code == 2
    assert all(name in " ".join(answer.stderr.split()) for name in NAMES)


def test_what_has_failed_makes_the_status_one_and_a_warning_does_not() -> None:
    bad = doctor("--only", "settings", "--json", REMOTEAPP_SETTINGS="/nonexistent/settings.toml")
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)[0] == {
        "name": "settings",
        "status": "failed",
        "found": "There are no settings: /nonexistent/settings.toml is not there.",
        "todo": "ansible-playbook -i inventory ansible/site.yml --tags control_plane",
    }
    beside = doctor("--only", "memory", "--json", REMOTEAPP_SETTINGS="/nonexistent/settings.toml")
    assert (beside.exit_code, json.loads(beside.stdout)[0]["status"]) == (0, "warning")


def test_every_check_is_made_where_nothing_is_installed() -> None:
    answer = doctor("--json", REMOTEAPP_SETTINGS="/nonexistent/settings.toml")
    assert answer.exit_code == 1
    assert list(dict.fromkeys(one["name"] for one in json.loads(answer.stdout))) == list(NAMES)
    assert not [one for one in json.loads(answer.stdout) if "itself broke" in one["found"]]
