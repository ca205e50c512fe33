"""Where the engine is, by the settings and the environment, and what is refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

Said = Callable[..., str]
ELSEWHERE = "tcp://192.0.2.20:2376"
SHOW = """
from control_plane import installed, settings
try:
    place = installed.engine_reached(settings.load())
    print(place.host, bool(place.certificates), place.published_on, place.elsewhere)
except settings.SettingsError as error:
    print(error)
"""


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """Say where the engine of these `[engine]` settings is, in a process of its own."""

    def run(*lines: str, **environment: str) -> str:
        path = tmp_path / "settings.toml"
        path.write_text("\n".join(['public_url = "https://x.test"', "[engine]", *lines]))
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", SHOW],
            env={**kept, "REMOTEAPP_SETTINGS": str(path), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        (line,) = done.stdout.splitlines()
        return line

    return run


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Certificates as the docker command names them."""
    authority = trustme.CA()
    ours = authority.issue_cert("portal.test")
    found = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(found["ca"])
    ours.cert_chain_pems[0].write_to_path(found["cert"])
    found["key"].touch(mode=0o600)
    ours.private_key_pem.write_to_path(found["key"])
    return found


def given(files: dict[str, Path]) -> list[str]:
    return [f'tls_{name} = "{path}"' for name, path in files.items()]


HOST, LOOPBACK = f'host = "{ELSEWHERE}"', 'reach = "loopback"'


def test_unset_it_is_this_machines(said: Said) -> None:
    assert said() == "unix:///var/run/docker.sock False  False"
    assert said(LOOPBACK) == "unix:///var/run/docker.sock False 127.0.0.1 False"
    assert said(DOCKER_HOST="unix:///run/user/7/docker.sock").split()[0].endswith("/7/docker.sock")


def test_one_elsewhere_is_reached_over_tls_by_published_ports(
    said: Said, files: dict[str, Path]
) -> None:
    line = f"{ELSEWHERE} True 192.0.2.20 True"
    assert said(HOST, LOOPBACK, *given(files)) == line
    directory = str(files["ca"].parent)
    assert said(LOOPBACK, DOCKER_HOST=ELSEWHERE, DOCKER_CERT_PATH=directory) == line
    assert said(HOST, LOOPBACK, DOCKER_CERT_PATH=directory) == line
    files["key"].chmod(0o640)
    assert said(HOST, LOOPBACK, *given(files)) == line


def test_the_key_behind_the_door_is_the_doors_alone(said: Said, files: dict[str, Path]) -> None:
    files["key"].unlink()
    asked = [HOST, LOOPBACK, *given(files)]
    assert said(*asked).startswith("engine.tls_key = ")
    behind = said(*asked, ENGINE_SOCKET="/run/remoteapp/engine.sock")
    assert behind == f"{ELSEWHERE} True 192.0.2.20 True"


def test_another_machine_is_never_reached_in_the_clear(said: Said) -> None:
    refusal = "another machine's engine is reached over TLS alone"
    assert said(HOST, LOOPBACK).startswith(f"engine.host = '{ELSEWHERE}': {refusal}")
    line = said(LOOPBACK, DOCKER_HOST=ELSEWHERE)
    assert line.startswith(f"DOCKER_HOST = '{ELSEWHERE}': {refusal}")
    here = 'host = "tcp://127.0.0.1:2375"'
    assert said(here, LOOPBACK) == "tcp://127.0.0.1:2375 False 127.0.0.1 True"


def test_one_elsewhere_has_no_bridge_that_we_reach(said: Said, files: dict[str, Path]) -> None:
    assert said(HOST, *given(files)) == (
        "engine.reach = 'bridge': the containers of an engine elsewhere are reached through ports"
        f" that it publishes: with {ELSEWHERE} it must be 'loopback'"
    )


def test_its_address_is_no_name(said: Said, files: dict[str, Path]) -> None:
    line = said('host = "tcp://engine.test:2376"', LOOPBACK, *given(files))
    assert line.startswith("engine.host = 'tcp://engine.test:2376': with engine.reach")
    assert "IPv4 address" in line


def test_the_certificates_go_together_and_with_tcp(said: Said, files: dict[str, Path]) -> None:
    assert said(HOST, LOOPBACK, *given(files)[:2]) == (
        "engine.tls_key: missing; tls_ca, tls_cert, tls_key go together"
    )
    line = said(*given(files))
    assert line.startswith(f"engine.tls_ca = '{files['ca']}': is for an engine at tcp://")


def test_the_key_is_nobody_elses_to_read(said: Said, files: dict[str, Path]) -> None:
    files["key"].chmod(0o644)
    line = said(HOST, LOOPBACK, *given(files))
    assert line.startswith(f"engine.tls_key = '{files['key']}': others may read it")


def test_a_file_that_lacks_is_named(said: Said, files: dict[str, Path]) -> None:
    files["cert"].unlink()
    line = said(HOST, LOOPBACK, *given(files))
    assert line.startswith(f"engine.tls_cert = '{files['cert']}': No such file")


@pytest.mark.parametrize(
    "host", ["ssh://engine.test", "tcp://192.0.2.20", "tcp://192.0.2.20:x", "/run/docker.sock"]
)
def test_another_form_of_address_is_refused(said: Said, host: str) -> None:
    line = said(f'host = "{host}"')
    assert line == f"engine.host = '{host}': must be unix:///PATH or tcp://ADDRESS:PORT"
