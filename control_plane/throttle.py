"""How often a sign-in may be tried from one address.

Invariant: attempts are counted before they are judged, and no one's failed attempts keep anybody
at another address out. What was typed for a name is kept as a digest: it may be a password.
"""

import hashlib
from datetime import timedelta
from ipaddress import ip_address, ip_network

from control_plane.domain.ports import Plane
from control_plane.errors import TooManyError

WINDOW = timedelta(minutes=15)
# A person mistypes a few times; a class of thirty signs in behind one address.
PAIR_ATTEMPTS = 10
ADDRESS_ATTEMPTS = 100


def count(plane: Plane, name: str, address: str) -> None:
    """Count an attempt of that name from that address; TooManyError when there were enough."""
    now, block = plane.clock(), _block(address)
    of_pair, of_address = plane.records.attempts(_digest(name), block, now - WINDOW)
    if of_pair >= PAIR_ATTEMPTS or of_address >= ADDRESS_ATTEMPTS:
        raise TooManyError(
            "Too many attempts from here.", int(WINDOW.total_seconds()), "Wait and try again."
        )
    # Counted before it is judged: guesses that run in parallel are all counted.
    plane.records.add_attempt(_digest(name), block, now)


def forget(plane: Plane, name: str, address: str) -> None:
    """Forget the attempts of that name from that address: one has succeeded."""
    plane.records.forget_attempts(_digest(name), _block(address), plane.clock() - WINDOW)


def forget_old(plane: Plane) -> None:
    """Remove the attempts that are not looked at any more."""
    plane.records.forget_attempts("", "", plane.clock() - WINDOW)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _block(address: str) -> str:
    """Count an IPv6 client by its /64, which is what one household or attacker holds."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else str(ip_network(f"{parsed}/64", strict=False))  # noqa: PLR2004 - of IP
