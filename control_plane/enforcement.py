"""What runs follows what may run: grants, policies, accounts and time.

Invariant: nothing runs on under a grant that does not hold, for an account that is disabled, with
a mount or a network that its policy does not give any more, or past its end. What is kept running
computes on with nobody able to reach it.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from control_plane import rules, sessions, usage
from control_plane.addresses import another_address
from control_plane.domain.containers import apart_volume
from control_plane.domain.entities import Grant, HomeTask, Policy, Session, State
from control_plane.domain.jobs import Job
from control_plane.domain.policy import effective, narrowed
from control_plane.domain.ports import Plane
from control_plane.domain.routes import Route
from control_plane.errors import ControlPlaneError, StartError

log = logging.getLogger(__name__)

WARNING = timedelta(minutes=10)
_LIMITS = ("memory", "cpus", "pids")


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a session runs under now: its grant, or None and why it may not go on.

    `excuses` are the words that must all be noted for it to compute on all the same.
    """

    grant: Grant | None
    because: str = ""
    excuses: frozenset[str] = frozenset()


def enforce(plane: Plane) -> None:
    """Make what runs follow accounting as it is now; the memory of users is up to date."""
    living = [one for one in list(plane.access.sessions.values()) if _is_judged(one)]
    if not living:
        return
    held = plane.accounting.holds({(one.owner, one.grant_id) for one in living})
    kept = plane.records.kept_running()
    for session in living:
        _follow(plane, session, _holding(plane, session, held), kept)


def cut_connections(plane: Plane, owner: str) -> None:
    """Cut whoever has someone's sessions open; these compute on, at another address from now on."""
    open_now = [
        one
        for one in plane.access.sessions_of(owner)
        if one.state is State.READY and not one.cut_off
    ]
    for session in open_now:
        _cut_off(plane, session, "all sign-ins of its owner have ended")
    if open_now:
        enforce(plane)


def keep_time(plane: Plane) -> None:
    """Stop what is past its end, and warn ten minutes before."""
    now = plane.clock()
    for session in list(plane.access.sessions.values()):
        if session.state is not State.READY or session.ends_at is None:
            continue
        if now >= session.ends_at:
            sessions.ask_to_stop(plane, session, "its time was over")
        elif not session.warned and now >= session.ends_at - WARNING:
            minutes = max(1, round((session.ends_at - now).total_seconds() / 60))
            sessions.change(plane, session, f"It ends in {minutes} min.", warned=True)


def cut(plane: Plane, session: Session) -> Job:
    """Take a session that computes on off the network."""
    plane.gateway.withdraw(session.id)
    plane.engine.detach(session.container_id)
    return
    yield  # a job without a wait


def settle_homes(plane: Plane) -> Mapping[str, str]:
    """Archive or delete the homes of those who left, once nothing uses them any more.

    Return what could not be done, by volume: it is tried again the next time.
    """
    failed: dict[str, str] = {}
    tasks = plane.records.home_tasks()
    if not tasks:
        return failed
    living = {one.owner for one in list(plane.access.sessions.values()) if one.living}
    homes = {rules.home_of(plane.books, one) for one in plane.accounting.users()}
    for task in tasks:
        if task.user in living or task.volume in homes:
            continue
        try:
            _settle(plane, task)
        except ControlPlaneError as error:
            failed[task.volume] = f"{error.message} {error.hint}".strip()
    return failed


def forget_kept(plane: Plane) -> None:
    """Forget what was to be kept running and does not run any more."""
    known = list(plane.access.sessions.values())
    if over := plane.records.kept_running() - _all_keys(one for one in known if one.living):
        plane.records.end_keeping(over)


def _is_judged(session: Session) -> bool:
    return session.state in (State.STARTING, State.READY)


def _holding(plane: Plane, session: Session, held: Mapping[tuple[str, str], Grant]) -> _Holding:
    owner = plane.access.user(session.owner)
    grant = held.get((session.owner, session.grant_id)) or _demo(plane, session)
    of_account, of_grant = _keys(session)
    if owner and not owner.enabled:
        excuses = {of_account} if grant else {of_account, of_grant}
        return _Holding(None, "the account was disabled", frozenset(excuses))
    if grant:
        return _Holding(grant)
    # With the account its grants went, of which nobody was asked.
    return _Holding(None, "the grant was revoked", frozenset({of_grant if owner else of_account}))


def _demo(plane: Plane, session: Session) -> Grant | None:
    found = next((one for one in plane.site.demo if one.id == session.grant_id), None)
    if found and plane.access.user(session.owner) is None:
        # A virtual user who was removed holds nothing; someone of the host's needs no row.
        return found if plane.host.person(session.owner) else None
    return found


def _follow(plane: Plane, session: Session, now: _Holding, kept: Collection[str]) -> None:
    is_kept = now.grant is None and now.excuses <= set(kept)
    if session.cut_off and (now.grant or is_kept):
        _let_in_again(plane, session, now)
    elif now.grant is None:
        if session.state is State.READY and is_kept:
            _cut_off(plane, session, now.because)
        else:
            sessions.ask_to_stop(plane, session, now.because)
    elif session.policy or session.state is State.READY:
        allowed = effective(now.grant.policy, plane.site.limits)
        _adjust(plane, session, session.policy or _taken_up(plane, session, allowed), allowed)


def _taken_up(plane: Plane, session: Session, allowed: Policy) -> Policy:
    """Give an adopted session, whose record was lost, a policy without limits and end."""
    policy = replace(allowed, app_license="", memory=0, cpus=0, pids=0, max_lifetime=0)
    sessions.change(plane, session, "Its policy was found again.", policy=policy)
    return policy


