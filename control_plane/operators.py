"""What the host's operator asks of a whole portal, and how a command proves who sent it.

Invariant: a signature is of one request, path and body, and holds for a minute; only who may read
the portal's secret can make one.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future

from itsdangerous import BadSignature, TimestampSigner

from control_plane import acts, sessions
from control_plane.acts import Act
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import ForbiddenError

HEADER = "X-Remoteapp-Operator"
STOP_SESSIONS = "/internal/operator/sessions/stop"
RECONCILE = "/internal/operator/reconcile"
LONGEST_REASON = 200
_LIFE_SECONDS = 60


def signature(secret: bytes, path: str, body: bytes) -> str:
    """Return what proves that a request comes from someone who may read the secret."""
    return _signer(secret).sign(_digest(path, body)).decode()


def check(secret: bytes, path: str, body: bytes, shown: str) -> None:
    """ForbiddenError unless that is this request's signature, made within the last minute."""
    try:
        signed = _signer(secret).unsign(shown, max_age=_LIFE_SECONDS).decode()
    except BadSignature as error:
        raise ForbiddenError(f"The request is not the operator's: {error}.") from error
    if signed != _digest(path, body):
        raise ForbiddenError("The request is not the one that was signed.")


def stop_all(plane: Plane, actor: Actor, reason: str) -> Sequence[Future[None]]:
    """Ask every session to stop; each result is done when one is gone."""
    because = "stopped by the operator" + (f": {reason}" if reason else "")
    living = [one for one in list(plane.access.sessions.values()) if one.living]
    noted = [Act("session-stop", one.id, detail=f"of {one.owner}, {because}") for one in living]
    acts.note_all(plane.books, actor, noted)
    return [sessions.ask_to_stop(plane, one, because) for one in living]


def _signer(secret: bytes) -> TimestampSigner:
    return TimestampSigner(secret, salt="operator", digest_method=hashlib.sha256)


def _digest(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()
