"""Clients that say a little, then nothing: nginx keeps them from everybody else."""

import socket
import time

import slow_clients
from nginx.conftest import TEMPLATES, Stack


def test_slow_clients_hold_nobody_up_and_nothing_of_them_is_passed_on(stack: Stack) -> None:
    trust = stack.client.context

    def opened() -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", stack.client.port))
        return trust.wrap_socket(plain, server_hostname="localhost")

    with slow_clients.many(opened):
        begun = time.monotonic()
        assert stack.client.ask("/login").status == 200
        assert time.monotonic() - begun < slow_clients.QUICK
        assert [path for path, _ in stack.plane.asked] == ["/login"]


def test_a_head_that_does_not_end_is_given_up_after_a_while() -> None:
    text = (TEMPLATES / "snippets" / "server-headers.conf.j2").read_text()
    assert "client_header_timeout 20s;" in text
