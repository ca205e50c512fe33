"""Which address the next session gets: round-robin through the whole range.

Invariant: an address is not given again within ten seconds of its last use, so that a decision
nginx still caches can never lead to somebody else's session.
"""

from datetime import timedelta
from ipaddress import IPv4Network

from control_plane.domain.ports import Plane
from control_plane.errors import EngineUnavailableError

REST = timedelta(seconds=10)
CURSOR = "address"
_RESERVED = 2  # the network's own address and the engine's gateway


def next_address(plane: Plane) -> str:
    """Return the next free address and keep the cursor; the caller holds the access lock."""
    network = IPv4Network(plane.engine.session_range())
    size = network.num_addresses - _RESERVED - 1
    taken = _taken(plane)
    cursor = plane.records.cursor(CURSOR)
    for step in range(1, size + 1):
        place = (cursor + step) % size
        address = str(network[_RESERVED + place])
        if address not in taken:
            plane.records.set_cursor(CURSOR, place)
            return address
    raise EngineUnavailableError("Every address of the session network is in use.")


def _taken(plane: Plane) -> set[str]:
    recent = plane.clock() - REST
    ended = plane.records.addresses_ended_since(recent)
    return {one.address for one in plane.access.sessions.values() if one.living} | set(ended)
