"""How a page of the portal lets its visitor into an application: in its frame, in a tab of its own.

Invariant: what lets somebody in never stands in an address: a ticket is posted.
"""

from dataclasses import dataclass
from urllib.parse import quote

from control_plane import entering
from control_plane.domain import labels
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, State
from control_plane.domain.ports import Plane


@dataclass(frozen=True, slots=True)
class Frame:
    """The origin of an application and the ways there.

    `address` is where the frame begins: it is loaded, or it takes the `ticket` where there is one.
    `tab` is where a tab of its own begins. `port` is the one that a firewall may not let through, 0
    where it is the portal's. `leads_back`: a chord leads from the application to the portal's bar.
    """

    origin: str
    address: str
    ticket: str
    tab: str
    port: int
    leads_back: bool


def of(plane: Plane, visitor: Caller, session: Session) -> Frame:
    """Return the ways into a session; a ticket only where one is taken, and it is ready."""
    origins = plane.site.origins
    origin, path = origins.of(session.id), f"{labels.base_path(session.owner, session.id)}/"
    is_apart = origins.mode == "domain"
    arrival = "enter" if is_apart else f"arrive?to={quote(path, safe='/')}"
    is_ready = session.state is State.READY
    return Frame(
        origin=origin,
        address=f"{origin}/.remoteapp/{arrival}",
        ticket=entering.ticket(plane, visitor, session) if is_apart and is_ready else "",
        tab=f"/sessions/{session.id}/tab" if is_apart else origins.session_address(session),
        port=origins.apps_port if origins.mode == "port" else 0,
        leads_back=origins.mode == "one" or session.type == "vncapp",
    )
