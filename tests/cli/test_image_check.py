"""`control-plane image check`: what it says before it asks an engine, and how it says the rest."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from control_plane.adapters.application_client import ApplicationClient
from control_plane.checks import serving
from control_plane.checks.report import NAMES, broken, complete, passed
from control_plane.cli.control_plane import main
from control_plane.cli.image import render
from control_plane.domain.image_checks import Point, Report

BASE = "/user/alice/containers/0123456789abcdef0123456789abcdef"
OUT = '<a href="/lab">'


@contextmanager
def application(page: str) -> Iterator[ApplicationClient]:
    """Serve one page at every path."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_words: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = ApplicationClient("127.0.0.1", server.server_address[1], "alice", BASE)
        try:
            with closing(client):
                yield client
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def report() -> Report:
    points = [broken("sigterm", "It stays.", "Let it go."), passed("contract", "It says \x1b[0m.")]
    return complete("some/image", "contract", points, "It was tired.")


def check(*words: str) -> Result:
    environment = {"REMOTEAPP_ENGINE__HOST": "unix:///nonexistent.sock"}
    return CliRunner(env=environment).invoke(
        main, ["image", "check", *words], prog_name="control-plane"
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("some/image", "--port", "0"),
        ("some/image", "--run-as", "somebody"),
        ("some/image", "--env", "1=2"),
        ("some/image", "--start-timeout", "0"),
        ("some image",),
    ],
)
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    assert check(*words).exit_code == 2


def test_an_engine_that_is_away_is_said_to_be() -> None:
    answer = check("some/image")
    assert (answer.exit_code, answer.stdout) == (4, "")
    assert answer.stderr == (
        "control-plane: The container engine does not answer. "
        "See that it runs and that you may use it: root may, and the group docker.\n"
    )


def test_every_point_stands_in_the_report_once(report: Report) -> None:
    assert tuple(one.name for one in report.points) == NAMES
    assert report.failed
    assert report.points[3] == Point("start", "not looked at", "It was tired.")


def test_people_read_a_line_a_point_and_below_it_what_to_do(report: Report) -> None:
    lines = [" ".join(line.split()) for line in render(report, as_json=False).splitlines()]
    assert lines[0] == "some/image (made for our contract)"
    assert "contract pass It says \\x1b[0m." in lines
    assert lines[lines.index("sigterm fail It stays.") + 1] == "-> Let it go."
    assert lines[-1] == "1 pass, 1 fail, 0 not applicable, 16 not looked at"


def test_what_was_not_looked_at_is_one_row_for_people(report: Report) -> None:
    lines = [" ".join(line.split()) for line in render(report, as_json=False).splitlines()]
    first = next(line for line in lines if line.startswith("others"))
    assert first.startswith("others not looked at labels, icon, start, port, ready, base-path,")
    assert "start" not in [line.split()[0] for line in lines if line]


def test_piped_tables_are_no_wider_than_a_window_and_padded_with_nothing() -> None:
    long = complete("i" * 200, "contract", [passed("start", "word " * 100)], "It was tired.")
    name, *table = render(long, as_json=False).splitlines()
    assert name == f"{'i' * 200} (made for our contract)"
    assert max(map(len, table)) <= 120
    assert [line for line in table if line != line.rstrip()] == []


def test_help_says_what_the_exit_statuses_mean() -> None:
    answer = check("--help")
    rows = answer.stdout.partition("Exit status:")[2].splitlines()[1:6]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "4", "130"]


def test_programs_read_json(report: Report) -> None:
    found = json.loads(render(report, as_json=True))
    assert list(found) == ["image", "kind", "points"]
    assert (found["image"], found["kind"]) == ("some/image", "contract")
    assert found["points"][NAMES.index("sigterm")] == {
        "name": "sigterm",
        "result": "fail",
        "seen": "It stays.",
        "todo": "Let it go.",
    }


@pytest.mark.parametrize(
    ("page", "result"),
    [
        ('<a href="lab">', "pass"),
        (OUT, "fail"),
        ('<base href="/x/"><a href="lab">', "fail"),
        (f'<base href="{BASE}/x/"><base href="/x/"><a href="lab">', "pass"),
        ('<base href="http://["><a href="lab">', "pass"),
        (f'<base href="/{"x" * 4000}/"><a href="lab">', "pass"),
        (f'<a href="/{"x" * 4000}">', "pass"),
        ("".join(f'<a href="{number}">' for number in range(999)) + OUT, "fail"),
        ("".join(f'<a href="{number}">' for number in range(1000)) + OUT, "pass"),
    ],
)  # fmt: skip
def test_a_page_keeps_to_its_path_by_its_first_thousand_addresses_of_a_sane_length(
    page: str, result: str
) -> None:
    with application(page) as client:
        assert serving.base_path(client).result == result
