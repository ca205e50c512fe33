"""The role control_plane on a portal: what a change restarts, what is refused, who administers."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from deploy.host_image import OPERATOR
from deploy.hosts import Host, Play
from deploy.people import Site

from control_plane.trial.places import CLONE

UNITS = (
    *("remoteapp.socket", "remoteapp.service", "remoteapp-routes.path", "remoteapp-firewall"),
    *("remoteapp-engine.socket", "remoteapp-engine.service", "remoteapp-pam.socket"),
    *("remoteapp-forwarder.socket", "remoteapp-forwarder.service"),
    *("nginx", "docker"),
)
SETTINGS = "/etc/remoteapp/settings.toml"
PASSWORD = "/root/remoteapp-admin-password"
ADDITION = {"remoteapp-routes.path": "[Unit]\nDescription=Remoteapp: a test's own words\n"}


@pytest.fixture
def host(bookworm: Site) -> Host:
    return bookworm.host


def role(host: Host, *, check: bool = True, **variables: Any) -> Play:
    return host.playbook("site.yml", "--tags", "control_plane", check=check, **variables)


def started(host: Host) -> dict[str, str]:
    """Return when each unit became active."""
    key = "ActiveEnterTimestampMonotonic"
    return {one: host.out(f"systemctl show --property={key} --value {one}") for one in UNITS}


def restarted(host: Host, before: dict[str, str]) -> set[str]:
    after = started(host)
    return {one for one in UNITS if after[one] != before[one]}


def settings_of(host: Host) -> dict[str, Any]:
    text = host.out(f"cat {SETTINGS}")
    return tomllib.loads(text)


def project(folder: Path) -> Path:
    """Return a copy of the sources that makes another release."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(CLONE / name, folder / name)
    for name in ("control_plane", "systemd"):
        shutil.copytree(CLONE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "control_plane" / "errors.py").open("a") as file:
        file.write("# Another release.\n")
    return folder


def release_of(host: Host, sources: Path) -> str:
    """Return the name of the release that these sources make for the host."""
    python = host.out("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'")
    words = [f"--project={sources}", f"--python={python}", f"--machine={host.out('uname -m')}"]
    program = str(CLONE / "ansible" / "wheels.py")
    made = subprocess.run([sys.executable, program, *words], stdout=subprocess.PIPE, check=True)
    return str(json.loads(made.stdout)["release"])


def test_secrets_are_roots_and_what_others_run_is_nobody_elses_to_write(host: Host) -> None:
    files = f"secret settings.toml engine.toml host.env {PASSWORD}"
    assert host.out(f"cd /etc/remoteapp && stat -c '%a %U %G %n' {files}").splitlines() == [
        "600 root root secret",
        "640 root remoteapp settings.toml",
        "640 root remoteapp-engine engine.toml",
        "644 root root host.env",
        f"600 root root {PASSWORD}",
    ]
    assert host.out(r"find /opt/remoteapp ! -type l \( -perm /022 -o ! -user root \)") == ""
    assert len(host.out("cat /etc/remoteapp/secret")) >= 64


def test_changed_settings_arrive_as_given_and_restart_the_service_and_nothing_else(
    host: Host,
) -> None:
    before = started(host)
    given = {
        "auth": {"admins": ['o"brien', "back\\slash", "müller"], "auto_create_users": True},
        "limits": {"cpus": 1.5, "memory": 4294967296},
        "demo": {"applications": {"remoteapp/hello:latest": {"volumes": [], "allow_home": True}}},
    }
    role(host, remoteapp_settings=given)
    assert restarted(host, before) == {"remoteapp.service"}
    written = settings_of(host)
    role(host)
    bare = {
        "realm": "remoteapp",
        "public_url": host.url,
        "engine": {"session_range": "10.213.0.0/20"},
    }
    assert (written, settings_of(host)) == (bare | given, bare)


def test_each_account_is_in_the_groups_that_its_part_needs_and_in_no_other(host: Host) -> None:
    host.run("usermod --append --groups docker,shadow remoteapp")  # as an earlier release had it
    before = started(host)
    role(host)
    accounts = ("remoteapp", "remoteapp-engine", "remoteapp-forwarder", "remoteapp-pam")
    groups = {name: host.out(f"id --groups --name {name}").split()[1:] for name in accounts}
    assert groups == dict(zip(accounts, ([], ["docker"], [], ["shadow"]), strict=True))
    assert restarted(host, before) == set()


