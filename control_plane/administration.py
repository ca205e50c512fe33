"""Administration: users, groups, applications and grants, changed by people.

Invariant: every act is judged here, whichever door it came through, and stands in the audit log
with what was before and what is after; nobody gives a role that they do not hold.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from control_plane import acts, departures, rules
from control_plane.departures import Departure, HomeAction
from control_plane.domain import applications
from control_plane.domain import policy as policies
from control_plane.domain.entities import (
    Announcement,
    Application,
    Grant,
    Grantee,
    Group,
    Policy,
    User,
)
from control_plane.domain.names import shown
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor, must_hold, scopes_of
from control_plane.errors import ConflictError, FieldError, InvalidError, NotFoundError

LONGEST_ANNOUNCEMENT = 1000
_ACTIONS: Mapping[object, str] = {
    (("enabled", True),): "user-enable",
    (("enabled", False),): "user-disable",
}
_OF_AN_ADMIN = {"enabled", "admin", "password"}


def create_user(books: Books, actor: Actor, user: User, password: str | None) -> User:
    """Create a user; return it with the uid that a virtual one is given.

    ConflictError for a name that is taken here or by the host, or whose sessions still run;
    NotFoundError for a group or an account of the host that is not there.
    """
    if books.accounting.user(user.name):
        raise ConflictError(f"There is a user {shown(user.name)} already.")
    rules.check_newcomer(books, user)
    rules.check_role(books, actor, user)
    digest = None if password is None else _digest(books, user, password)
    (made,) = rules.with_uids(books, [user])
    # Before the user is there: what a former one of that name left would be this one's.
    books.records.forget_user(made.name)
    if digest:
        books.records.set_password(made.name, digest)
    books.accounting.add_user(made)
    acts.note(books, actor, "user-create", made.name, after=acts.of_user(made))
    return made


def change_user(
    books: Books,
    actor: Actor,
    name: str,
    changes: Mapping[str, object],
    check: Callable[[User], None],
) -> User:
    """Change `enabled`, `admin`, `groups` or `password`; `keep_running` goes with disabling.

    `check` is given the user as it is and may raise PreconditionError. Who is disabled is signed
    out everywhere, and the tokens are refused until the user is enabled again; who gets a password
    is signed out, and the tokens end.
    """
    user = _user(books, name)
    rules.check_user_changes(changes)

    def judged(present: User) -> None:
        check(present)
        after = replace(present, admin=bool(changes.get("admin", present.admin)))
        if after.admin != present.admin or _OF_AN_ADMIN & set(changes):
            rules.check_role(books, actor, present, after)

    judged(user)
    fields = {key: value for key, value in changes.items() if key in rules.USER_FIELDS}
    words = changes.get("password")
    digest = None if words is None else _digest(books, user, words)
    if digest:
        must_hold(actor, scopes_of(user))  # whoever knows the password can be that user
    if fields:
        keep = changes.get("keep_running") is True
        user = _change_fields(books, actor, user, fields, judged, keep_running=keep)
    if digest:
        books.records.set_password(name, digest)
        departures.sign_out(books, name)
        acts.note(books, actor, "password", name)
    return user


def remove_user(  # noqa: PLR0913 - three choices beside the name
    books: Books,
    actor: Actor,
    name: str,
    *,
    home: HomeAction | None,
    keep_running: bool,
    dry_run: bool,
) -> Departure:
    """Remove a user and all that goes along; return the report. Without `home` the home stays."""
    user = _user(books, name)
    rules.check_role(books, actor, user)
    departure = departures.planned(books, user, home)
    if not dry_run:
        departures.carry_out(books, actor, user, departure, keep_running=keep_running)
    return departure


def create_group(books: Books, actor: Actor, group: Group) -> Group:
    """Create a group; ConflictError for its name, NotFoundError for a member."""
    rules.check_group_name(group.name)
    made = replace(group, members=_names(group.members))
    if books.accounting.group(made.name) is None:
        # What is shared with a former one of that name would be shared with this one.
        books.records.forget_group(made.name)
    books.accounting.add_group(made)
    acts.note(books, actor, "group-create", made.name, after=acts.of_group(made))
    return made


def change_group(
    books: Books,
    actor: Actor,
    name: str,
    members: Collection[str],
    check: Callable[[Group], None],
) -> Group:
    """Replace a group's members; NotFoundError for the group or a member."""
    return change_members(books, actor, name, lambda _: members, check)


def change_members(
    books: Books,
    actor: Actor,
    name: str,
    members: Callable[[Sequence[str]], Collection[str]],
    check: Callable[[Group], None] = lambda _: None,
) -> Group:
    """Replace a group's members by what `members` makes of them."""
    seen: list[Group] = []

    def changed(present: Group) -> Group:
        check(present)
        seen[:] = [present]
        return replace(present, members=_names(members(present.members)))

    made = books.accounting.change_group(name, changed)
    acts.note(books, actor, "group-change", name, acts.of_group(seen[0]), acts.of_group(made))
    return made


def remove_group(books: Books, actor: Actor, name: str) -> None:
    """Remove a group and its grants."""
    group = books.accounting.group(name)
    if group is None:
        raise NotFoundError(f"There is no group {shown(name)}.")
    lost = [one for one in books.accounting.grants() if one.grantee == Grantee("group", name)]
    books.accounting.remove_group(name)
    books.records.forget_group(name)
    acts.note(books, actor, "group-remove", name, before=acts.of_group(group))
    acts.note_lost(books, actor, lost, f"with the group {name}")


