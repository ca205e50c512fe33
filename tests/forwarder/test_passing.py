"""Connections through the forwarder, over real sockets: led, filtered, held back, cut."""

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from forwarder.running import (
    GREETING,
    SHARE,
    Desktop,
    Forwarding,
    Raw,
    desktop,
    now,
    passage,
    saying,
    until,
    websocket,
)
from forwarder.test_rfb import HANDSHAKE, KEY, POINTER, RESIZE, UPDATE, VERSION
from nginx.stubs import application
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection

ACCEPTS = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def look(through: Forwarding) -> str | bytes:
    with websocket(through.public) as bob:
        return bob.recv(timeout=5)


def is_cut(one: ClientConnection) -> bool:
    try:
        one.recv(timeout=5)
    except ConnectionClosed:
        return True
    return False


def test_a_viewer_looks_and_what_would_act_does_not_arrive(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        bob.send(VERSION + b"\x01" + b"\x00")
        bob.send(KEY + UPDATE[:4])
        bob.send([UPDATE[4:] + POINTER, RESIZE + UPDATE])
        until(lambda: alices.has_heard(HANDSHAKE + UPDATE + UPDATE))
        alices.opened[0].send(b"picture" * 100_000)
        assert bob.recv(timeout=5) == b"picture" * 100_000


def test_who_controls_is_not_filtered_and_compression_is_the_applications_affair(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target, access="control"))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        bob.send(VERSION + b"\x01" + b"\x00" + KEY + b"\x07")
        until(lambda: alices.has_heard(VERSION + b"\x01" + b"\x00" + KEY + b"\x07"))
        assert bob.protocol.extensions


def test_a_viewer_is_offered_bytes_alone_and_no_compression(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public, ("Sec-WebSocket-Protocol", "base64")) as bob:
        assert (bob.subprotocol, bob.protocol.extensions) == ("binary", [])
    names = [name.lower() for name, _ in alices.handshakes[0]]
    assert "sec-websocket-extensions" not in names
    assert [v for n, v in alices.handshakes[0] if n.lower() == "sec-websocket-protocol"] == [
        "binary"
    ]


def test_a_client_that_offers_no_subprotocol_is_told_of_none(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public, protocol="") as bob:
        assert (bob.subprotocol, bob.recv(timeout=5)) == (None, GREETING)


def test_a_viewer_who_wants_another_subprotocol_is_refused(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    with pytest.raises(InvalidStatus) as refused:
        websocket(through.public, protocol="base64").__enter__()
    assert (refused.value.response.status_code, alices.handshakes) == (403, [])


def test_pings_pongs_and_the_close_pass(through: Forwarding, alices: Desktop) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public) as bob:
        assert bob.ping(b"there?").wait(5)
        until(lambda: bool(alices.opened))
        assert alices.opened[0].ping(b"and there?").wait(5)
        bob.close(1001, "gone to lunch")
        until(lambda: not alices.opened)
        assert bob.close_code == 1001


def test_what_the_application_sees_of_a_visitor(through: Forwarding) -> None:
    through.client.put(passage("127.0.0.1:9"))
    with application("127.0.0.1") as hello:
        through.client.put(passage(hello.target))
        one = Raw(through.public).ask("GET /a%2Fb?c=d HTTP/1.1", ("X-Own", "kept"))
        told = json.loads(one.read().partition(b"\r\n\r\n")[2])
    assert (told["method"], told["path"]) == ("GET", "/a%2Fb?c=d")
    assert told["headers"] == [
        ["Host", "portal.example"],
        ["X-Remote-User", "bob"],
        ["X-Own", "kept"],
        ["X-Session-Access", "view"],
        ["Connection", "close"],
    ]


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("POST / HTTP/1.1", [("Content-Length", "0")]),
        ("DELETE / HTTP/1.1", []),
        ("OPTIONS / HTTP/1.1", []),
        ("GET / HTTP/1.1", [("Content-Length", "30")]),
        ("GET / HTTP/1.1", [("Transfer-Encoding", "chunked")]),
    ],
)
def test_a_viewer_may_only_get_and_head(
    through: Forwarding, line: str, more: list[tuple[str, str]]
) -> None:
    with saying(ANSWER) as (target, asked):
        through.client.put(passage(target))
        answer = Raw(through.public).ask(line, *more).read()
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"Allow: GET, HEAD\r\n" in answer
    assert asked == []


def test_nothing_after_a_viewers_request_reaches_the_application(through: Forwarding) -> None:
    with saying(ANSWER, holds=True) as (target, asked):
        through.client.put(passage(target))
        again = b"POST /act HTTP/1.1\r\nHost: x\r\n\r\n"
        one = Raw(through.public).ask().send(again)
        until(lambda: bool(asked))
        one.send(again)
        time.sleep(0.2)
        one.close()
    assert [words.count(b"HTTP/1.1") for words in asked] == [1]


