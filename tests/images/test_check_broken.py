"""`control-plane image check` names each promise that is broken, and leaves nothing behind."""

import io
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from images.checks import COMMAND, built, checked, failures
from images.conftest import until

from control_plane.adapters.docker_api import REALM

pytestmark = pytest.mark.usefixtures("images")
HELLO = "remoteapp/hello"
NOT_LOOKED_AT = {"result": "not looked at", "todo": ""}
LABEL = "eu.simphony-project.docker."


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as client:
        yield client


@pytest.fixture(scope="module")
def wrong_desktop(images: None) -> str:
    del images
    return built("wrong-desktop")


@contextmanager
def labelled(engine: docker.DockerClient, **labels: str) -> Iterator[str]:
    """Make an image of hello's with these labels changed, while the block runs."""
    ours = {LABEL + name: value for name, value in labels.items()}
    with made(engine, f"FROM {HELLO}", labels=ours) as tag:
        yield tag


@contextmanager
def made(engine: docker.DockerClient, *lines: str, **options: Any) -> Iterator[str]:
    """Build an image of a Dockerfile's lines, while the block runs."""
    tag = f"remoteapp-test/made:{secrets.token_hex(4)}"
    dockerfile = io.BytesIO("\n".join(lines).encode())
    engine.images.build(fileobj=dockerfile, tag=tag, rm=True, **options)
    try:
        yield tag
    finally:
        engine.images.remove(tag)


@pytest.fixture(scope="module")
def foreign(images: None) -> str:
    del images
    return built("foreign-static")


def perl(script: str) -> tuple[str, str]:
    """Return the flags that run a script in place of an image's own command."""
    return "--command", f"perl -MIO::Socket::INET -e '{script}'"


def test_labels_that_bar_a_start_are_all_named_and_nothing_is_started(
    engine: docker.DockerClient,
) -> None:
    with labelled(engine, contract="9", type="desktop", port="eighty", icon_128="none") as image:
        points = checked(image)
    assert {name for name, one in points.items() if one["result"] == "fail"} == {
        "contract",
        "labels",
        "icon",
    }
    for problem in ("contract version is 9", "type is desktop", "port is eighty", "icon_128"):
        assert problem in points["labels"]["seen"]
    assert points["contract"]["todo"].startswith("Set the label contract=1, or use a newer portal.")
    assert points["start"] == NOT_LOOKED_AT | {"seen": "Its labels bar its start."}


def test_an_icon_of_another_size_is_refused(engine: docker.DockerClient) -> None:
    dot = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
        "rkJggg=="
    )
    with labelled(engine, icon_128=dot) as image:
        assert failures(image) == {"icon": "The PNG in icon_128 has 1 by 1 pixels."}


def test_one_that_is_deaf_to_sigterm_is_found_out() -> None:
    found = failures(HELLO, "--env", "HELLO_IGNORE_TERM=1")
    assert found == {"sigterm": "It still ran 10 s after SIGTERM."}


def test_a_second_listener_is_found_out() -> None:
    # It is handed on to hello: both listen before anything is ready.
    listen = "$^F = 255; $s = IO::Socket::INET->new(LocalPort => 7777, Listen => 1); "
    assert failures(HELLO, *perl(listen + 'exec "/hello"')) == {
        "listeners": "Besides port 8888 it listens on 0.0.0.0:7777."
    }


def test_one_that_is_never_ready_is_told_by_its_last_answer() -> None:
    points = checked(HELLO, "--env", "HELLO_NEVER=1", "--start-timeout", "2")
    assert points["ready"]["result"] == "fail"
    assert points["ready"]["seen"] == (
        "<session path>/ did not answer 2xx within 2 s; the last answer was 503."
    )
    assert points["sigterm"] == NOT_LOOKED_AT | {"seen": "It never became ready."}
    assert points["ready"]["todo"].startswith("Answer 2xx there once it is usable")


def test_one_that_ends_at_once_is_quoted() -> None:
    assert failures(HELLO, "--env", "HELLO_EXIT=3") == {
        "port": "The container ended with status 3 before port 8888 answered. "
        "Its last words: hello: told to exit with status 3"
    }