def _keys(session: Session) -> tuple[str, str]:
    """Return the words under which the records say that a session is kept running."""
    return f"user:{session.owner}", f"grant:{session.grant_id}"


def _all_keys(several: Iterable[Session]) -> frozenset[str]:
    return frozenset(key for one in several for key in _keys(one))


def _cut_off(plane: Plane, session: Session, because: str) -> None:
    with plane.access.lock:
        message = f"Nobody can enter: {because}. It computes on."
        changed = sessions.change(plane, session, message, cut_off=True)
        plane.jobs.submit(session.id, cut(plane, changed))


def _let_in_again(plane: Plane, session: Session, now: _Holding) -> None:
    """Connect what was cut off, under its grant or one like it."""
    grant = now.grant or _grant_like(plane, session)
    if grant is None:
        return
    allowed = effective(grant.policy, plane.site.limits)
    if session.policy is None or not narrowed(session.policy, allowed):
        plane.jobs.submit(session.id, _reattach(plane, session, grant.id))


def _grant_like(plane: Plane, session: Session) -> Grant | None:
    owner = plane.access.user(session.owner)
    if owner is None or not owner.enabled:
        return None
    found = plane.accounting.grants_of(session.owner)
    return next((one for one in found if one.application.image == session.image), None)


def _reattach(plane: Plane, session: Session, grant_id: str) -> Job:
    """Connect a container at an address that nobody's cached answer leads to."""
    network, keys = (session.policy and session.policy.network) or "internet", _keys(session)
    plane.engine.check()  # else each try would note another address, and each note calls for a try
    with plane.access.lock:
        current = plane.access.sessions.get(session.id)
        if current is None or current.state is not State.READY or not current.cut_off:
            return  # it ended, or an earlier job has connected it
        address = another_address(plane, network)
        changes = {"address": address, "grant_id": grant_id}
        session = sessions.change(plane, session, "It is connected again.", **changes)
    plane.engine.attach(session.container_id, network, session.address)
    with plane.access.lock:
        plane.gateway.publish(Route(session.id, session.address, session.port))
        sessions.change(plane, session, "Ready.", cut_off=False)
        known = list(plane.access.sessions.values())
        others = _all_keys(one for one in known if one.cut_off and one.living)
    plane.records.end_keeping({*keys, *_keys(session)} - others)
    return
    yield  # a job without a wait


def _adjust(plane: Plane, session: Session, was: Policy, now: Policy) -> None:
    if lost := narrowed(was, now):
        sessions.ask_to_stop(plane, session, f"the policy does not allow {lost} any more")
        return
    if was.share != now.share:
        _share(plane, session, now)
    if session.state is not State.READY:
        return
    if any(getattr(was, name) != getattr(now, name) for name in _LIMITS):
        plane.jobs.submit(session.id, _limit(plane, session, now))
    if was.max_lifetime != now.max_lifetime:
        _retime(plane, session, was, now)


def _share(plane: Plane, session: Session, now: Policy) -> None:
    """Let the session be shared as far as its policy says now; what is shared further is over."""
    with plane.access.lock:  # else what is changed meanwhile would be lost
        current = plane.access.sessions.get(session.id)
        if current and current.policy and current.living:
            policy = replace(current.policy, share=now.share)
            sessions.change(plane, current, "What may be shared was changed.", policy=policy)


def _limit(plane: Plane, session: Session, now: Policy) -> Job:
    """Put the policy's limits on what runs; what the engine refuses is not asked again."""
    try:
        plane.engine.limit(session.container_id, now.memory or 0, now.cpus or 0, now.pids or 0)
    except StartError as error:
        log.warning("limits not changed session=%s error=%s", session.id, error)
    with plane.access.lock:  # else the end that is changed meanwhile would be lost
        current = plane.access.sessions.get(session.id)
        if current and current.policy and current.living:
            limits = {name: getattr(now, name) for name in _LIMITS}
            policy = replace(current.policy, **limits)
            sessions.change(plane, current, "Its limits were changed.", policy=policy)
    return
    yield  # a job without a wait


def _retime(plane: Plane, session: Session, was: Policy, now: Policy) -> None:
    """Let a new lifetime count from the session's start, yet never end it without a warning."""
    ends_at = None
    if now.max_lifetime:
        begun = session.ready_at or session.created_at
        soonest = plane.clock() + WARNING
        ends_at = max(begun + timedelta(seconds=now.max_lifetime), soonest)
    with plane.access.lock:  # else the limits that are changed meanwhile would be lost
        current = plane.access.sessions.get(session.id, session)
        policy = replace(current.policy or was, max_lifetime=now.max_lifetime)
        changes = {"ends_at": ends_at, "policy": policy, "warned": False}
        sessions.change(plane, current, "Its time was changed.", **changes)


def _settle(plane: Plane, task: HomeTask) -> None:
    # The home, and what images that start as root had for one.
    homes = {task.volume: "", apart_volume(task.volume): "-apart"}
    kept = _archived(plane, task, homes) if task.action == "archive" else ""
    for volume in homes:
        plane.homes.remove(volume)
    plane.records.end_home_task(task.volume)
    usage.note_act(plane, task.by, f"home-{task.action}", task.user, detail=kept)
    log.info("home settled user=%s volume=%s action=%s", task.user, task.volume, task.action)


def _archived(plane: Plane, task: HomeTask, homes: Mapping[str, str]) -> str:
    """Archive those of these volumes that there are; `homes` gives what to add to the name."""
    kept = []
    for volume, added in homes.items():
        path = plane.site.archives / f"{task.user}-{task.at:%Y%m%dT%H%M%SZ}{added}.tar.gz"
        if plane.homes.archive(volume, path):
            kept.append(str(path))
    return ", ".join(kept) or "there was none"