def test_who_controls_uploads_as_much_as_they_like(through: Forwarding) -> None:
    with application("127.0.0.1") as hello:
        through.client.put(passage(hello.target, access="control", type="webapp"))
        size = 8 * 1024**2
        one = Raw(through.public).ask("POST / HTTP/1.1", ("Content-Length", str(size)))
        one.send(bytes(size))
        assert one.read().startswith(b"HTTP/1.1 200 ")
        assert hello.received == size


def test_an_answer_that_comes_before_the_whole_question_arrives(through: Forwarding) -> None:
    with saying(ANSWER) as (target, _):
        through.client.put(passage(target, access="control", type="webapp"))
        one = Raw(through.public).ask("POST / HTTP/1.1", ("Content-Length", str(1024**3)))
        assert one.read() == ANSWER


@pytest.mark.parametrize(
    "who",
    [{"share": "6" * 32}, {"user": "charlie"}, {"user": "bob%0Acharlie"}, {"viewer": ""}],
    ids=str,
)
def test_who_is_not_let_in_gets_no_answer_and_the_application_no_question(
    through: Forwarding, who: dict[str, str]
) -> None:
    with saying(ANSWER) as (target, asked):
        through.client.put(passage(target))
        assert Raw(through.public).ask(**who).read() == b""
        assert asked == []


def test_a_name_is_judged_as_it_is_and_passed_as_it_was_said(through: Forwarding) -> None:
    with saying(ANSWER) as (target, asked):
        through.client.put(passage(target, people=("böb/1",)))
        assert Raw(through.public).ask(user="b%C3%B6b%2F1").read() == ANSWER
        assert b"X-Remote-User: b%C3%B6b%2F1\r\n" in asked[0]


@pytest.mark.parametrize("name", ["X-Remoteapp-Share", "X-Remoteapp-Viewer", "X-Remote-User"])
def test_whoever_is_named_twice_is_nobody(through: Forwarding, name: str) -> None:
    with saying(ANSWER) as (target, asked):
        through.client.put(passage(target))
        assert Raw(through.public).ask("GET / HTTP/1.1", (name, "bob")).read() == b""
        assert asked == []


@pytest.mark.parametrize(
    "noise",
    [os.urandom(10_000), bytes(10_000), b"GET " + b"x" * 300_000, b"\r\n" * 5_000],
    ids=["random", "zeros", "a long line", "no line"],
)
def test_garbage_ends_the_connection_and_nothing_else(through: Forwarding, noise: bytes) -> None:
    one = Raw(through.public).send(noise)
    one.socket.shutdown(socket.SHUT_WR)
    assert b" 200 " not in one.read()
    through.client.check()


def test_garbage_after_the_handshake_ends_the_connection(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        bob.socket.sendall(os.urandom(10_000))
        assert is_cut(bob)
    until(lambda: not alices.opened)


@pytest.mark.parametrize("message", [b"\x07", b"RFB 003.003\n"], ids=["unknown", "older"])
def test_a_viewer_who_says_what_nobody_may_is_cut_and_the_desktop_reads_nothing(
    through: Forwarding, alices: Desktop, message: bytes
) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        if message == b"\x07":
            bob.send(HANDSHAKE)
            until(lambda: alices.has_heard(HANDSHAKE))
        bob.send(message)
        assert is_cut(bob)
    until(lambda: not alices.opened)
    assert alices.has_heard(HANDSHAKE if message == b"\x07" else b"")


def test_a_desktop_of_an_older_protocol_is_not_shown(through: Forwarding) -> None:
    with desktop(b"RFB 003.003\n") as older:
        through.client.put(passage(older.target))
        with pytest.raises((ConnectionClosed, InvalidHandshake)):
            look(through)
        until(lambda: not older.opened)


def test_a_revocation_cuts_at_once_and_the_owner_does_not_blink(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    through.client.put(passage(alices.target, share_id="6" * 32, people=("carol",)))
    with (
        websocket(through.public) as bob,
        websocket(through.public, share="6" * 32, viewer="carols", user="carol") as carol,
    ):
        assert bob.recv(timeout=5) == carol.recv(timeout=5) == GREETING
        begun = time.monotonic()
        through.client.drop(SHARE)
        assert is_cut(bob)
        assert time.monotonic() - begun < 0.5
        with pytest.raises(InvalidHandshake):
            look(through)
        alices.opened[-1].send(b"still there")
        assert carol.recv(timeout=5) == b"still there"


def test_what_a_viewer_has_sent_before_the_cut_does_not_arrive_after_it(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target, access="control"))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        bob.send(KEY)
        until(lambda: alices.has_heard(KEY))
        through.client.drop(SHARE)
        with suppress(ConnectionClosed, OSError):
            for _ in range(100):
                bob.send(KEY)
    until(lambda: not alices.opened)
    assert alices.has_heard(KEY)


def test_the_end_of_a_share_cuts_by_the_forwarders_own_clock(
    through: Forwarding, alices: Desktop
) -> None:
    ends = now() + timedelta(seconds=1)
    through.client.put(passage(alices.target, expires_at=ends))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        through.client.close()  # nobody tells it
        assert is_cut(bob)
        assert ends <= now() < ends + timedelta(seconds=1)
    assert Raw(through.public).ask().read() == b""


def test_a_viewer_who_is_cut_is_out_by_every_share(through: Forwarding, alices: Desktop) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public, viewer="cut") as bob:
        assert bob.recv(timeout=5) == GREETING
        through.client.cut("cut")
        assert is_cut(bob)
    assert Raw(through.public).ask(viewer="cut").read() == b""
    with websocket(through.public, viewer="bob-anew") as again:
        assert again.recv(timeout=5) == GREETING


