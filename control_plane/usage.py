"""The usage ledger and the audit log: what is written down for later.

Invariant: a session has one row in the ledger, however often its end is noticed.
"""

from control_plane.domain.entities import AuditRow, Session, UsageRow
from control_plane.domain.ports import Plane


def note_end(plane: Plane, session: Session) -> None:
    """Write the ledger's row of a session that has ended."""
    plane.records.add_usage(
        UsageRow(
            session_id=session.id,
            user=session.owner,
            application=session.application,
            image=session.image,
            started_at=session.created_at,
            ended_at=session.ended_at or plane.clock(),
            reason=session.ends_because,
        )
    )


def note_act(plane: Plane, actor: str, action: str, target: str, address: str = "") -> None:
    """Write an act into the audit log."""
    plane.records.add_audit(AuditRow(plane.clock(), actor, action, target, address))
