"""Each image keeps the contract's section 4: what it serves, as whom, and how it ends."""

import base64
import struct
import time
from typing import Any

import pytest
from images.conftest import BASE, READY, UID, Running, Start

APPLICATIONS = ("hello", "terminal", "jupyter")
LABEL = "eu.simphony-project.docker."
LISTENS = "0A"
ENGINES_RESOLVER = "0B00007F"  # 127.0.0.11
KINDS = {"hello": "webapp", "terminal": "vncapp", "jupyter": "webapp"}


@pytest.fixture(scope="module", params=APPLICATIONS)
def running(request: pytest.FixtureRequest, start_shared: Start) -> Running:
    return start_shared(request.param)


def listening(tables: str) -> set[int]:
    """Return the ports that listen, by /proc/net/tcp, but the engine's own resolver's."""
    rows = [row.split() for row in tables.splitlines() if ":" in row.split()[1]]
    bound = [row[1].split(":") for row in rows if row[3] == LISTENS]
    return {int(port, 16) for address, port in bound if address != ENGINES_RESOLVER}


def test_nothing_but_port_8888_listens(running: Running) -> None:
    tables = running.run("cat", "/proc/net/tcp", "/proc/net/tcp6")
    assert listening(tables) == {8888}


def test_no_process_has_a_capability_or_another_uid(running: Running) -> None:
    facts = running.run("sh", "-c", "grep -hE '^(Uid|Cap|NoNewPrivs)' /proc/[0-9]*/status")
    found = {tuple(line.split()) for line in facts.splitlines()}
    sets = [f"Cap{name}:" for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    expected = {(name, "0" * 16) for name in sets}
    assert found == {*expected, ("NoNewPrivs:", "1"), ("Uid:", *[str(UID)] * 4)}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_sigterm_ends_it_of_its_own_accord(start: Start, name: str) -> None:
    container = start(name).container
    begin = time.monotonic()
    container.stop(timeout=10)
    assert time.monotonic() - begin < 9
    container.reload()
    assert container.attrs["State"]["ExitCode"] != 137


@pytest.mark.parametrize(
    "path", ["/", "/user/", "/websockify", BASE[:-1], BASE + "0/", BASE.replace("alice", "bob")]
)
def test_what_is_not_of_the_session_is_404(running: Running, path: str) -> None:
    assert running.ask("GET", path).status_code == 404


def test_the_path_without_its_end_slash_leads_to_the_one_with_it(running: Running) -> None:
    answer = running.get("")
    assert answer.is_redirect
    target = answer.next_request.url.raw_path.decode() if answer.next_request else ""
    assert target.startswith(BASE + "/")


def test_the_page_arrives_whole(running: Running) -> None:
    answer = running.get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert "</html>" in answer.text


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_home_that_cannot_be_written_stops_nothing(start: Start, name: str) -> None:
    assert start(name, HOME="/").get(READY[name]).is_success


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_labels_say_what_the_image_is(network: Any, name: str) -> None:
    labels = network.client.images.get(f"remoteapp/{name}").labels
    assert labels[LABEL + "contract"] == "1"
    assert labels[LABEL + "type"] == KINDS[name]
    assert labels[LABEL + "ui_name"]
    assert labels[LABEL + "description"]
    declared = {key for key in labels if key.startswith(LABEL + "env.")}
    size = {LABEL + "env.x11-" + name for name in ("width", "height", "depth")}
    assert declared == (size if KINDS[name] == "vncapp" else set())


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_icon_is_a_png_of_128_by_128(network: Any, name: str) -> None:
    labels = network.client.images.get(f"remoteapp/{name}").labels
    icon = base64.b64decode(labels[LABEL + "icon_128"], validate=True)
    assert icon.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", icon[16:24]) == (128, 128)