def test_one_that_writes_to_its_image_is_told_what_its_label_means(
    engine: docker.DockerClient,
) -> None:
    writes = perl('open(F, ">/var/mine") or die "/var/mine: $!\\n"; exec "/hello"')
    with made(engine, f"FROM {HELLO}", "RUN chmod 777 /var", f"LABEL {LABEL}read-only=0") as image:
        points = checked(image, *writes)
        assert (points["ready"]["result"], points["read-only"]["seen"]) == (
            "pass",
            "It writes to /var/mine, so its root has to be writable.",
        )
        assert checked(image)["read-only"]["seen"] == (
            "It wrote to homes and /run, /tmp, /var/tmp alone: it may bear the label read-only=1."
        )
        with made(engine, f"FROM {image}", f"LABEL {LABEL}read-only=1") as labelled_so:
            assert failures(labelled_so, *writes)["capabilities"] == (
                "It runs with no capability and, by its label, a read-only root, and says: "
                "/var/mine: Read-only file system"
            )


def test_one_that_needs_a_capability_is_quoted() -> None:
    needy = 'chown(0, 0, "/workspace") or die "chown: $!\\n"; exec "/hello"'
    found = failures(HELLO, *perl(needy))
    assert set(found) == {"port", "capabilities"}
    assert found["capabilities"] == (
        "It runs with no capability and, by its label, a read-only root, and says: "
        "chown: Operation not permitted"
    )


def test_a_server_without_its_base_path_is_found_out() -> None:
    found = failures(HELLO, "--strip-path", "--ready-path", "{base_path}/")
    assert found == {"base-path": "<session path>/ answers 404."}


@pytest.mark.parametrize(
    ("wrong", "point", "seen"),
    [
        (
            "outside",
            "base-path",
            "The page refers to /page.js, which lies outside of its session path.",
        ),
        ("missing", "base-path", "The page needs <session path>/page.js, which answers 404."),
        (
            "away",
            "base-path",
            "<session path>/ leads to http://elsewhere.example/, which is another server.",
        ),
        (
            "elsewhere",
            "websocket",
            "/websockify, outside of the session path, is the desktop too.",
        ),
        (
            "password",
            "websocket",
            "websockify is no desktop: It asks for a password (security types 2).",
        ),
        (
            "text",
            "websocket",
            "websockify is no desktop: It greets with b'HTTP/1.1 400', not as RFB 3.",
        ),
        (
            "size",
            "resize",
            "It follows the browser's window; asked to start with 1016x648 it has 800x600.",
        ),
        (
            "clipboard",
            "clipboard",
            "A text copied in the browser breaks it: The desktop closed the connection.",
        ),
    ],
)
def test_a_desktop_that_breaks_one_promise_is_found_out(
    wrong_desktop: str, wrong: str, point: str, seen: str
) -> None:
    flags = ("--env", f"WRONG={wrong}", "--ready-path", "page.js" if wrong == "away" else "")
    assert failures(wrong_desktop, *flags) == {point: seen}


def test_a_server_that_calls_itself_a_desktop_is_found_out(engine: docker.DockerClient) -> None:
    with labelled(engine, type="vncapp") as image:
        found = failures(image)
    assert set(found) == {"websocket"}
    assert "HTTP 404" in found["websocket"]


@pytest.mark.parametrize(
    ("autostart", "seen"),
    [
        (
            "exec xfgi",
            (
                "It ended with status 127. "
                "Its last words: /etc/remoteapp/autostart: 1: exec: xfgi: not found"
            ),
        ),
        ("echo that is all", "It ended with status 0. Its last words: that is all"),
    ],
)
def test_a_desktop_whose_application_ends_at_once_is_found_out(
    engine: docker.DockerClient, autostart: str, seen: str
) -> None:
    lines = ("FROM remoteapp/base-vnc", f"RUN echo '{autostart}' > /etc/remoteapp/autostart")
    with made(engine, *lines) as image:
        points = checked(image)
    assert [name for name, one in points.items() if one["result"] != "pass"] == ["application"]
    assert points["application"] == {
        "result": "fail",
        "seen": seen,
        "todo": "Mend /etc/remoteapp/autostart: it runs the application in the foreground.",
    }


