"""Starting and stopping: one story each, undone by itself when a step fails.

Invariant: whatever step fails, no container and no route is left and nothing counts against a
limit; the record keeps the first reason. A process that dies at any step is mended by `lifecycle`.
"""

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from control_plane import auth, catalogue, usage
from control_plane.addresses import next_place
from control_plane.domain import containers, labels, options
from control_plane.domain.access import Caller
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.entities import Failure, Image, LastStart, Policy, Session, State
from control_plane.domain.jobs import After, Answer, End, Job, Outcome
from control_plane.domain.ports import Plane
from control_plane.domain.routes import Route
from control_plane.errors import ConflictError, ControlPlaneError, NotFoundError, StartError

log = logging.getLogger(__name__)

LOG_TAIL = 50
FITTED = "window"
_TAIL_CHARACTERS = 4000


def begin(  # noqa: PLR0913 - whose, what, and how it is chosen
    plane: Plane,
    caller: Caller,
    grant_id: str,
    chosen: Mapping[str, object],
    *,
    instead: bool,
    fitted: bool = False,
) -> Session:
    """Check all that can be checked, record the session and submit its start.

    `instead` stops the oldest session of that grant first when its limit is reached. `fitted`: the
    resolution is what the window has now; what is remembered is that it fits the window.
    """
    entry, image = catalogue.startable(plane, caller.user, grant_id)
    values = options.checked(chosen, image, entry.policy)
    person = auth.person_of(plane, caller.user)
    # In one piece: `reconcile` must never see a session that starts and has no job.
    with plane.access.lock:
        first = _make_room(plane, caller.user.name, entry, instead=instead)
        session = _record(plane, caller.user.name, entry, image, values)
        spec = containers.spec(
            session,
            entry.grant.application,
            entry.policy,
            image,
            person,
            realm=plane.site.realm,
            bounds=plane.site.limits.bounds,
        )
        plane.jobs.submit(session.id, start(plane, session, spec, first))
    remembered = {**values, "resolution": FITTED} if fitted else values
    plane.records.note_start(LastStart(session.owner, grant_id, session.created_at, remembered))
    return session


def start(
    plane: Plane, session: Session, spec: ContainerSpec, first: Sequence[Future[None]]
) -> Job:
    """Run the container, wait for the application, publish the route."""
    with _undoing(plane, session) as undo:
        for work in first:
            yield After(work)
        container = plane.engine.run(spec)
        undo.callback(plane.engine.remove, container)
        session = advance(plane, session, "The container runs.", container_id=container)
        usage.note_start(plane, session)
        yield from _until_ready(plane, session)
        _open(plane, session, undo)


def resume(plane: Plane, session: Session) -> Job:
    """Continue a start whose container lives."""
    with _undoing(plane, session) as undo:
        undo.callback(plane.engine.remove, session.container_id)
        yield from _until_ready(plane, session)
        _open(plane, session, undo)


def ask_to_stop(plane: Plane, session: Session, because: str) -> Future[None]:
    """Refuse everyone from now on and submit the stop; done when the session is gone."""
    with plane.access.lock:
        current = plane.access.sessions.get(session.id)
        if current is None or not current.living:
            return _nothing_to_do()
        if current.state is not State.STOPPING:
            change(plane, current, "Stopping.", state=State.STOPPING, ends_because=because)
        return plane.jobs.submit(session.id, stop(plane, session.id))


def end(plane: Plane, session: Session, because: str) -> Future[None]:
    """Stop a session, or take a failure off its owner's list; done when it is gone."""
    if session.state is not State.FAILED:
        return ask_to_stop(plane, session, because)
    dismiss(plane, session)
    return _nothing_to_do()