def create_application(books: Books, actor: Actor, application: Application) -> Application:
    """Create an application, with an id where it has none; ConflictError for its image."""
    made = applications.parse(
        applications.as_fields(application), application.id or secrets.token_hex(16)
    )
    books.accounting.add_application(made)
    acts.note(books, actor, "application-create", made.image, after=acts.of_application(made))
    return made


def change_application(
    books: Books,
    actor: Actor,
    application_id: str,
    changes: Mapping[str, object],
    check: Callable[[Application], None],
) -> Application:
    """Put these fields over an application; `check` may raise PreconditionError."""
    seen: list[Application] = []

    def changed(present: Application) -> Application:
        check(present)
        seen[:] = [present]
        return applications.merged(present, changes)

    made = books.accounting.change_application(application_id, changed)
    acts.note(
        books,
        actor,
        "application-change",
        made.image,
        acts.of_application(seen[0]),
        acts.of_application(made),
    )
    return made


def remove_application(books: Books, actor: Actor, application_id: str) -> None:
    """Remove an application and its grants."""
    application = books.accounting.application(application_id)
    if application is None:
        raise NotFoundError("There is no such application.")
    image = application.image
    lost = [one for one in books.accounting.grants() if one.application.id == application_id]
    books.accounting.remove_application(application_id)
    acts.note(books, actor, "application-remove", image, before=acts.of_application(application))
    acts.note_lost(books, actor, lost, f"with the application {image}")


def grant(
    books: Books, actor: Actor, grantee: Grantee, application_id: str, policy: Policy
) -> Grant:
    """Let someone run an application; the same again returns the grant that exists.

    InvalidError for a volume whose source may not be mounted.
    """
    rules.check_volumes(books, policy)
    made = books.accounting.add_grant(grantee, application_id, policy)
    acts.note(books, actor, "grant", made.id, after=acts.of_grant(made))
    return made


def change_grant(
    books: Books,
    actor: Actor,
    grant_id: str,
    fields: Mapping[str, object],
    check: Callable[[Grant], None],
) -> Grant:
    """Put these fields over a grant's policy; `check` may raise PreconditionError."""
    seen: list[Grant] = []

    def changed(present: Grant) -> Policy:
        check(present)
        seen[:] = [present]
        policy = policies.merged(present.policy, fields)
        rules.check_volumes(books, policy)
        return policy

    made = books.accounting.change_grant(grant_id, changed)
    acts.note(books, actor, "grant-change", grant_id, acts.of_grant(seen[0]), acts.of_grant(made))
    return made


def revoke(books: Books, actor: Actor, ids: Collection[str], *, keep_running: bool) -> int:
    """Take grants back; return how many. NotFoundError, and nothing taken, for an unknown id."""
    found = [_grant(books, one) for one in dict.fromkeys(ids)]
    keys = {f"grant:{one.id}" for one in found}
    departures.note_keeping(books, keys, keep_running=keep_running)
    count = books.accounting.remove_grants([one.id for one in found])
    acts.note_lost(books, actor, found, departures.KEPT if keep_running else "")
    return count


def announce(books: Books, actor: Actor, announcement: Announcement | None) -> None:
    """Tell everyone something, or take it back."""
    if announcement:
        _check_announcement(announcement)
    before = _told(books.records.announcement())
    books.records.announce(announcement)
    acts.note(books, actor, "announce", "everyone", before=before, after=_told(announcement))


def _change_fields(  # noqa: PLR0913 - what, how judged, and what becomes of the sessions
    books: Books,
    actor: Actor,
    user: User,
    fields: Mapping[str, Any],
    judged: Callable[[User], None],
    *,
    keep_running: bool,
) -> User:
    if "groups" in fields:
        fields = {**fields, "groups": _names(fields["groups"])}
    seen: list[User] = []

    def changed(present: User) -> User:
        judged(present)
        seen[:] = [present]
        return replace(present, **fields)

    if fields.get("enabled") is False:
        departures.note_keeping(books, {f"user:{user.name}"}, keep_running=keep_running)
    elif "enabled" in fields and not user.enabled:
        books.records.end_signins(user.name)  # what a disabling that was cut short left
    made = books.accounting.change_user(user.name, changed)
    if not made.enabled:
        books.records.end_signins(user.name)
    action = _ACTIONS.get(tuple(fields.items()), "user-change")
    detail = departures.KEPT if keep_running else ""
    told = acts.of_user(seen[0]), acts.of_user(made)
    acts.note(books, actor, action, user.name, *told, detail)
    return made


def _digest(books: Books, user: User, words: object) -> str:
    if user.kind != "virtual":
        raise ConflictError(f"The password of {shown(user.name)} is the host's.", "Use passwd.")
    return books.passwords.hash(rules.check_password(words))


def _check_announcement(announcement: Announcement) -> None:
    text = announcement.text
    if not text.strip() or len(text) > LONGEST_ANNOUNCEMENT or not rules.is_text(text):
        problem = FieldError("text", f"must have 1 to {LONGEST_ANNOUNCEMENT} characters")
        raise InvalidError("Nothing was announced.", [problem])


def _told(announcement: Announcement | None) -> dict[str, Any] | None:
    if announcement is None:
        return None
    until = announcement.until
    return {"text": announcement.text, "until": until.isoformat() if until else None}


def _user(books: Books, name: str) -> User:
    found = books.accounting.user(name)
    if found is None:
        raise NotFoundError(f"There is no user {shown(name)}.")
    return found


def _grant(books: Books, grant_id: str) -> Grant:
    found = books.accounting.grant(grant_id)
    if found is None:
        raise NotFoundError("There is no such grant.")
    return found


def _names(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