def test_a_desktop_that_tells_nothing_of_its_application_need_not(wrong_desktop: str) -> None:
    assert checked(wrong_desktop)["application"] == {
        "result": "not applicable",
        "seen": "It does not tell of it: there is no events.",
        "todo": "",
    }


def test_a_foreign_image_that_ends_without_root_is_told_of_it(foreign: str) -> None:
    todo = checked(foreign, "--port", "80", "--strip-path")["port"]["todo"]
    assert todo.endswith(" Or try --run-as root.")


def test_a_foreign_image_is_told_the_port_that_it_listens_on(foreign: str) -> None:
    points = checked(foreign, "--run-as", "root", "--start-timeout", "8")
    assert points["port"]["todo"] == "It listens on 80: try --port 80."


def test_a_foreign_image_that_knows_no_base_path_is_told_of_it(foreign: str) -> None:
    points = checked(foreign, "--run-as", "root", "--port", "80", "--start-timeout", "8")
    assert points["ready"]["seen"].endswith("; the last answer was 404.")
    assert points["ready"]["todo"] == (
        "Tell it its base path (--command with {base_path}), or use --strip-path."
    )


@pytest.mark.parametrize(
    ("where", "todo"),
    [
        ("LocalPort => 7777", "It listens on 7777: set the label port=7777."),
        (
            'LocalAddr => "127.0.0.1:8888"',
            "It listens on 127.0.0.1:8888, for itself alone: let it listen on 0.0.0.0.",
        ),
    ],
)
def test_one_that_listens_elsewhere_is_told_where(where: str, todo: str) -> None:
    listen = f"$s = IO::Socket::INET->new({where}, Listen => 1); sleep"
    assert checked(HELLO, *perl(listen), "--start-timeout", "8")["port"]["todo"] == todo


def test_who_watches_is_told_what_is_waited_for() -> None:
    watched, terminal = os.openpty()
    words = [*COMMAND, HELLO, "--env", "HELLO_EXIT=3", "--start-timeout", "60"]
    subprocess.run(words, stdout=subprocess.PIPE, stderr=terminal, check=False)
    said = os.read(watched, 1000)
    os.close(watched)
    os.close(terminal)
    assert said == b"Waiting up to 60 s for port 8888...\r\n"


def test_an_image_that_is_not_there_is_said_to_be_missing() -> None:
    answer = subprocess.run(
        [*COMMAND, "remoteapp-test/nowhere"], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        "control-plane: The image remoteapp-test/nowhere is not on this machine. "
        "Pull it (docker pull), or build it (images/build).\n"
    )


def realm_of(engine: docker.DockerClient, mark: str) -> str:
    """Return the realm of the container that bears the mark; empty while there is none."""
    for one in engine.containers.list(filters={"label": REALM}, ignore_removed=True):
        if f"MARK={mark}" in one.attrs["Config"]["Env"]:
            return str(one.labels[REALM])
    return ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_check_that_is_broken_off_leaves_nothing(
    engine: docker.DockerClient, tmp_path: Path, number: int, status: int
) -> None:
    mark = secrets.token_hex(8)
    words = [*COMMAND, HELLO, "--env", "HELLO_NEVER=1", "--env", f"MARK={mark}"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as check:
        until(lambda: realm_of(engine, mark), 30, "it starts nothing")
        realm = realm_of(engine, mark)
        check.send_signal(number)
        check.send_signal(number)
        _, said = check.communicate(timeout=60)
    assert (check.returncode, said) == (status, "\nAborted!\n")
    label = {"label": f"{REALM}={realm}"}
    assert engine.containers.list(all=True, filters=label, ignore_removed=True) == []
    assert engine.networks.list(filters=label) == []
    assert engine.volumes.list(filters=label) == []
    assert list(tmp_path.iterdir()) == []
