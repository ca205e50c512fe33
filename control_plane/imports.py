"""What another portal kept is brought into accounting.

Invariant: what is there already stays as it is, all that is new comes in one transaction, and the
same again changes nothing.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from control_plane import acts, rules
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Holdings,
    Policy,
    User,
    Volume,
)
from control_plane.domain.names import shown
from control_plane.domain.ports import Books, Folders
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError, ControlPlaneError, InvalidError


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in; sentences of what could not, and of what is listed and cannot be started."""

    users: Sequence[User] = ()
    applications: Sequence[Application] = ()
    grants: Sequence[Grant] = ()
    left_out: Sequence[str] = ()
    not_startable: Sequence[str] = ()

    @property
    def empty(self) -> bool:
        """Whether all that could come was there already."""
        return not (self.users or self.applications or self.grants)


def bring_in(
    books: Books, actor: Actor, found: Holdings, origin: str, *, dry_run: bool = False
) -> Imported:
    """Add the users, the applications and the users' grants that accounting lacks.

    Virtual users get a uid and no password; `dry_run` says what would come, without uids. `origin`
    stands in the audit log. ConflictError when accounting was changed meanwhile,
    NotSupportedError when it is read only.
    """
    present = books.accounting.holdings()
    new = _planned(books, present, found)
    if dry_run or new.empty:
        return new
    rules.check_role(books, actor, *new.users)
    new = replace(new, users=rules.with_uids(books, new.users))
    for user in new.users:
        # Before the user is there: what a former one of that name left would be this one's.
        books.records.forget_user(user.name)
    _write(books, present, new)
    _note(books, actor, new, origin)
    return new


def report(holdings: Holdings, folders: Folders) -> Sequence[str]:
    """Return a sentence for each grant that is listed and cannot be started, and why."""
    judged: dict[Volume, str] = {}
    sentences = []
    for grant in holdings.grants:
        for volume in grant.policy.volumes:
            if volume not in judged:
                judged[volume] = _why_not(volume, folders)
            if judged[volume]:
                sentences.append(
                    f"The grant {grant.id} of {shown(grant.application.image)} for"
                    f" {shown(str(grant.grantee))} is listed and not startable: {judged[volume]}."
                )
    return sentences


def _why_not(volume: Volume, folders: Folders) -> str:
    try:
        folders.resolved(volume)
    except InvalidError as error:
        return "; ".join(one.message for one in error.errors) or error.message.rstrip(".")
    return ""


def _planned(books: Books, present: Holdings, found: Holdings) -> Imported:
    left_out: list[str] = []
    users = _newcomers(books, present, found, left_out)
    names = {one.name for one in (*present.users, *users)}
    images = {one.image: one for one in present.applications}
    applications = _lacking(images, found.applications)
    images |= {one.image: one for one in applications}
    grants = [
        replace(one, application=images[one.application.image])
        for one in found.grants
        if one.grantee.name in names
    ]
    if lost := len(found.grants) - len(grants):
        left_out.append(f"Nor were the {lost} grants of those users.")
    grants = _unknown(present.grants, grants, left_out)
    not_startable = report(Holdings(grants=tuple(grants)), books.folders)
    return Imported(users, applications, grants, left_out, not_startable)


def _newcomers(books: Books, present: Holdings, found: Holdings, left_out: list[str]) -> list[User]:
    known = {one.name for one in present.users}
    users = []
    for user in found.users:
        if user.name in known:
            continue
        try:
            _check_not_an_admins(books, user)
            rules.check_newcomer(books, user)
        except ControlPlaneError as error:
            why = f"{error.message} {error.hint}".strip()
            left_out.append(f"User {shown(user.name)} was not taken. {why}")
        else:
            users.append(user)
    return users


def _check_not_an_admins(books: Books, user: User) -> None:
    """Raise ConflictError: without a password it would be whoever first signs in elsewhere."""
    if user.kind == "virtual" and user.name in books.site.admins:
        raise ConflictError("The name is an administrator's here.", "Create the user here first.")


def _lacking(images: Mapping[str, Application], found: Sequence[Application]) -> list[Application]:
    """Return those whose image is not known yet, under ids that are free."""
    taken = {one.id for one in images.values()}
    return [
        replace(one, id=secrets.token_hex(16)) if one.id in taken else one
        for one in found
        if one.image not in images
    ]


def _unknown(present: Sequence[Grant], found: Sequence[Grant], left_out: list[str]) -> list[Grant]:
    """Return the grants that are there neither by their id nor by what they say."""
    ids = {one.id for one in present}
    same = {_words(one): one.id for one in present}
    new = [one for one in found if one.id not in ids]
    left_out += [
        f"Grant {one.id} was not taken: the grant {same[_words(one)]} says the same."
        for one in new
        if _words(one) in same
    ]
    return [one for one in new if _words(one) not in same]


def _words(grant: Grant) -> tuple[Grantee, str, Policy]:
    return grant.grantee, grant.application.image, grant.policy


def _write(books: Books, present: Holdings, new: Imported) -> None:
    def together(now: Holdings) -> Holdings:
        if now != present:
            raise ConflictError("Accounting was changed meanwhile.", "Run the import again.")
        return replace(
            now,
            users=tuple(sorted((*now.users, *new.users), key=lambda one: one.name)),
            applications=tuple(
                sorted((*now.applications, *new.applications), key=lambda one: one.image)
            ),
            grants=(*now.grants, *new.grants),
        )

    books.accounting.rewrite(together)


def _note(books: Books, actor: Actor, new: Imported, origin: str) -> None:
    for user in new.users:
        told = acts.of_user(user)
        acts.note(books, actor, "user-create", user.name, after=told, detail=origin)
    for one in new.applications:
        told = acts.of_application(one)
        acts.note(books, actor, "application-create", one.image, after=told, detail=origin)
    for grant in new.grants:
        acts.note(books, actor, "grant", grant.id, after=acts.of_grant(grant), detail=origin)
