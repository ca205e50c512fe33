"""An application is asked as nginx asks it, and where it leads is what a browser would follow."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from control_plane.adapters.application_client import Answer, ApplicationClient
from control_plane.errors import ControlPlaneError

BASE = "/user/alice%40lab/containers/0123456789abcdef0123456789abcdef"
PORTAL = "https://portal.example"


class Application(BaseHTTPRequestHandler):
    """Says what it was asked, or leads to where the query says."""

    def do_GET(self) -> None:
        to = parse_qs(urlsplit(self.path).query).get("to")
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to[0])
        self.end_headers()
        if not to:
            said = [self.path, *(self.headers[name] for name in ("Host", "X-Script-Name"))]
            self.wfile.write("\n".join(said).encode())

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


class Endless(BaseHTTPRequestHandler):
    """Says a little again and again, in the head or in the body, until its client leaves."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.endswith("/events"):
            self.send_header("Content-Type", "text/event-stream; charset=zlib")
        if not self.path.endswith("/head"):
            self.end_headers()
        self.flush_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b"data: 1\r\n")
                time.sleep(0.01)

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@contextmanager
def endless() -> Iterator[ApplicationClient]:
    with (
        served(Endless) as port,
        closing(ApplicationClient("127.0.0.1", port, "alice", BASE, patience=1)) as client,
    ):
        yield client


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asked(*, strip_path: bool) -> Iterator[ApplicationClient]:
    with served(Application) as port:
        client = ApplicationClient("127.0.0.1", port, "alice@lab", BASE, strip_path=strip_path)
        with closing(client):
            yield client


@pytest.mark.parametrize(
    ("strip_path", "arrives"), [(False, f"{BASE}/a%2Fb?c=d"), (True, "/a%2Fb?c=d")]
)
def test_the_path_arrives_as_it_was_sent(strip_path: bool, arrives: str) -> None:  # noqa: FBT001 - pytest gives it
    with asked(strip_path=strip_path) as client:
        answer = client.get(f"{BASE}/a%2Fb?c=d")
    assert answer == Answer(200, "", f"{arrives}\nportal.example\n{BASE}")


@pytest.mark.parametrize(
    ("to", "plain", "stripped"),
    [
        ("lab", f"{PORTAL}{BASE}/lab", f"{PORTAL}{BASE}/lab"),
        ("/lab", f"{PORTAL}/lab", f"{PORTAL}{BASE}/lab"),
        (f"{BASE}/lab", f"{PORTAL}{BASE}/lab", f"{PORTAL}{BASE}/lab"),
        ("http://portal.example/lab", f"{PORTAL}/lab", f"{PORTAL}{BASE}/lab"),
        ("//elsewhere.example/x", "https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("http://[", "", ""),
    ],
)
def test_a_redirect_leads_where_nginx_lets_it(to: str, plain: str, stripped: str) -> None:
    for strip_path, location in ((False, plain), (True, stripped)):
        with asked(strip_path=strip_path) as client:
            assert client.get(f"{BASE}/?to={quote(to)}") == Answer(302, location, "")


def test_below_the_session_is_below_however_it_is_encoded() -> None:
    with asked(strip_path=False) as client:
        assert client.holds(BASE)
        assert client.holds(BASE.replace("%40", "@") + "/x")
        assert not client.holds(BASE.replace("%40", "%2540") + "/x")
        assert not client.holds(BASE + "0/x")


def test_who_does_not_answer_is_no_answer() -> None:
    with closing(ApplicationClient("127.0.0.1", 1, "alice", BASE)) as client:
        assert client.get(f"{BASE}/").status == 0
        with pytest.raises(ControlPlaneError), client.websocket(f"{BASE}/websockify"):
            pass


@pytest.mark.parametrize("path", ["head", "body"])
def test_an_answer_that_never_ends_is_no_answer(path: str) -> None:
    with endless() as client:
        answer = client.get(f"{BASE}/{path}")
    assert answer == Answer(0, "", "no whole answer within 1 s")


def test_a_stream_of_events_is_read_for_a_while_in_whatever_charset_it_names() -> None:
    with endless() as client:
        said = client.events(3)
    assert said.startswith("data: 1\r\ndata: 1\r\n")


def test_what_is_no_stream_of_events_says_nothing() -> None:
    with asked(strip_path=False) as client:
        assert client.events(3) == ""