def stop(plane: Plane, session_id: str) -> Job:
    """Withdraw the route, end the container, close the record."""
    session = plane.access.sessions.get(session_id)
    if session is None or session.state is not State.STOPPING:
        return
    plane.gateway.withdraw(session.id)
    if session.container_id:
        # Before the signal: what has ended cannot be counted any more.
        yield After(plane.jobs.aside(lambda: usage.sample(plane, session)))
        plane.engine.signal(session.container_id, "SIGTERM")
        yield End(session.container_id, plane.site.limits.stop_timeout)
        plane.engine.remove(session.container_id)
    close(plane, session, State.STOPPED, "Stopped.")


def dismiss(plane: Plane, session: Session) -> None:
    """Take a failure off its owner's list."""
    change(plane, session, "Dismissed.", dismissed=True)


def extend(plane: Plane, session: Session, policy: Policy, seconds: int) -> Session:
    """Let a session run on for so long, at most `policy.max_lifetime` from now; never shorter.

    `policy` is complete. ConflictError when it is not ready or has no end.
    """
    with plane.access.lock:
        current = plane.access.sessions.get(session.id)
        if current is None or current.state is not State.READY or current.ends_at is None:
            raise ConflictError("Only what runs and has an end can be extended.")
        if not policy.max_lifetime:
            return change(plane, current, "It has no end any more.", ends_at=None, warned=False)
        longest = plane.clock() + timedelta(seconds=policy.max_lifetime)
        wanted = min(current.ends_at + timedelta(seconds=seconds), longest)
        ends_at = max(current.ends_at, wanted)
        return change(plane, current, "It runs on.", ends_at=ends_at, warned=False)


def mine(plane: Plane, caller: Caller, session_id: str) -> Session:
    """Return the caller's session, living, failed or ended; NotFoundError for any other."""
    session = plane.access.owned(session_id, caller.user.name) or plane.records.session(session_id)
    if session is None or session.owner != caller.user.name:
        raise NotFoundError("There is no such session.")
    return session


def change(plane: Plane, session: Session, message: str, **changes: Any) -> Session:
    """Write a session's new state to the records and to memory, and tell those who listen."""
    with plane.access.lock:
        current = plane.access.sessions.get(session.id, session)
        changed = replace(current, **changes)
        plane.records.save_session(changed)
        plane.access.put(changed)
        plane.events.tell(changed, message)
    return changed


def advance(plane: Plane, session: Session, message: str, **changes: Any) -> Session:
    """Like `change`, for a start only: StartError when it was stopped meanwhile."""
    with plane.access.lock:
        current = plane.access.sessions.get(session.id)
        if current is None or current.state is not State.STARTING:
            raise StartError("interrupted", "It was stopped before it was ready.")
        return change(plane, session, message, **changes)


def close(
    plane: Plane, session: Session, state: State, message: str, failure: Failure | None = None
) -> None:
    """End a session's record and write its line of the ledger."""
    because = session.ends_because or message
    ended = replace(
        session, state=state, ended_at=plane.clock(), ends_because=because, failure=failure
    )
    usage.note_end(plane, ended)
    changes = {"state": state, "ended_at": ended.ended_at, "ends_because": because}
    change(plane, session, message, **changes, failure=failure)
    log.info("session ended session=%s state=%s because=%s", session.id, state, because)


def fail(plane: Plane, session: Session, error: ControlPlaneError, tail: str) -> None:
    """Close a session as failed, with its reason in words that help."""
    failure = Failure(error.code, f"{error.message} {error.hint}".strip(), tail)
    close(plane, session, State.FAILED, error.message, failure)


def tail_of(plane: Plane, session: Session) -> str:
    """Return the last lines of a container's output, bounded; empty when they cannot be had."""
    try:
        output = plane.engine.log(session.container_id, LOG_TAIL) if session.container_id else ""
    except ControlPlaneError:
        return ""
    return output[-_TAIL_CHARACTERS:]


