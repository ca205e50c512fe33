"""What the way through nginx costs."""

from collections.abc import Sequence

from bench.figures import Figure

from nginx import bench as nginx

SECONDS = 5


def requests(runs: int) -> Sequence[Figure]:
    """Small requests with authorisation, against the same nginx with a plain upstream."""
    plain, through = nginx.requests(SECONDS, max(3, runs // 3))
    name = "small requests/s with authorisation, against a plain upstream (32 connections)"
    source = f"{through:.0f} : {plain:.0f} per second"
    return [Figure(name, "≥ 0.70", f"{through / plain:.2f}", source)]


def frames(runs: int) -> Sequence[Figure]:
    """64 KiB WebSocket frames through nginx, against none."""
    direct, clear, tls = nginx.frames(SECONDS, max(3, runs // 3))
    name = "64 KiB WebSocket frames through nginx, against direct (8 connections)"
    return [
        Figure(name, "≥ 0.40", f"{clear / direct:.2f}", f"{clear:.0f} : {direct:.0f} MB/s"),
        Figure("the same with TLS", "-", f"{tls / direct:.2f}", f"{tls:.0f} : {direct:.0f} MB/s"),
    ]
