"""Accounting as one declaration: written out whole, and made to be as a declaration says.

Invariant: accounting changes whole, in one transaction, or not at all. Whoever leaves is forgotten
after that, so that an end half-way takes nothing from those who stay; what it leaves behind nobody
can use, and the next declaration clears it away.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane import acts, departures, rules
from control_plane.domain import holdings
from control_plane.domain.entities import Application, Grant, Holdings, Session, User
from control_plane.domain.holdings import Change, Thing
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError, ControlPlaneError, FieldError, InvalidError

_TRIES = 5
_ACTS: Mapping[type, tuple[str, str, str]] = {
    str: ("group-create", "group-change", "group-remove"),
    User: ("user-create", "user-change", "user-remove"),
    Application: ("application-create", "application-change", "application-remove"),
    Grant: ("grant", "grant-change", "revoke"),
}


class _ElsewhereError(ControlPlaneError):
    """Somebody else changed accounting between the look at it and the transaction."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """From one state to another, and what differs."""

    present: Holdings
    after: Holdings
    changes: Sequence[Change]

    def users(self) -> Iterator[tuple[User | None, User | None]]:
        """Yield each user that changes, before and after."""
        for one in self.changes:
            if isinstance(one.thing, User):
                yield _as_user(one.before), _as_user(one.after)

    def groups(self, *, come: bool) -> Iterator[str]:
        """Yield the name of each group that comes, or that goes."""
        for one in self.changes:
            if isinstance(one.thing, str) and (one.before is None) == come:
                yield one.thing


def export(books: Books) -> dict[str, list[Any]]:
    """Return all of accounting as plain data; licences stand in it."""
    return holdings.as_document(books.accounting.holdings())


def apply(books: Books, actor: Actor, wanted: Holdings, *, dry_run: bool) -> Sequence[Change]:
    """Make accounting as it is wanted (see `holdings.matched`); return what that changes.

    InvalidError names everything that cannot be; the `field` of each is what `holdings.named`
    calls it. The homes of those who leave stay.
    """
    uids: dict[str, int] = {}
    for _ in range(_TRIES):
        plan = _planned(books.accounting.holdings(), wanted, uids)
        _judge(books, actor, plan)
        if dry_run:
            return plan.changes
        if not plan.changes:
            break
        plan = _with_uids(books, plan, wanted, uids)
        try:
            _carry_out(books, actor, plan)
            break
        except _ElsewhereError:
            continue
    else:
        raise ConflictError("Accounting was changed by others all the time.", "Run it again.")
    _clear(books)
    return plan.changes


def _planned(present: Holdings, wanted: Holdings, uids: Mapping[str, int]) -> _Plan:
    after = holdings.matched(present, wanted, uids)
    return _Plan(present, after, holdings.differences(present, after))


def _with_uids(books: Books, plan: _Plan, wanted: Holdings, uids: dict[str, int]) -> _Plan:
    """Reserve uids for those who are new; a second try takes those of the first."""
    new = [now for was, now in plan.users() if now and not was and now.name not in uids]
    uids |= {one.name: one.uid for one in rules.with_uids(books, new) if one.uid is not None}
    return _planned(plan.present, wanted, uids)


def _judge(books: Books, actor: Actor, plan: _Plan) -> None:
    users = list(plan.users())
    rules.check_role(books, actor, *(one for pair in users for one in pair if one))
    left = rules.living_sessions(books, {now.name for was, now in users if now and not was})
    errors: list[FieldError] = []
    for change in plan.changes:
        try:
            _judge_one(books, change, left)
        except ControlPlaneError as error:
            errors.append(FieldError(holdings.named(change.thing), rules.sentence(error)))
    if errors:
        raise InvalidError("This cannot be applied; nothing was changed.", errors)


def _judge_one(books: Books, change: Change, left: Mapping[str, Sequence[Session]]) -> None:
    before, after = change.before, change.after
    if isinstance(after, User) and before is None:
        rules.check_name(books, after)
        rules.check_left(after.name, left[after.name])
    elif isinstance(after, User) and isinstance(before, User) and after.kind != before.kind:
        raise ConflictError(f"This is a {before.kind} user.", "Remove it first.")
    elif isinstance(after, str):
        rules.check_group_name(after)
    elif isinstance(after, Grant):
        rules.check_volumes(books, after.policy)


def _carry_out(books: Books, actor: Actor, plan: _Plan) -> None:
    users = list(plan.users())
    for was, now in users:
        if now and not was:
            books.records.forget_user(now.name)  # what a former one of that name left
        elif now and was and now.enabled and not was.enabled:
            departures.sign_out(books, now.name)  # what a disabling that was cut short left
    for group in plan.groups(come=True):
        books.records.forget_group(group)  # what is shared with a former one of that name
    _keep_nothing(books, plan)
    books.accounting.rewrite(lambda present: _after(present, plan))
    for was, now in users:
        if was and not now:
            books.records.forget_user(was.name)
        elif now and not now.enabled:
            departures.sign_out(books, now.name)
    for group in plan.groups(come=False):
        books.records.forget_group(group)
    _note(books, actor, plan)


def _after(present: Holdings, plan: _Plan) -> Holdings:
    if present != plan.present:
        raise _ElsewhereError("Accounting was changed meanwhile.")
    return plan.after


def _keep_nothing(books: Books, plan: _Plan) -> None:
    """Let what runs end with its account or grant, whatever was once kept running of it."""
    gone = {f"grant:{one.before.id}" for one in plan.changes if isinstance(one.before, Grant)}
    gone |= {f"user:{was.name}" for was, now in plan.users() if was and not (now and now.enabled)}
    if kept := gone & books.records.kept_running():
        books.records.end_keeping(kept)


def _clear(books: Books) -> None:
    """Forget those whom a declaration that was cut short removed and did not forget."""
    now = books.clock()
    left = {one.user for one in books.records.signins(now) if one.source == "virtual"}
    left |= {one.user for one in books.records.tokens(now)}
    for name in sorted(left - {one.name for one in books.accounting.users()}):
        if not books.host.knows_name(name):
            books.records.forget_user(name)


def _note(books: Books, actor: Actor, plan: _Plan) -> None:
    before, after = _counts(plan.present), _counts(plan.after)
    whole = acts.Act("apply", "everything", before, after)
    acts.note_all(books, actor, [whole, *map(_act, plan.changes)])


def _act(change: Change) -> acts.Act:
    action = _ACTS[type(change.thing)][_verb(change)]
    was, now = (acts.of(one) if one else None for one in (change.before, change.after))
    return acts.Act(action, acts.target_of(change.thing), was, now, "apply")


def _verb(change: Change) -> int:
    if change.before is None:
        return 0
    return 2 if change.after is None else 1


def _counts(state: Holdings) -> dict[str, int]:
    return {
        "users": len(state.users),
        "groups": len(state.groups),
        "applications": len(state.applications),
        "grants": len(state.grants),
    }


def _as_user(thing: Thing | None) -> User | None:
    return thing if isinstance(thing, User) else None
