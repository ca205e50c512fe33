"""The file of rules: root's, read once, and clear about what is wrong in it."""

import os
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from control_plane.engine_door import rules_file
from control_plane.engine_door.rules import Ceilings, EngineAt, Rules
from control_plane.errors import SettingsError

WHOLE = """
realm = "lab"
images = ["lab/*"]
volume_roots = ["/srv/data"]
virtual_uids = [80000, 80999]
networks = ["none"]
allow_legacy_home = true
allow_powerful_homes = true
powerful_groups = ["sudo"]
powerful_users = ["ansible"]
[limits]
memory = "8g"
cpus = 4
pids = 1024
open_files = 4096
[engine]
host = "unix:///run/docker.sock"
session_range = "10.213.0.0/20"
reach = "loopback"
"""


def written(directory: Path, text: str, mode: int = 0o640) -> Path:
    path = directory / "engine.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_every_rule_is_read(tmp_path: Path) -> None:
    assert rules_file.load(written(tmp_path, WHOLE)) == Rules(
        realm="lab",
        images=("lab/*",),
        volume_roots=(Path("/srv/data"),),
        virtual_uids=(80000, 80999),
        networks=("none",),
        allow_legacy_home=True,
        allow_powerful_homes=True,
        powerful_groups=("sudo",),
        powerful_users=("ansible",),
        limits=Ceilings(8 * 1024**3, 4, 1024, 4096),
        engine=EngineAt(
            host="unix:///run/docker.sock",
            session_range=IPv4Network("10.213.0.0/20"),
            reach="loopback",
        ),
    )


def test_an_empty_file_has_the_defaults(tmp_path: Path) -> None:
    assert rules_file.load(written(tmp_path, "")) == Rules("remoteapp")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('realm = "../x"', "realm = '../x': up to 32 of a-z, 0-9 and -, the first not -"),
        ("privileged = true", "privileged: no such key"),
        ("limits.memory = 0", "limits.memory = 0: Input should be greater than or equal"),
        ('limits.memory = "much"', "limits.memory = 'much': Input should be a valid integer"),
        ("limits.pids = -1", "limits.pids = -1: Input should be greater than or equal to 1"),
        ("virtual_uids = [0, 9]", "virtual_uids = [0, 9]: the first and the last uid, 1000 to"),
        ('volume_roots = ["srv"]', "volume_roots.0 = 'srv': an absolute path without .."),
        ('volume_roots = "/srv"', "volume_roots = '/srv': Input should be a list"),
        ('networks = ["host"]', "networks.0 = 'host': Input should be 'internet' or 'none'"),
        ('allow_legacy_home = "maybe"', "allow_legacy_home = 'maybe': Input should be a valid"),
        ('engine.session_range = "0.0.0.0/0"', "a /20 of private addresses such as 10.213.0.0/20"),
        ("realm = ", "Invalid value"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_named_with_its_value_and_what_is_allowed(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        rules_file.load(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert said in caught.value.message


@pytest.mark.parametrize(("mode", "owner"), [(0o660, 0), (0o646, 0), (0o640, 70001)])
def test_a_file_that_another_could_have_written_is_no_rule(
    tmp_path: Path, mode: int, owner: int
) -> None:
    path = written(tmp_path, WHOLE, mode)
    os.chown(path, owner, 0)
    with pytest.raises(SettingsError, match="it must be root's and writable by nobody else"):
        rules_file.load(path)


def test_a_file_that_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        rules_file.load(tmp_path / "nothing")
