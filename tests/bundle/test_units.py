"""The units as systemd reads them, and as a person does: every key has its reason."""

import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest

from control_plane.cli.control_plane import main

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
# Those of the contract's section 1 that are not the isolation work's, and the firewall's.
NAMES = {
    "remoteapp.target",
    "remoteapp.socket",
    "remoteapp.service",
    "remoteapp-engine.socket",
    "remoteapp-engine.service",
    "remoteapp-forwarder.socket",
    "remoteapp-forwarder-control.socket",
    "remoteapp-forwarder.service",
    "remoteapp-routes.path",
    "remoteapp-routes.service",
    "remoteapp-backup.timer",
    "remoteapp-backup.service",
    "remoteapp-certificate.timer",
    "remoteapp-certificate.service",
    "remoteapp-firewall.service",
    "remoteapp-pam.socket",
    "remoteapp-pam.service",
}
# Started by its socket, and at no other time.
ON_DEMAND = {"remoteapp-pam.service"}
AS_ROOT = {"remoteapp-routes.service", "remoteapp-backup.service", "remoteapp-certificate.service"}
SERVICES = sorted(name for name in NAMES if name.endswith(".service"))
# Of a bound of 10 for a service that is not shut in at all.
MOST_EXPOSED = {
    "remoteapp.service": 1.8,
    "remoteapp-routes.service": 3.0,
    "remoteapp-backup.service": 3.0,
    "remoteapp-certificate.service": 3.0,
    "remoteapp-firewall.service": 1.8,
    "remoteapp-engine.service": 1.8,
    "remoteapp-forwarder.service": 1.0,
    "remoteapp-pam.service": 0.4,
}
# One reason may speak for a few keys that say the same.
KEYS_PER_REASON = 7
# What a unit is called, and what kind it is, needs no reason.
PLAIN = {"Description", "Documentation", "Type", "ExecStart", "ListenStream"}


def lines(name: str) -> list[str]:
    return (UNITS / name).read_text().splitlines()


def keys(name: str) -> list[tuple[str, str]]:
    found = [line.partition("=") for line in lines(name) if re.match(r"[A-Z]\w+=", line)]
    return [(key, value) for key, _, value in found]


def values(name: str, key: str) -> list[str]:
    return [value for found, value in keys(name) if found == key]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with stand-ins for the programs that they start."""
    for unit in UNITS.glob("remoteapp*"):
        text = re.sub(r"(?<=[=\n])/(?:opt|usr)/\S*/(\S+)(?= )", rf"{tmp_path}/\1", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    for program in ("control-plane", "nft"):
        (tmp_path / program).symlink_to("/bin/true")
    return tmp_path


def test_the_units_are_those_that_the_contract_names() -> None:
    assert {one.name for one in UNITS.iterdir()} == NAMES | {"README.md"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_systemd_has_nothing_to_say_against_a_unit(installed: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed / name)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{installed}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_shut_in(installed: Path, name: str) -> None:
    words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(installed / name)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert found, told
    assert float(found[1]) <= MOST_EXPOSED[name]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_key_has_its_reason(name: str) -> None:
    without, left = [], 0
    for line in lines(name):
        if line.startswith("#"):
            left = KEYS_PER_REASON
        elif re.match(r"[A-Z]\w+=", line) and line.partition("=")[0] not in PLAIN:
            left -= 1
            if left < 0:
                without.append(line)
        elif not line or line.startswith("["):
            left = 0
    assert without == []


def test_only_the_one_shots_run_as_root() -> None:
    roots = {
        name
        for name in SERVICES
        if not values(name, "User") and values(name, "DynamicUser") != ["yes"]
    }
    assert roots == AS_ROOT


@pytest.mark.parametrize("name", sorted(NAMES - {"remoteapp.target", "remoteapp-firewall.service"}))
def test_the_target_starts_and_stops_all_but_the_one_shots(name: str) -> None:
    is_one_shot = values(name, "Type") == ["oneshot"]
    stopped = [] if is_one_shot else ["remoteapp.target"]
    started = [] if name in ON_DEMAND else stopped
    assert (values(name, "PartOf"), values(name, "WantedBy")) == (stopped, started)


@pytest.mark.parametrize("name", sorted(AS_ROOT | ON_DEMAND | {"remoteapp.service"}))
def test_the_commands_that_the_units_start_exist(name: str) -> None:
    (command,) = values(name, "ExecStart")
    program, *words = command.split()
    assert program == "/opt/remoteapp/current/bin/control-plane"
    context = main.make_context("control-plane", ["--help"], resilient_parsing=True)
    found = main
    verbs = itertools.takewhile(lambda one: one[0] not in "$-", words)
    for word in verbs:
        found = found.get_command(context, word)  # type: ignore[assignment] # a group, as the words say
        assert found is not None


def test_no_other_directory_of_the_services_own_holds_the_socket() -> None:
    (socket,) = values("remoteapp.socket", "ListenStream")
    own = {
        f"/run/{directory}"
        for name in SERVICES
        for value in values(name, "RuntimeDirectory")
        for directory in value.split()
    }
    assert str(Path(socket).parent) not in own


def test_each_service_is_in_the_groups_that_it_needs_and_in_no_other() -> None:
    groups = {name: values(name, "SupplementaryGroups") for name in SERVICES}
    assert {name: found for name, found in groups.items() if found} == {
        "remoteapp-engine.service": ["docker"],
        "remoteapp-pam.service": ["shadow"],
    }


def test_a_socket_is_for_those_alone_whom_it_is_for() -> None:
    sockets = sorted(name for name in NAMES if name.endswith(".socket"))
    keys_of = ("SocketUser", "SocketGroup", "SocketMode")
    found = {name: " ".join(values(name, key)[0] for key in keys_of) for name in sockets}
    assert found == {
        "remoteapp-engine.socket": "remoteapp root 0600",
        "remoteapp-forwarder-control.socket": "remoteapp root 0600",
        "remoteapp-forwarder.socket": "remoteapp-forwarder www-data 0660",
        "remoteapp-pam.socket": "remoteapp root 0600",
        "remoteapp.socket": "remoteapp www-data 0660",
    }
