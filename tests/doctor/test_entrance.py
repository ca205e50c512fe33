"""The way in: ports, the socket, the certificate, and whether all of it answers."""

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import ClassVar

import portal as portals
import pytest
from doctor.installations import ACCOUNT, Place

from control_plane.adapters import certificates
from control_plane.doctor.findings import Finding

RENEW = "control-plane certificate renew"


class Says(BaseHTTPRequestHandler):
    """Answers every request alike."""

    status, body = 200, b"{}"
    headers_of_answer: ClassVar[Mapping[str, str]] = {}

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        for name, value in self.headers_of_answer.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def address_string(self) -> str:
        return ""

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


def provided(directory: Path) -> certificates.Certificates:
    return certificates.provided(directory, ["localhost"], "An authority of the tests")


@contextmanager
def serving(server: ThreadingHTTPServer | ThreadingUnixStreamServer) -> Iterator[None]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def tls(directory: Path, status: int = 200, hsts: str = "max-age=1") -> Iterator[int]:
    """Serve by the certificate of a directory; yield the port."""
    found = provided(directory)
    headers = {"Strict-Transport-Security": hsts}
    page = type("Page", (Says,), {"status": status, "headers_of_answer": headers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), page)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found.certificate, found.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_address[1]


@contextmanager
def ready(path: Path, **checks: str) -> Iterator[None]:
    """Serve what the control plane says of its parts, on a socket that is as it must be."""
    body = json.dumps({"checks": checks}).encode()
    with serving(ThreadingUnixStreamServer(str(path), type("Page", (Says,), {"body": body}))):
        path.chmod(0o660)
        shutil.chown(path, ACCOUNT, "www-data")
        yield


@pytest.fixture
def directory(place: Place) -> Path:
    """The directory of the portal's certificate, which is for localhost."""
    provided(place.places.certificates)
    return place.places.certificates


def reached_at(place: Place, port: int, name: str = "localhost") -> None:
    place.keys = {"public_url": f"https://{name}:{port}"}


def test_the_certificate_that_nginx_serves_is_the_one_of_the_file(
    place: Place, directory: Path
) -> None:
    with tls(directory) as port:
        reached_at(place, port)
        found = place.one("certificate")
    ends = f"{datetime.now(UTC) + timedelta(days=397):%d %B %Y}"
    assert found == Finding("ok", f"It is for localhost, until {ends}; nginx serves it.")


def test_a_certificate_of_another_name_is_told_of(place: Place, directory: Path) -> None:
    with tls(directory) as port:
        reached_at(place, port, "portal.test")
        told = "The certificate does not hold for portal.test, only for localhost."
        assert place.one("certificate") == Finding("failed", told, RENEW)


def test_a_certificate_that_was_renewed_and_not_loaded_is_told_of(
    place: Place, directory: Path, tmp_path: Path
) -> None:
    with tls(tmp_path / "old") as port:
        reached_at(place, port)
        told = f"nginx serves another certificate than the one in {directory / 'server.pem'}."
        todo = "nginx -t && systemctl reload nginx"
        assert place.one("certificate") == Finding("failed", told, todo)


def test_nobody_who_serves_it_and_no_certificate_at_all_are_two_things(
    place: Place, directory: Path
) -> None:
    port = portals.free_port()
    reached_at(place, port)
    told = f"Nobody ends TLS on port {port} of this machine."
    todo = "systemctl status nginx; systemctl start nginx"
    assert place.one("certificate") == Finding("failed", told, todo)
    (directory / "server.pem").unlink()
    told = f"There is no certificate: {directory / 'server.pem'} or its key is not there."
    assert place.one("certificate") == Finding("failed", told, RENEW)


def test_a_control_plane_that_is_ready_is_said_to_be(place: Place) -> None:
    with ready(place.places.socket, database="ok", disk="ok"):
        assert place.one("readyz") == Finding("ok", "It is ready: database, disk.")


def test_a_part_that_is_not_ready_is_told_of_with_the_check_that_knows_more(place: Place) -> None:
    with ready(place.places.socket, disk="The disk is full.", engine="ok"):
        todo = "control-plane doctor --only disk"
        assert place.one("readyz") == Finding("failed", "disk: The disk is full.", todo)


def test_a_control_plane_that_is_away_is_told_of(place: Place) -> None:
    found = place.one("readyz")
    assert found.found.startswith(f"The control plane does not answer at {place.places.socket}:")
    assert found.todo == "journalctl -u remoteapp --since -10min"