def test_less_access_cuts_and_the_same_again_does_not(through: Forwarding, alices: Desktop) -> None:
    control = passage(alices.target, access="control")
    through.client.put(control)
    with websocket(through.public, viewer="bobs-other") as bob:
        assert bob.recv(timeout=5) == GREETING
        through.client.replace([replace(control, people=("bob", "carol"))])
        alices.opened[0].send(b"still there")
        assert bob.recv(timeout=5) == b"still there"
        through.client.replace([replace(control, access="view")])
        assert is_cut(bob)


def test_who_watches_is_told_by_name_since_when(through: Forwarding, alices: Desktop) -> None:
    through.client.put(passage(alices.target))
    begun = now()
    with websocket(through.public, viewer="v1"), websocket(through.public, viewer="v2"):
        found = through.client.watching()
        assert [(one.share_id, one.viewer, one.user) for one in found] == [
            (SHARE, "v1", "bob"),
            (SHARE, "v2", "bob"),
        ]
        assert begun <= found[0].since <= found[1].since <= now()
    until(lambda: through.client.watching() == [])


def test_a_viewer_who_takes_nothing_in_costs_no_memory(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage(alices.target))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        before = resident(through)
        server = alices.opened[0].socket
        server.settimeout(0.5)
        frame = b"\x82\x7f" + (1 << 20).to_bytes(8, "big") + bytes(1 << 20)
        with pytest.raises(TimeoutError):
            server.sendall(frame * 64)
        assert resident(through) - before < 4 * 1024
        through.client.drop(SHARE)


def resident(through: Forwarding) -> int:
    """Return what the process holds in memory, in KiB."""
    text = Path(f"/proc/{through.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


def test_an_application_that_is_gone_or_vanishes_ends_the_connection(
    through: Forwarding, alices: Desktop
) -> None:
    through.client.put(passage("127.0.0.1:9", share_id="6" * 32))
    assert Raw(through.public).ask(share="6" * 32).read() == b""
    through.client.put(passage(alices.target))
    with websocket(through.public) as bob:
        assert bob.recv(timeout=5) == GREETING
        alices.opened[0].socket.close()
        assert is_cut(bob)
    until(lambda: through.client.watching() == [])


@pytest.mark.parametrize(
    "answer",
    [
        ACCEPTS + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        ACCEPTS + b"Sec-WebSocket-Protocol: base64\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
    ids=["compresses", "base64", "no HTTP", "nothing"],
)
def test_an_answer_that_would_get_past_the_filter_is_not_passed(
    through: Forwarding, answer: bytes
) -> None:
    with saying(answer) as (target, _):
        through.client.put(passage(target))
        one = Raw(through.public).ask(
            "GET / HTTP/1.1",
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Protocol", "binary"),
        )
        assert one.read() == b""


def test_an_application_that_refuses_a_websocket_says_so_itself(through: Forwarding) -> None:
    said = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"
    with saying(said) as (target, asked):
        through.client.put(passage(target))
        ask = ("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")
        assert Raw(through.public).ask("GET / HTTP/1.1", *ask).read() == said
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in asked[0]


def test_after_a_restart_whoever_comes_waits_until_the_control_plane_has_said_who_is_let_in(
    through: Forwarding,
) -> None:
    with saying(ANSWER) as (target, _):
        through.client.put(passage(target))
        through.client.cut("barred")
        through.restart()
        bob, barred = Raw(through.public).ask(), Raw(through.public).ask(viewer="barred")
        assert through.client.watching() == []  # the first word brings all that was said before
        assert (bob.read(), barred.read()) == (ANSWER, b"")