def test_changed_rules_of_the_engines_door_restart_it_and_nothing_else(host: Host) -> None:
    before, rules = started(host), host.out("cat /etc/remoteapp/engine.toml")
    role(host, remoteapp_engine_rules={"images": ["remoteapp/*"], "limits": {"memory": "8g"}})
    assert restarted(host, before) == {"remoteapp-engine.service"}
    written = tomllib.loads(host.out("cat /etc/remoteapp/engine.toml"))
    assert written == tomllib.loads(rules) | {"images": ["remoteapp/*"], "limits": {"memory": "8g"}}
    play = role(host, check=False, remoteapp_engine_rules={"images": "all"})
    assert (play.status, "images = 'all'" in play.output) == (2, True)
    role(host)
    assert host.out("cat /etc/remoteapp/engine.toml") == rules


def test_whom_sudo_lets_do_everything_is_powerful_to_the_engines_door(host: Host) -> None:
    # Whoever the playbook comes as is in no group that tells of it.
    assert "sudo" not in host.out(f"id --groups --name {OPERATOR}").split()
    written = tomllib.loads(host.out("cat /etc/remoteapp/engine.toml"))
    assert written["powerful_users"] == [OPERATOR]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"limits": {"memry": 1}}, "limits.memry = 1: no such setting"),
        (
            {"demo": {"applications": {"hello": {"share": "all"}}}},
            'demo.applications."hello".share',
        ),
    ],
    ids=["name", "policy"],
)
def test_settings_that_the_release_refuses_replace_nothing(
    host: Host, settings: dict[str, Any], said: str
) -> None:
    before, text = started(host), host.out(f"cat {SETTINGS}")
    play = role(host, check=False, remoteapp_settings=settings)
    assert play.status == 2
    assert said in play.output.replace('\\"', '"')
    assert (restarted(host, before), host.out(f"cat {SETTINGS}")) == (set(), text)


@pytest.mark.variant
def test_an_addition_to_a_unit_restarts_that_unit_and_goes_when_it_is_wanted_no_longer(
    host: Host,
) -> None:
    before = started(host)
    role(host, remoteapp_unit_additions=ADDITION)
    assert restarted(host, before) == {"remoteapp-routes.path"}
    show = "systemctl show --property=Description --value remoteapp-routes.path"
    assert host.out(show) == "Remoteapp: a test's own words"
    role(host)
    assert host.out(show) == "Remoteapp: routes that were handed over"


@pytest.mark.variant
def test_what_a_run_that_was_cut_off_did_not_let_the_service_read_is_read(host: Host) -> None:
    before = started(host)
    host.run(f"touch {SETTINGS}")
    assert role(host).changed == 1
    assert restarted(host, before) == {"remoteapp.service"}
    host.run("touch /etc/systemd/system/remoteapp.service")
    assert role(host).changed == 1
    again = started(host)
    assert role(host).changed == 0
    assert restarted(host, again) == set()


@pytest.mark.variant
def test_another_release_replaces_what_a_run_left_half_made_and_keeps_the_one_before(
    host: Host, tmp_path: Path
) -> None:
    sources = project(tmp_path)
    name, old = release_of(host, sources), host.out("readlink /opt/remoteapp/current")
    host.run(f"mkdir -p /opt/remoteapp/{name}/bin && touch /opt/remoteapp/{name}/bin/half")
    before = started(host)
    role(host, remoteapp_source=str(sources))
    assert host.out("readlink /opt/remoteapp/current") == f"/opt/remoteapp/{name}"
    assert host.out(f"ls /opt/remoteapp/{name}").split() == [
        *("bin", "complete", "include", "lib", "lib64", "pyvenv.cfg", "systemd"),
    ]
    assert host.run(f"test -e /opt/remoteapp/{name}/bin/half", check=False).returncode == 1
    behind = {"remoteapp-engine.service", "remoteapp-forwarder.service"}
    assert restarted(host, before) == {"remoteapp.service", *behind}
    role(host, remoteapp_keep_releases=1)
    assert host.out("readlink /opt/remoteapp/current") == old
    assert host.out("ls -d /opt/remoteapp/*/").split() == [f"{old}/", "/opt/remoteapp/current/"]


def test_the_first_administrator_signs_in_with_the_password_on_the_host(host: Host) -> None:
    with host.client() as client:
        credentials = ("portal-admin", host.out(f"cat {PASSWORD}"))
        answer = client.post("/api/v1/tokens", json={"name": "first"}, auth=credentials)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    with host.client(Authorization=f"Bearer {answer.json()['token']}") as client:
        assert client.get("/api/v1/me").json()["admin"] is True


@pytest.mark.variant
def test_a_run_that_was_cut_off_before_the_password_was_set_is_taken_up(host: Host) -> None:
    host.run(f"echo another-long-password >{PASSWORD}.pending; chmod 600 {PASSWORD}.pending")
    host.run(f"rm {PASSWORD}")
    assert role(host).changed == 1
    assert host.out(f"cat {PASSWORD}") == "another-long-password"
    assert host.run(f"test -e {PASSWORD}.pending", check=False).returncode == 1
    test_the_first_administrator_signs_in_with_the_password_on_the_host(host)
    assert role(host).changed == 0
