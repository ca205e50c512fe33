"""Which address the next session gets: round-robin through the whole range.

Invariant: an address is not given again within ten seconds of its last use, so that a decision
nginx still caches can never lead to somebody else's session.
"""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network

from control_plane.domain.entities import Network
from control_plane.domain.ports import Plane
from control_plane.errors import EngineUnavailableError

REST = timedelta(seconds=10)
CURSORS: Mapping[Network, str] = {"internet": "address", "none": "address-closed"}
_RESERVED = 2  # the network's own address and the engine's gateway


def next_address(plane: Plane, network: Network) -> str:
    """Return the network's next free address, keeping the cursor; the caller holds the lock."""
    block = IPv4Network(plane.engine.range_of(network))
    size = block.num_addresses - _RESERVED - 1
    taken = _taken(plane)
    cursor = plane.records.cursor(CURSORS[network])
    for step in range(1, size + 1):
        place = (cursor + step) % size
        address = str(block[_RESERVED + place])
        if address not in taken:
            plane.records.set_cursor(CURSORS[network], place)
            return address
    raise EngineUnavailableError("Every address of the session network is in use.")


def _taken(plane: Plane) -> set[str]:
    recent = plane.clock() - REST
    ended = plane.records.addresses_ended_since(recent)
    return {one.address for one in plane.access.sessions.values() if one.living} | set(ended)