def _make_room(
    plane: Plane, owner: str, entry: catalogue.Entry, *, instead: bool
) -> list[Future[None]]:
    """Return the stops that the new session waits for; ConflictError where there is no room.

    What is stopping counts until it is gone: its container still runs.
    """
    living = [one for one in plane.access.sessions_of(owner) if one.living]
    same = [one for one in living if one.grant_id == entry.grant.id]
    surplus = max(0, len(same) - (entry.policy.max_sessions or 1) + 1)
    if surplus and not instead:
        raise ConflictError(
            f"{entry.display_name} runs already as often as it may.",
            "Open or stop the running session, or start with `replace`.",
            same,
        )
    if len(living) - surplus >= plane.site.limits.sessions_per_user:
        raise ConflictError(
            f"{len(living)} sessions run already, which is the limit.", "Stop one first.", living
        )
    stopping_first = sorted(same, key=lambda one: one.state is not State.STOPPING)
    leaving = stopping_first[:surplus]
    return [ask_to_stop(plane, one, "replaced by a new session") for one in leaving]


def _nothing_to_do() -> Future[None]:
    done: Future[None] = Future()
    done.set_result(None)
    return done


def _record(
    plane: Plane, owner: str, entry: catalogue.Entry, image: Image, values: Mapping[str, str]
) -> Session:
    session_id = secrets.token_hex(16)
    application, policy = entry.grant.application, entry.policy
    own_port = containers.port_of(application, image)
    address, port = next_place(plane, policy.network or "internet", own_port)
    session = Session(
        id=session_id,
        owner=owner,
        grant_id=entry.grant.id,
        application=entry.display_name,
        image=application.image,
        type=labels.app_type(image),
        state=State.STARTING,
        created_at=plane.clock(),
        address=address,
        port=port,
        strip_path=application.strip_path,
        ready_path=containers.ready_path_of(
            application, image, containers.placeholders(session_id, owner)
        ),
        options=values,
        policy=replace(policy, app_license="", volumes=entry.grant.policy.volumes),
    )
    plane.records.add_session(session)
    plane.access.put(session)
    plane.events.tell(session, "Starting.")
    return session


def _until_ready(plane: Plane, session: Session) -> Job:
    seconds = plane.site.limits.start_timeout
    outcome = yield Answer(
        session.container_id, session.address, session.port, session.ready_path, seconds
    )
    if outcome is Outcome.ENDED:
        raise StartError("exited", "The application ended before it was ready.")
    if outcome is Outcome.TIMED_OUT:
        raise StartError("not-ready", f"The application did not answer within {seconds:.0f} s.")
    if outcome is Outcome.INTERRUPTED:
        raise StartError("interrupted", "It was stopped before it was ready.")


def _open(plane: Plane, session: Session, undo: ExitStack) -> None:
    now = plane.clock()
    lifetime = session.policy.max_lifetime if session.policy else None
    ends_at = now + timedelta(seconds=lifetime) if lifetime else None
    undo.callback(plane.gateway.withdraw, session.id)
    with plane.access.lock:  # whoever makes all routes anew sees both or neither
        plane.gateway.publish(Route(session.id, session.address, session.port))
        advance(plane, session, "Ready.", state=State.READY, ready_at=now, ends_at=ends_at)


@contextmanager
def _undoing(plane: Plane, session: Session) -> Iterator[ExitStack]:
    """Give a stack of undo steps; an error runs them and fails the session.

    The process's own end (GeneratorExit) undoes nothing: the start is continued at the next one.
    """
    undo = ExitStack()
    try:
        yield undo
    except ControlPlaneError as error:
        current = plane.access.sessions.get(session.id, session)
        tail = tail_of(plane, current)
        _undo(undo, session)
        if current.state is State.STARTING:
            fail(plane, current, error, tail)


def _undo(undo: ExitStack, session: Session) -> None:
    try:
        undo.close()
    except ControlPlaneError as error:
        # The first error is the one that people are told; `reconcile` removes what is left.
        log.warning("undo failed session=%s error=%s", session.id, error)
