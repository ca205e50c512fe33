"""Making records, memory, containers and routes agree, whatever died in between.

Invariant: a session with a job under way in this process is never touched, and every drift that
is mended is logged.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from control_plane import enforcement, imports, sessions, sharing
from control_plane.domain import labels
from control_plane.domain.entities import Session, SignIn, State, Token, User
from control_plane.domain.jobs import Job
from control_plane.domain.ports import Container, Plane
from control_plane.domain.routes import Route
from control_plane.errors import StartError

log = logging.getLogger(__name__)

# For so long at least the records say which addresses were used last.
_LEAST_KEPT = timedelta(minutes=1)
_INTERRUPTED = StartError(
    "interrupted", "The portal was restarted while this was starting.", "Start it again."
)


def load(plane: Plane) -> None:
    """Fill the memory from the databases, at the start of the process."""
    refresh(plane)
    for session in plane.records.open_sessions():
        plane.access.put(session)
    for sentence in imports.report(plane.accounting.holdings(), plane.folders):
        log.warning("not startable: %s", sentence)


def refresh(plane: Plane) -> None:
    """Read again who is signed in and who may be, after another process wrote.

    Whose sign-ins and tokens have all been ended by it is cut off from what is open.
    """
    with plane.access.lock:
        now, users = plane.clock(), plane.accounting.users()
        signins, tokens = plane.records.signins(now), _tokens(plane, now, users)
        before = _let_in(plane, now)
        plane.access.load(signins, tokens, users, plane.records.shares())
        ended = before - _let_in(plane, now)
        _forget_failures(plane)
    sharing.forget_unknown(plane)
    enforcement.enforce(plane)
    for name in ended:
        enforcement.cut_connections(plane, name)


def forget_ended(plane: Plane) -> None:
    """Forget the sessions that ended long ago, and the tokens that have expired."""
    now, kept = plane.clock(), max(plane.site.limits.keep_ended, _LEAST_KEPT)
    plane.records.forget_ended(now - kept, now)


def reconcile(plane: Plane, *, host_restarted: bool = False) -> int:
    """Mend every drift between what should run and what runs; return how many were mended.

    `host_restarted`: what does not run any more ended with the host, and not by a fault of its own.
    """
    before = _at_rest(plane)
    found = {_session_id(one): one for one in plane.engine.containers()}
    if host_restarted:
        running = {key for key, one in found.items() if one.running}
        for session in before.values():
            if session.id not in running:
                _end_with_host(plane, session)
    mended = sum(_mend_container(plane, one) for one in found.values())
    mended += sum(
        _mend_lost(plane, session) for session in before.values() if session.id not in found
    )
    with plane.access.lock:  # else a session that becomes ready meanwhile would lose its route
        changed = plane.gateway.replace(_routes(plane))
    if changed:
        log.info("drift mended what=routes")
    return mended + changed


def container_ended(plane: Plane, container_id: str) -> None:
    """Close the session of a container that ended by itself."""
    plane.jobs.ended(container_id)
    for session in list(plane.access.sessions.values()):
        if session.container_id == container_id and session.state is State.READY:
            plane.jobs.submit(session.id, _finish(plane, session))


def _let_in(plane: Plane, now: datetime) -> frozenset[str]:
    """Return who has a sign-in or a token that has not expired."""
    held: list[SignIn | Token] = [*plane.access.signins.values(), *plane.access.tokens.values()]
    return frozenset(one.user for one in held if now < one.expires_at)


def _tokens(plane: Plane, now: datetime, users: Sequence[User]) -> Sequence[Token]:
    """Return the tokens of those whom accounting or else the host knows.

    A virtual user's may be left where accounting is changed without the records: by a file.
    """
    found = plane.records.tokens(now)
    unknown = {one.user for one in found} - {one.name for one in users}
    gone = {name for name in unknown if plane.host.person(name) is None}
    return [one for one in found if one.user not in gone]


def _forget_failures(plane: Plane) -> None:
    """Forget the failures that the records forgot: with the user, whose name may be another's."""
    failed = [key for key, one in plane.access.sessions.items() if one.state is State.FAILED]
    kept = {one.id for one in plane.records.open_sessions()} if failed else set()
    for key in failed:
        if key not in kept:
            del plane.access.sessions[key]