def test_the_ports_of_the_site_have_to_be_nginxs(place: Place) -> None:
    place.places.nginx.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener, ready(place.places.socket):
        port, free = listener.getsockname()[1], portals.free_port()
        text = f"listen 127.0.0.1:{port} ssl;\nlisten [::]:{free};\n"
        (place.places.nginx / "site.conf").write_text(text)
        found = {one.found: one.status for one in place.look("ports")}
    holder = Path("/proc/self/comm").read_text().strip()
    assert found == {
        f"Port {port} is {holder}'s, not nginx's.": "failed",
        f"Nobody listens on port {free}.": "failed",
    }


def test_a_configuration_that_nginx_refuses_is_told_of_while_it_serves(place: Place) -> None:
    program = place.places.nginx_program
    program.write_text(
        "#!/bin/sh\necho 'nginx: [emerg] unknown directive \"bogus\" in x.conf:1' >&2; exit 1\n"
    )
    program.chmod(0o755)
    (found,) = [one for one in place.look("ports") if "refuses" in one.found]
    assert (found.status, 'unknown directive "bogus" in x.conf:1' in found.found) == (
        "failed",
        True,
    )
    program.write_text("#!/bin/sh\n")
    assert not [one for one in place.look("ports") if "refuses" in one.found]


def test_without_a_site_and_a_socket_it_says_how_to_get_both(place: Place) -> None:
    role = "ansible-playbook -i inventory ansible/site.yml --tags nginx"
    restart = "systemctl restart remoteapp.socket remoteapp.service"
    path, nginx = place.places.socket, place.places.nginx
    assert place.look("ports") == [
        Finding("failed", f"nginx has no site of this portal in {nginx}.", role),
        Finding(
            "failed", f"The socket {path} cannot be reached: No such file or directory.", restart
        ),
    ]


def test_a_socket_that_everyone_may_use_is_told_of(place: Place) -> None:
    path = place.places.socket
    with ready(path):
        path.chmod(0o666)
        found = place.look("ports")[-1]
    told = f"{path} is srw-rw-rw- daemon:www-data, not srw-rw---- daemon:www-data."
    assert (found.status, found.found) == ("failed", told)


def test_visitors_get_in_by_https_and_are_told_to_stay_with_it(
    place: Place, directory: Path
) -> None:
    with tls(directory) as port, redirecting(port) as plain:
        reached_at(place, port)
        url = f"https://localhost:{port}"
        site(place, f"listen 127.0.0.1:{port} ssl;", f"listen 127.0.0.1:{plain} default_server;")
        told = f"/healthz, /readyz, /login answer at {url}, port {plain} leads there"
        told += "; browsers are told to stay (HSTS)."
        assert place.one("https") == Finding("ok", told)
        reached_at(place, port, "portal.test")
        (refused,) = place.look("https")
    assert (refused.status, "certificate" in refused.found) == ("failed", True)


def test_pages_that_fail_and_a_port_that_leads_elsewhere_are_told_of(
    place: Place, directory: Path
) -> None:
    with tls(directory, 502) as port, redirecting(1) as plain:
        reached_at(place, port)
        site(place, f"listen 127.0.0.1:{plain};")
        found = place.look("https")
    assert [(one.status, one.found) for one in found] == [
        *(("failed", f"{one} answers 502 through nginx.") for one in ("/healthz", "/readyz")),
        ("failed", "/login answers 502 through nginx."),
        ("failed", f"Port {plain} does not lead to https://localhost:{port}: it answers 308."),
    ]


def test_whether_browsers_are_told_to_stay_with_https_is_said(
    place: Place, directory: Path
) -> None:
    with tls(directory, hsts="") as port:
        reached_at(place, port)
        found = place.one("https")
    assert (found.status, found.found.split("; ")[1]) == (
        "ok",
        "browsers are not told to stay (HSTS).",
    )


def site(place: Place, *lines: str) -> None:
    place.places.nginx.mkdir(exist_ok=True)
    (place.places.nginx / "site.conf").write_text("\n".join(lines))


@contextmanager
def redirecting(port: int) -> Iterator[int]:
    """Lead every request of plain HTTP to a port of localhost; yield one's own."""
    headers = {"Location": f"https://localhost:{port}/"}
    page = type("Page", (Says,), {"status": 308, "headers_of_answer": headers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), page)
    with serving(server):
        yield server.server_address[1]
