"""A user leaves: what goes, what stays, and in which order.

Invariant: killed at any step, nobody keeps a password, a sign-in or a token that the next of that
name could use, and what was asked for the home is not lost; no home is touched while its user is
still known (`enforcement.settle_homes`).
"""

from dataclasses import dataclass
from typing import Literal, cast

from control_plane import acts, rules
from control_plane.domain.entities import Grant, HomeTask, User
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor
from control_plane.errors import FieldError, InvalidError

KEPT = "what runs computes on"
HomeAction = Literal["keep", "archive", "delete"]


@dataclass(frozen=True, slots=True)
class Departure:
    """What goes with a user: ids of grants, names of groups, how many tokens and sign-ins.

    `sessions` are the ids of those that run. `home` is the engine's volume, empty where there is
    none of ours; `home_action` is what becomes of it.
    """

    user: str
    grants: tuple[str, ...]
    groups: tuple[str, ...]
    tokens: int
    signins: int
    sessions: tuple[str, ...]
    home: str
    home_action: HomeAction


def planned(books: Books, user: User, home: HomeAction | None) -> Departure:
    """Return what removing that user would take along; nothing is changed."""
    now, volume = books.clock(), rules.home_of(books, user)
    if not volume and home in ("archive", "delete"):
        problem = FieldError("home", "must be keep: the home of a system user is the host's")
        raise InvalidError(f"The user {user.name} was not removed.", [problem])
    return Departure(
        user=user.name,
        grants=tuple(one.id for one in own_grants(books, user.name)),
        groups=user.groups,
        tokens=sum(one.user == user.name for one in books.records.tokens(now)),
        signins=sum(one.user == user.name for one in books.records.signins(now)),
        sessions=tuple(one.id for one in rules.living_sessions(books, {user.name})[user.name]),
        home=volume,
        home_action=home or "keep",
    )


def carry_out(
    books: Books, actor: Actor, user: User, departure: Departure, *, keep_running: bool
) -> None:
    """Remove the user and all that goes along."""
    lost = own_grants(books, user.name)
    # A store that is read only refuses before anything is lost.
    books.accounting.change_user(user.name, lambda present: present)
    books.records.forget_user(user.name)
    note_keeping(books, {f"user:{user.name}"}, keep_running=keep_running)
    # It waits for the user to be gone, so that a removal that is cut short can be repeated.
    if departure.home_action == "keep":
        books.records.end_home_task(departure.home)
    else:
        books.records.add_home_task(_home_task(books, actor, departure))
    books.accounting.remove_user(user.name)
    sign_out(books, user.name)  # whoever signed in meanwhile
    detail = f"home: {departure.home_action}" + (f", {KEPT}" if keep_running else "")
    acts.note(books, actor, "user-remove", user.name, acts.of_user(user), detail=detail)
    acts.note_lost(books, actor, lost, f"with the user {user.name}")


def own_grants(books: Books, name: str) -> list[Grant]:
    """Return what a user holds by name."""
    return [one for one in books.accounting.grants_of(name) if one.grantee.kind == "user"]


def sign_out(books: Books, name: str) -> None:
    """End someone's sign-ins and tokens."""
    books.records.end_signins(name)
    books.records.remove_tokens(name)


def note_keeping(books: Books, keys: set[str], *, keep_running: bool) -> None:
    """Note, before what holds them is taken away, whether these sessions compute on."""
    if keep_running:
        books.records.keep_running(keys)
    else:
        books.records.end_keeping(keys)


def _home_task(books: Books, actor: Actor, departure: Departure) -> HomeTask:
    action = cast("Literal['archive', 'delete']", departure.home_action)
    return HomeTask(departure.home, departure.user, action, actor.name, books.clock())
