"""The hello image: what it echoes, and how it misbehaves when a test asks it to."""

import contextlib
import json
import time

import httpx
import pytest
from images.conftest import BASE, Running, Start, until
from websockets.exceptions import ConnectionClosed

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def hello(start_shared: Start) -> Running:
    return start_shared("hello")


def test_echo_tells_the_request_as_it_was_sent(hello: Running) -> None:
    headers = [("X-Twice", "one"), ("X-Twice", "two"), ("Cookie", "a=1; b=2")]
    told = hello.ask("PUT", f"{BASE}/echo/a%2Fb?x=1&x=%20", headers=headers).json()
    assert (told["method"], told["path"], told["query"]) == (
        "PUT",
        f"{BASE}/echo/a%2Fb",
        "x=1&x=%20",
    )
    assert [pair for pair in told["headers"] if pair[0] in {"X-Twice", "Cookie", "Host"}] == [
        ["Cookie", "a=1; b=2"],
        ["Host", f"{hello.address}:8888"],
        ["X-Twice", "one"],
        ["X-Twice", "two"],
    ]


def test_the_user_in_the_path_may_be_encoded_in_either_way(hello: Running) -> None:
    for path in (BASE, BASE.replace("%40", "@")):
        assert hello.ask("GET", path + "/").is_success


def test_one_connection_carries_many_requests(hello: Running) -> None:
    with httpx.Client(base_url=f"http://{hello.address}:8888{BASE}") as client:
        streams = {
            client.get("/echo").extensions["network_stream"].get_extra_info("client_addr")
            for _ in range(20)
        }
    assert len(streams) == 1


@pytest.mark.parametrize("message", ["text ü", b"", b"\x00\xff" * 3, b"\x01" * MEBIBYTE])
def test_the_websocket_echoes_text_and_frames_up_to_a_mebibyte(
    hello: Running, message: str | bytes
) -> None:
    with hello.websocket("/ws") as socket:
        socket.send(message)
        assert socket.recv(10) == message


def test_a_longer_message_closes_the_websocket(hello: Running) -> None:
    with hello.websocket("/ws") as socket:
        with contextlib.suppress(ConnectionClosed):  # perhaps before all of it is sent
            socket.send(b"x" * (MEBIBYTE + 1))
        with pytest.raises(ConnectionClosed):
            socket.recv(10)


def test_the_websocket_tells_the_headers_of_its_handshake_first(hello: Running) -> None:
    cookie = {"Cookie": "a=1"}
    with hello.websocket("/ws?headers", additional_headers=cookie) as socket:
        assert ["Cookie", "a=1"] in json.loads(socket.recv(10))
        socket.send("next")
        assert socket.recv(10) == "next"


@pytest.mark.parametrize("code", [200, 201, 401, 403, 404, 418, 500, 502, 503, 504])
def test_status_answers_with_the_code_and_a_body(hello: Running, code: int) -> None:
    answer = hello.get(f"/status/{code}")
    assert (answer.status_code, answer.text) == (code, f"status {code} from the application\n")


def test_cookie_and_redirect_do_as_they_are_called(hello: Running) -> None:
    assert hello.get("/cookie").cookies["hello"] == "world"
    assert hello.get("/redirect").headers["Location"] == "./"


def test_cookies_and_a_redirect_are_sent_as_they_were_asked_for(hello: Running) -> None:
    lines = ["a=1;\tPath=/", "b; Domain=x"]
    answer = hello.get("/cookie", params={"set": lines})
    assert answer.headers.get_list("Set-Cookie") == lines
    to = "http://localhost/a%2Fb"
    assert hello.get("/redirect", params={"to": to}).headers["Location"] == to


def test_a_delayed_one_listens_late(start: Start) -> None:
    begin = time.monotonic()
    late = start("hello", HELLO_DELAY="1.5")
    assert 1.4 < time.monotonic() - begin < 5
    assert late.get("/").is_success


def test_one_told_to_exit_says_so_and_exits_with_the_status(start: Start) -> None:
    gone = start("hello", ready=False, HELLO_EXIT="3")
    assert gone.container.wait(timeout=10)["StatusCode"] == 3
    assert gone.log() == "hello: told to exit with status 3\n"


def test_one_told_never_to_be_ready_answers_but_never_2xx(start: Start) -> None:
    never = start("hello", ready=False, HELLO_NEVER="1")
    until(lambda: "listening" in never.log())
    assert never.get("/").status_code == 503


def test_one_deaf_to_sigterm_takes_the_whole_grace(start: Start) -> None:
    deaf = start("hello", HELLO_IGNORE_TERM="1")
    begin = time.monotonic()
    deaf.container.stop(timeout=2)
    assert time.monotonic() - begin >= 2
    deaf.container.reload()
    assert deaf.container.attrs["State"]["ExitCode"] == 137
