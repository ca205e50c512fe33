"""What the way through nginx costs: `python tests/nginx/bench.py [seconds] [runs]`.

Small requests with the decision cached and the route loaded, against the same nginx with a plain
keep-alive upstream; and 64 KiB WebSocket frames, as a busy desktop sends them, against no nginx.
"""

import contextlib
import multiprocessing
import re
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import trustme

sys.path.insert(0, str(Path(__file__).parents[1]))

from nginx.clients import ALICE, DESKTOP, path_of
from nginx.conftest import TEMPLATES, free_port, site_in

from control_plane.adapters import nginx_site
from control_plane.domain import routes

ADDRESS, HTTP, FRAMES = "127.213.0.5", 8888, 8889
COOKIE = f"a=1; __Host-remoteapp={ALICE}; b=2"
CONNECTIONS, SOCKETS = 32, 8
FRAME = b"\x82\x7f" + (65536).to_bytes(8, "big") + b"x" * 65536
# The authoriser and the application, as fast as they can be.
BEHIND = """
daemon off; user www-data; worker_processes 1; error_log stderr crit;
pid {place}/behind.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path {place}/1; proxy_temp_path {place}/2; fastcgi_temp_path {place}/3;
    uwsgi_temp_path {place}/4; scgi_temp_path {place}/5;
    server {{
        listen unix:{place}/control-plane.sock;
        location /internal/ {{
            add_header X-Remoteapp-User alice;
            add_header X-Remoteapp-Access owner;
            add_header X-Remoteapp-Target {target};
            return 204;
        }}
    }}
    server {{ listen {address}:{http}; location / {{ return 200 "hello\\n"; }} }}
}}
"""
# A plain upstream, and the sessions without TLS, both in the nginx that is measured.
BESIDE = """
upstream plain {{ server {address}:{http}; keepalive 32; }}
server {{
    listen 127.0.0.1:{plain} ssl http2;
    include {conf}/snippets/server-tls.conf;
    include {conf}/snippets/server-log.conf;
    location / {{
        proxy_pass http://plain; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
}}
server {{
    listen 127.0.0.1:{clear};
    access_log off;
    include {conf}/snippets/server-a*.conf;
    include {conf}/snippets/applications.conf;
}}
"""


def main(seconds: int = 5, runs: int = 3) -> None:
    """Print both ratios."""
    plain, through = requests(seconds, runs)
    click.echo(
        f"requests/s: plain upstream {plain:.0f}, with authorisation {through:.0f}"
        f" ({through / plain:.2f})"
    )
    direct, clear, tls = frames(seconds, runs)
    click.echo(
        f"64 KiB frames, MB/s: direct {direct:.0f}, through nginx {clear:.0f}"
        f" ({clear / direct:.2f}), with TLS {tls:.0f} ({tls / direct:.2f})"
    )


def requests(seconds: int, runs: int) -> tuple[float, float]:
    """Return requests/s of the plain upstream and of a session, medians of alternating runs."""
    with _nginx(HTTP) as (place, ports):
        del place
        found = [(_wrk(ports["plain"], seconds), _wrk(ports["tls"], seconds)) for _ in range(runs)]
    plain, through = _medians(found)
    return plain, through


def frames(seconds: int, runs: int) -> tuple[float, float, float]:
    """Return MB/s directly, through nginx, and through nginx with TLS."""
    source = multiprocessing.Process(target=_frames, daemon=True)
    with _nginx(FRAMES) as (place, ports):
        source.start()
        time.sleep(1)
        found = [
            (
                _read(ADDRESS, FRAMES, seconds),
                _read("127.0.0.1", ports["clear"], seconds),
                _read("127.0.0.1", ports["tls"], seconds, place / "ca.pem"),
            )
            for _ in range(runs)
        ]
        source.kill()
        source.join()
    direct, clear, tls = _medians(found)
    return direct, clear, tls


@contextlib.contextmanager
def _nginx(target: int) -> Iterator[tuple[Path, dict[str, int]]]:
    place = Path(tempfile.mkdtemp(prefix="remoteapp-bench-"))
    place.chmod(0o755)
    (place / "temporary").mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "ca.pem")
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(place / "server.pem")
    ports = {name: free_port() for name in ("tls", "plain", "clear")}
    site = site_in(place, ports["tls"])
    config = nginx_site.write(TEMPLATES, site)
    site.routes.write_text(routes.nginx_text([routes.Route(DESKTOP, ADDRESS, target)]))
    values = {"address": ADDRESS, "http": HTTP, "place": place, "target": f"{ADDRESS}:{target}"}
    with (site.directory / "site.conf").open("a") as file:
        file.write(BESIDE.format(conf=site.directory, **values, **ports))
    (place / "behind.conf").write_text(BEHIND.format(**values))
    both = [
        subprocess.Popen(["/usr/sbin/nginx", "-c", str(one)])
        for one in (place / "behind.conf", config)
    ]
    time.sleep(1)
    try:
        yield place, ports
    finally:
        for one in both:
            one.terminate()
            one.wait()
        shutil.rmtree(place)


def _wrk(port: int, seconds: int) -> float:
    url = f"https://localhost:{port}{path_of(DESKTOP)}"
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-H", f"Cookie: {COOKIE}", url]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if match is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return float(match[1])


def _frames() -> None:
    """Serve frames without end to whoever shakes hands."""

    def send(one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.recv(65536)
            one.sendall(b"HTTP/1.1 101 Go on\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            while True:
                one.sendall(FRAME)

    with socket.create_server((ADDRESS, FRAMES)) as listener:
        while True:
            threading.Thread(target=send, args=(listener.accept()[0],), daemon=True).start()


def _read(host: str, port: int, seconds: int, ca: Path | None = None) -> float:
    counts = [0] * SOCKETS
    over = threading.Event()

    def read(place: int) -> None:
        with _shaken(host, port, ca) as one:
            buffer = bytearray(1 << 18)
            while not over.is_set():
                counts[place] += one.recv_into(buffer)

    readers = [threading.Thread(target=read, args=(place,)) for place in range(SOCKETS)]
    for one in readers:
        one.start()
    time.sleep(0.5)
    before, since = sum(counts), time.monotonic()
    time.sleep(seconds)
    rate = (sum(counts) - before) / (time.monotonic() - since) / 1e6
    over.set()
    for one in readers:
        one.join()
    return rate


def _shaken(host: str, port: int, ca: Path | None) -> socket.socket:
    one = socket.create_connection((host, port))
    if ca:
        context = ssl.create_default_context(cafile=str(ca))
        one = context.wrap_socket(one, server_hostname="localhost")
    head = f"GET {path_of(DESKTOP)} HTTP/1.1\r\nHost: localhost\r\nCookie: {COOKIE}\r\n"
    one.sendall(f"{head}Upgrade: websocket\r\nConnection: upgrade\r\n\r\n".encode())
    if not one.recv(12).endswith(b"101"):
        raise RuntimeError("The handshake was refused.")
    return one


def _medians(found: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(statistics.median(column) for column in zip(*found, strict=True))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
