"""Where nginx finds a running session: as data, as the lines handed over, as nginx's own text.

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

    The network's own, the first (the engine's gateway, which is the host) and the last are none.
    """
    try:
        place = int(IPv4Address(address)) - int(network.network_address)
    except ValueError:
        return False
    return 1 < place < network.num_addresses - 1


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
