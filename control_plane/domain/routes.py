"""Where nginx finds a running session: as data, as the lines handed over, as nginx's own text.

A session has an address of the session network to itself; or, where the engine publishes ports, a
port of one address: then the "network" is that one address (a /32).

Invariant: nginx's text is made of parsed routes alone, so nothing but session ids and addresses of
the session network can ever stand in it, whoever wrote the lines.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

_OCTET = r"(?:0|[1-9][0-9]{0,2})"
_LINE = re.compile(
    rf"(?P<id>[0-9a-f]{{32}}) (?P<address>(?:{_OCTET}\.){{3}}{_OCTET}):(?P<port>[1-9][0-9]{{0,4}})"
)
_LAST_PORT = 65535
# What an engine publishes the ports of its containers as, where it has one address for all.
PUBLISHED = range(20000, 30000)
_SHOWN = 80

_HEAD = """\
# Generated from the running sessions; may be deleted at any moment, it is made again.
"""
_MAP = """\
map "$session_id|$authorized_target" $session_target {
    default $admitted_target;
"""


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """One session's target: `session_id` is 32 hex digits, `address` dotted IPv4."""

    session_id: str
    address: str
    port: int

    @property
    def target(self) -> str:
        """What the authoriser names and the generated file accelerates."""
        return f"{self.address}:{self.port}"

    @property
    def line(self) -> str:
        """How it is handed over, without the line's end."""
        return f"{self.session_id} {self.target}"


def candidate(routes: Iterable[Route]) -> str:
    """Return the lines that hand these routes over; the same set gives the same text."""
    return "".join(f"{route.line}\n" for route in sorted(routes))


def parse(line: str, network: IPv4Network) -> Route:
    """Return the route of one line; ValueError says what is wrong with it."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("it is not <session id> <address>:<port>")
    if int(match["port"]) > _LAST_PORT:
        raise ValueError("the port is above 65535")
    if not admits(network, match["address"]):
        raise ValueError(f"the address is no session's in {network}")
    if is_one_address(network) and int(match["port"]) not in PUBLISHED:
        raise ValueError(f"the port is not from {PUBLISHED[0]} to {PUBLISHED[-1]}")
    return Route(match["id"], match["address"], int(match["port"]))


def read(text: str, network: IPv4Network) -> tuple[Sequence[Route], Sequence[str]]:
    """Return the routes of a candidate, and a sentence for each line that was left out."""
    routes: dict[str, Route] = {}
    refused = []
    for number, line in enumerate(text.split("\n"), 1):
        problem = _take(line, network, routes) if line else ""
        if problem:
            refused.append(f"line {number} {line[:_SHOWN]!a}: {problem}")
    return sorted(routes.values()), refused


def admits(network: IPv4Network, address: str) -> bool:
    """Whether that is an address a session can have.

    The network's own, the first (the engine's gateway, which is the host) and the last are none,
    unless the network is one address.
    """
    try:
        place = int(IPv4Address(address)) - int(network.network_address)
    except ValueError:
        return False
    if is_one_address(network):
        return place == 0
    return 1 < place < network.num_addresses - 1


def is_one_address(network: IPv4Network) -> bool:
    """Whether sessions differ by their ports alone."""
    return network.num_addresses == 1


def nginx_text(routes: Iterable[Route]) -> str:
    """Return the generated file: an upstream that keeps connections alive for each route.

    The map's key holds the target that the authoriser named, so a stale line is never found.
    """
    wanted = sorted(routes)
    upstreams = (
        f"upstream s_{route.session_id} {{ server {route.target}; keepalive 32; }}\n"
        for route in wanted
    )
    lines = (f'    "{route.session_id}|{route.target}" s_{route.session_id};\n' for route in wanted)
    return "".join([_HEAD, *upstreams, _MAP, *lines, "}\n"])


def _take(line: str, network: IPv4Network, routes: dict[str, Route]) -> str:
    try:
        route = parse(line, network)
    except ValueError as error:
        return str(error)
    if route.session_id in routes:
        return "the session has a line already"
    routes[route.session_id] = route
    return ""
