"""Where the next session is reached: round-robin through a range of addresses, or of ports.

Invariant: an address, or a port that is published, is not given again within ten seconds of its
last use, so that a decision nginx still caches can never lead to somebody else's session.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network

from control_plane.domain.entities import Network
from control_plane.domain.ports import Plane
from control_plane.domain.routes import PUBLISHED, is_one_address
from control_plane.errors import EngineUnavailableError

REST = timedelta(seconds=10)
CURSORS: Mapping[Network, str] = {"internet": "address", "none": "address-closed"}
PORT_CURSOR = "port"
_RESERVED = 2  # the network's own address and the engine's gateway


def next_place(plane: Plane, network: Network, port: int) -> tuple[str, int]:
    """Return the address and the port of the next session; the caller holds the lock.

    `port` is what its application serves. EngineUnavailableError when all are in use.
    """
    block = IPv4Network(plane.engine.range_of(network))
    if is_one_address(block):
        return str(block[0]), _next_port(plane)
    return _next_address(plane, network, block), port


def another_address(plane: Plane, network: Network) -> str:
    """Return where what was cut off is connected again; the caller holds the lock.

    It is an address that nobody's cached decision leads to. Where ports are published the address
    stays: the port has been nobody else's meanwhile, for what is cut off keeps it.
    """
    block = IPv4Network(plane.engine.range_of(network))
    return str(block[0]) if is_one_address(block) else _next_address(plane, network, block)


def _next_address(plane: Plane, network: Network, block: IPv4Network) -> str:
    first = int(block.network_address)
    taken = {int(IPv4Address(address)) - first for address, _ in _taken(plane)}
    places = range(_RESERVED, block.num_addresses - 1)
    return str(block[_next(plane, CURSORS[network], places, taken)])


def _next_port(plane: Plane) -> int:
    return _next(plane, PORT_CURSOR, PUBLISHED, {port for _, port in _taken(plane)})


def _next(plane: Plane, cursor: str, places: range, taken: Collection[int]) -> int:
    """Return the first free place after the last one that was given, keeping the cursor."""
    last = plane.records.cursor(cursor)
    for step in range(1, len(places) + 1):
        number = (last + step) % len(places)
        if places[number] not in taken:
            plane.records.set_cursor(cursor, number)
            return places[number]
    raise EngineUnavailableError("Every place on the session network is in use.")


def _taken(plane: Plane) -> set[tuple[str, int]]:
    recent = plane.records.places_ended_since(plane.clock() - REST)
    living = (one for one in plane.access.sessions.values() if one.living)
    return {*recent, *((one.address, one.port) for one in living)}