def _at_rest(plane: Plane) -> Mapping[str, Session]:
    with plane.access.lock:
        return {
            key: session
            for key, session in plane.access.sessions.items()
            if session.living and not plane.jobs.busy(key)
        }


def _session_id(container: Container) -> str:
    return container.labels.get(labels.RUN + "url_id", container.id)


def _mend_container(plane: Plane, container: Container) -> bool:
    session_id = _session_id(container)
    # In one piece: a request to stop must not come between the look and the job.
    with plane.access.lock:
        if plane.jobs.busy(session_id):
            return False
        session = plane.access.sessions.get(session_id) or _adopted(plane, container)
        if session and session.living and container.started:
            return _continue(plane, replace(session, container_id=container.id), container)
    plane.engine.remove(container.id)
    log.info("drift mended container=%s what=removed", container.id[:12])
    return session is None or not session.living or _mend_lost(plane, session)


def _continue(plane: Plane, session: Session, container: Container) -> bool:
    job = _next_job(plane, session, container)
    if job is None:
        return False
    if not container.running:
        plane.jobs.ended(container.id)  # nobody will tell of it any more
    log.info("drift mended session=%s what=continued state=%s", session.id, session.state)
    plane.access.put(session)
    plane.jobs.submit(session.id, job)
    return True


def _next_job(plane: Plane, session: Session, container: Container) -> Job | None:
    if session.state is State.STOPPING:
        return sessions.stop(plane, session.id)
    if not container.running:
        return _finish(plane, session)
    if session.cut_off:
        return enforcement.cut(plane, session) if container.address else None
    return sessions.resume(plane, session) if session.state is State.STARTING else None


def _adopted(plane: Plane, container: Container) -> Session | None:
    """Take in a running container that only its labels tell of: the records were lost."""
    if not container.running or plane.records.session(_session_id(container)):
        return None
    try:
        session = labels.to_session(container.labels, container.id)
    except ValueError as error:
        log.warning("cannot adopt container=%s error=%s", container.id[:12], error)
        return None
    if not container.address:
        log.warning("cannot adopt container=%s: it cannot be reached", container.id[:12])
        return None
    # Labels may come from an image: where people are led to is the engine's word.
    port = container.port or session.port
    session = replace(session, address=container.address, port=port)
    plane.records.add_session(session)
    plane.access.put(session)
    log.info("drift mended session=%s what=adopted", session.id)
    return session


def _end_with_host(plane: Plane, session: Session) -> None:
    """Close a session that the host took with it; what is left of it is removed as a drift."""
    with plane.access.lock:
        if plane.jobs.busy(session.id) or plane.access.sessions.get(session.id) is not session:
            return
        because = session.ends_because or "host restarted"
        ended = replace(session, ends_because=because)
        sessions.close(plane, ended, State.STOPPED, "The host restarted. Start it again.")


def _mend_lost(plane: Plane, session: Session) -> bool:
    """Close a session that should have a container and has none, if it is still as it was."""
    with plane.access.lock:
        if plane.jobs.busy(session.id) or plane.access.sessions.get(session.id) is not session:
            return False
        return _close_lost(plane, session)


def _close_lost(plane: Plane, session: Session) -> bool:
    if session.state is State.STARTING:
        sessions.fail(plane, session, _INTERRUPTED, "")
    elif session.state is State.STOPPING:
        sessions.close(plane, session, State.STOPPED, "Stopped.")
    else:
        sessions.close(plane, session, State.STOPPED, "Its container is gone.")
    log.info("drift mended session=%s what=lost state=%s", session.id, session.state)
    return True


def _finish(plane: Plane, session: Session) -> Job:
    """Close a session whose container ended, unless a stop or an earlier notice came first."""
    if plane.access.sessions.get(session.id) is not session:
        return
    plane.gateway.withdraw(session.id)
    tail = sessions.tail_of(plane, session)
    status = plane.engine.exit_status(session.container_id)
    plane.engine.remove(session.container_id)
    if status or session.state is State.STARTING:
        why = StartError("exited", f"The application ended by itself with status {status}.")
        sessions.fail(plane, session, why, tail)
    else:
        sessions.close(plane, session, State.STOPPED, "The application was closed.")
    return
    yield  # a job without a wait


def _routes(plane: Plane) -> list[Route]:
    return [
        Route(session.id, session.address, session.port)
        for session in list(plane.access.sessions.values())
        if session.state is State.READY and not session.cut_off
    ]
