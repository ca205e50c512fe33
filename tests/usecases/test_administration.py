"""Administration: what is judged, what is written down, and what goes with what."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from usecases.dying import dies

from control_plane import administration, rules
from control_plane.domain import applications
from control_plane.domain.entities import (
    SCOPES,
    Announcement,
    Application,
    Grantee,
    Group,
    Policy,
    Session,
    SignIn,
    State,
    Token,
    User,
    Volume,
)
from control_plane.domain.ports import Books, Plane
from control_plane.domain.roles import Actor
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSupportedError,
    PreconditionError,
)

ROOT = Actor("cli:root")
CLERK = Actor("eve", "192.0.2.7", frozenset({"admin:read", "admin:write"}))
APPLICATION = "a" * 32
# As much of the books as roles look at.
NAMED = cast("Books", SimpleNamespace(site=SimpleNamespace(admins=frozenset({"boss"}))))
READ_ONLY = NotSupportedError("Accounting is only read here.")


@pytest.fixture
def books(plane: Plane) -> Books:
    return plane.books


class ReadOnly:
    """Accounting that refuses every write and answers all else."""

    def __init__(self, books: Books) -> None:
        self._own = books.accounting

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("add_", "change_", "remove_", "reserve_", "rewrite")):
            return self._refuse
        return getattr(self._own, name)

    def _refuse(self, *_: object) -> None:
        raise READ_ONLY


def anything(_: object) -> None:
    """Find every state good enough to be changed."""


def stale(_: object) -> None:
    raise PreconditionError("It was changed meanwhile.")


def acts(books: Books) -> list[tuple[str, str]]:
    return [(row.action, row.target) for row in reversed(books.records.audit())]


def sign_in(books: Books, name: str) -> None:
    now = books.clock()
    later = now + timedelta(hours=1)
    books.records.add_signin(SignIn(f"signin of {name}", name, "user", now, later))
    books.records.add_token(Token(f"t{name}", name, "laptop", (), now, later, f"of {name}"))


def is_signed_in(books: Books, name: str) -> bool:
    now = books.clock()
    names = {one.user for one in books.records.signins(now)}
    return name in names | {one.user for one in books.records.tokens(now)}


def session_of(books: Books, name: str, state: State = State.READY) -> Session:
    session = Session(
        *("5" * 32, name, "0" * 32, "Desk", "desk", "vncapp", state),
        *(books.clock(), "10.213.0.2", 8888, "/"),
    )
    books.records.save_session(session)
    return session


def change(books: Books, actor: Actor, name: str, **changes: object) -> User:
    return administration.change_user(books, actor, name, changes, anything)


def remove(books: Books, actor: Actor, name: str, **choices: Any) -> Any:
    choices = {"home": None, "keep_running": False, "dry_run": False} | choices
    return administration.remove_user(books, actor, name, **choices)


# users


def test_a_new_user_has_a_uid_the_groups_and_a_password(books: Books) -> None:
    administration.create_group(books, ROOT, Group("lab"))
    new = User("erin", "virtual", groups=("lab",), uid=0, gid=0)
    made = administration.create_user(books, CLERK, new, "correct horse")
    assert made == User("erin", "virtual", groups=("lab",), uid=70003, gid=70003)
    assert books.accounting.user("erin") == made
    assert books.passwords.verify(books.records.password("erin"), "correct horse")
    (row,) = books.records.audit(action="user-create")
    assert (row.actor, row.address, row.target, row.before) == ("eve", "192.0.2.7", "erin", None)
    assert row.after == {
        "kind": "virtual",
        "enabled": True,
        "admin": False,
        "uid": 70003,
        "groups": ["lab"],
    }
    assert "horse" not in str(books.records.audit())


@pytest.mark.parametrize(
    ("user", "password", "error", "said"),
    [
        (User("alice", "virtual"), None, ConflictError, "There is a user alice already."),
        (User("dora", "virtual"), None, ConflictError, "This host has an account dora."),
        (User("root", "virtual"), None, ConflictError, "The name root is the host's."),
        (User("A b", "virtual"), None, InvalidError, "A virtual user cannot be called A b."),
        (User("erin", "system"), None, NotFoundError, "This host has no account erin."),
        (User("root", "system"), None, ConflictError, "The account root is one of the system's"),
        (User("dora", "system"), "long enough", ConflictError, "The password of dora is"),
        (User("erin", "virtual"), "short", InvalidError, "The password was not changed."),
        (User("erin", "virtual", groups=("x",)), None, NotFoundError, "There is no group x."),
    ],
)
def test_a_user_that_cannot_be_is_not_made(
    books: Books, user: User, password: str | None, error: type[ControlPlaneError], said: str
) -> None:
    before = books.accounting.holdings()
    with pytest.raises(error) as refused:
        administration.create_user(books, ROOT, user, password)
    assert refused.value.message.startswith(said)
    assert books.accounting.holdings() == before
    assert acts(books) == []


@pytest.mark.parametrize("kind", ["virtual", "system"])
def test_the_sessions_of_a_former_user_bar_the_name(books: Books, kind: Any) -> None:
    name = {"virtual": "erin", "system": "dora"}[kind]
    left = session_of(books, name)
    with pytest.raises(ConflictError) as refused:
        administration.create_user(books, ROOT, User(name, kind), None)
    assert list(refused.value.details) == [left.id]
    session_of(books, name, State.STOPPED)
    administration.create_user(books, ROOT, User(name, kind), None)
    assert books.records.session(left.id) is None


def test_what_a_former_user_left_is_not_the_next_ones(books: Books) -> None:
    books.records.set_password("erin", "$argon2id$old")
    sign_in(books, "erin")
    books.records.keep_running({"user:erin"})
    administration.create_user(books, ROOT, User("erin", "virtual"), None)
    assert books.records.password("erin") is None
    assert not is_signed_in(books, "erin")
    assert books.records.kept_running() == frozenset()


@pytest.mark.parametrize(
    "act",
    [
        lambda books: administration.create_user(
            books, CLERK, User("erin", "virtual", admin=True), None
        ),
        lambda books: administration.create_user(books, CLERK, User("admin", "virtual"), None),
        lambda books: change(books, CLERK, "alice", admin=True),
        lambda books: change(books, CLERK, "boss", admin=False),
        lambda books: change(books, CLERK, "boss", enabled=False),
        lambda books: change(books, CLERK, "boss", password="mine from now on"),
        lambda books: remove(books, CLERK, "boss"),
        lambda books: remove(books, CLERK, "boss", dry_run=True),
    ],
)
def test_whoever_holds_less_neither_makes_nor_touches_an_administrator(
    books: Books, act: Callable[[Books], object]
) -> None:
    administration.create_user(books, ROOT, User("boss", "virtual", admin=True), "boss's own")
    before, digest = books.accounting.holdings(), books.records.password("boss")
    with pytest.raises(ForbiddenError) as refused:
        act(books)
    assert refused.value.message.startswith("You do not hold sessions:read")
    assert (books.accounting.holdings(), books.records.password("boss")) == (before, digest)
    assert acts(books) == [("user-create", "boss")]


@drawn(scopes=st.frozensets(st.sampled_from(SCOPES)), admin=st.booleans(), setting=st.booleans())
def test_an_administrator_is_touched_by_those_who_hold_all(
    *, scopes: frozenset[str], admin: bool, setting: bool
) -> None:
    user = User("boss" if setting else "erin", "virtual", admin=admin)
    allowed = True
    try:
        rules.check_role(NAMED, Actor("eve", scopes=scopes), user)
    except ForbiddenError:
        allowed = False
    assert allowed == (not (admin or setting) or scopes == frozenset(SCOPES))


def test_groups_of_an_administrator_are_anybodys_business(books: Books) -> None:
    administration.create_group(books, ROOT, Group("lab"))
    administration.create_user(books, ROOT, User("boss", "virtual", admin=True), None)
    assert change(books, CLERK, "boss", groups=["lab", "lab"]).groups == ("lab",)


def test_a_disabled_user_is_signed_out_and_the_tokens_wait(books: Books) -> None:
    sign_in(books, "alice")
    assert not change(books, CLERK, "alice", enabled=False).enabled
    assert list(books.records.signins(books.clock())) == []
    assert {one.user for one in books.records.tokens(books.clock())} == {"alice"}
    assert books.records.kept_running() == frozenset()
    (row,) = books.records.audit()
    assert (row.action, row.target, row.detail) == ("user-disable", "alice", "")
    assert (row.before or {})["enabled"] is True
    assert (row.after or {})["enabled"] is False


def test_enabling_ends_what_a_disabling_that_was_cut_short_left(books: Books) -> None:
    books.accounting.change_user("alice", lambda user: replace(user, enabled=False))
    sign_in(books, "alice")
    assert change(books, CLERK, "alice", enabled=True).enabled
    assert list(books.records.signins(books.clock())) == []
    books.records.remove_tokens("alice")
    sign_in(books, "alice")
    change(books, CLERK, "alice", enabled=True)
    assert is_signed_in(books, "alice")


def test_keeping_running_is_noted_before_the_account_is_disabled(books: Books) -> None:
    seen: list[frozenset[str]] = []

    def check(user: User) -> None:
        if user.enabled:
            seen.append(books.records.kept_running())

    changes = {"enabled": False, "keep_running": True}
    administration.change_user(books, CLERK, "alice", changes, check)
    assert seen == [frozenset(), frozenset({"user:alice"})]
    assert acts(books) == [("user-disable", "alice")]
    assert books.records.audit()[0].detail == "what runs computes on"


def test_a_new_password_ends_the_sign_ins_and_the_tokens(books: Books) -> None:
    sign_in(books, "alice")
    change(books, ROOT, "alice", password="a new one")
    assert not is_signed_in(books, "alice")
    assert books.passwords.verify(books.records.password("alice"), "a new one")
    (row,) = books.records.audit()
    assert (row.action, row.before, row.after) == ("password", None, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"enabled": "yes"}, "enabled"),
        ({"admin": None}, "admin"),
        ({"groups": "lab"}, "groups"),
        ({"groups": [1]}, "groups"),
        ({"keep_running": True}, "keep_running"),
        ({"enabled": True, "keep_running": True}, "keep_running"),
        ({"password": 12345678}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"password": "\ud800" * 8}, "password"),
    ],
)
def test_a_bad_change_of_a_user_is_named(
    books: Books, changes: dict[str, object], field: str
) -> None:
    before = books.accounting.holdings()
    with pytest.raises(InvalidError) as refused:
        change(books, ROOT, "alice", **changes)
    assert [one.field for one in refused.value.errors] == [field]
    assert books.accounting.holdings() == before


@pytest.mark.parametrize("changes", [{"enabled": False}, {"password": "a new one"}])
def test_a_stale_change_of_a_user_changes_nothing(books: Books, changes: dict[str, object]) -> None:
    sign_in(books, "alice")
    before, digest = books.accounting.holdings(), books.records.password("alice")
    with pytest.raises(PreconditionError):
        administration.change_user(books, ROOT, "alice", changes, stale)
    assert (books.accounting.holdings(), books.records.password("alice")) == (before, digest)
    assert is_signed_in(books, "alice")
    assert acts(books) == []


# removing a user


def test_what_goes_with_a_user_is_told_first_and_then_gone(books: Books) -> None:
    administration.create_group(books, ROOT, Group("lab", ("alice",)))
    administration.grant(books, ROOT, Grantee("group", "lab"), APPLICATION, Policy())
    own = [one.id for one in books.accounting.grants_of("alice") if one.grantee.kind == "user"]
    sign_in(books, "alice")
    running = session_of(books, "alice")
    before = books.accounting.holdings()
    foreseen = remove(books, CLERK, "alice", home="archive", dry_run=True)
    assert books.accounting.holdings() == before
    assert is_signed_in(books, "alice")
    report = remove(books, CLERK, "alice", home="archive")
    assert report == foreseen
    assert (report.user, report.grants, report.groups) == ("alice", tuple(own), ("lab",))
    assert (report.tokens, report.signins, report.sessions) == (1, 1, (running.id,))
    assert (report.home, report.home_action) == ("remoteapp-unit-home-70000", "archive")
    assert books.accounting.user("alice") is None
    assert not is_signed_in(books, "alice")
    assert books.records.password("alice") is None
    (task,) = books.records.home_tasks()
    assert (task.volume, task.user, task.action) == (report.home, "alice", "archive")
    assert task.by == "eve"
    assert acts(books)[2:] == [("user-remove", "alice"), *(("revoke", one) for one in own)]


def test_the_home_stays_unless_something_else_is_asked(books: Books) -> None:
    assert remove(books, ROOT, "alice").home_action == "keep"
    assert list(books.records.home_tasks()) == []


@pytest.mark.parametrize("home", ["archive", "delete"])
def test_the_home_of_a_system_user_is_the_hosts(books: Books, home: str) -> None:
    administration.create_user(books, ROOT, User("dora", "system"), None)
    with pytest.raises(InvalidError) as refused:
        remove(books, ROOT, "dora", home=home)
    assert [one.field for one in refused.value.errors] == ["home"]
    assert books.accounting.user("dora") is not None
    assert remove(books, ROOT, "dora").home == ""


@pytest.mark.parametrize(
    "act",
    [
        lambda books: remove(books, ROOT, "alice"),
        lambda books: change(books, ROOT, "alice", enabled=False),
        lambda books: administration.create_user(books, ROOT, User("dora", "system"), None),
        lambda books: administration.create_user(books, ROOT, User("erin", "virtual"), None),
        lambda books: administration.create_group(books, ROOT, Group("lab")),
        lambda books: administration.remove_application(books, ROOT, APPLICATION),
    ],
)
def test_a_store_that_is_read_only_refuses_before_anything_is_lost(
    books: Books, act: Callable[[Books], object]
) -> None:
    sign_in(books, "alice")
    sign_in(books, "dora")
    with pytest.raises(NotSupportedError):
        act(replace(books, accounting=ReadOnly(books)))
    assert is_signed_in(books, "alice")
    assert is_signed_in(books, "dora")
    assert books.records.password("alice") is not None
    assert acts(books) == []


def test_a_password_is_set_beside_a_store_that_is_read_only(books: Books) -> None:
    change(replace(books, accounting=ReadOnly(books)), ROOT, "alice", password="a new one")
    assert books.passwords.verify(books.records.password("alice"), "a new one")


@pytest.mark.parametrize(
    "act",
    [
        lambda books: change(books, ROOT, "nobody", enabled=True),
        lambda books: remove(books, ROOT, "nobody"),
        lambda books: administration.change_group(books, ROOT, "none", (), anything),
        lambda books: administration.remove_group(books, ROOT, "none"),
        lambda books: administration.change_application(books, ROOT, "0", {}, anything),
        lambda books: administration.remove_application(books, ROOT, "0"),
        lambda books: administration.grant(books, ROOT, Grantee("everyone"), "0", Policy()),
        lambda books: administration.grant(
            books, ROOT, Grantee("user", "nobody"), APPLICATION, Policy()
        ),
        lambda books: administration.change_grant(books, ROOT, "0", {}, anything),
        lambda books: administration.revoke(books, ROOT, ["0"], keep_running=False),
    ],
)
def test_what_is_unknown_is_told_and_nothing_is_written_down(
    books: Books, act: Callable[[Books], object]
) -> None:
    before = books.accounting.holdings()
    with pytest.raises(NotFoundError):
        act(books)
    assert books.accounting.holdings() == before
    assert acts(books) == []


# groups


def test_a_group_is_changed_with_its_members(books: Books) -> None:
    made = administration.create_group(books, ROOT, Group("lab", ("bob", "alice", "bob")))
    assert made == Group("lab", ("alice", "bob"))
    changed = administration.change_group(books, ROOT, "lab", ["charlie"], anything)
    assert changed == Group("lab", ("charlie",)) == books.accounting.group("lab")
    row = books.records.audit()[0]
    assert (row.before, row.after) == ({"members": ["alice", "bob"]}, {"members": ["charlie"]})
    with pytest.raises(PreconditionError):
        administration.change_group(books, ROOT, "lab", [], stale)
    assert books.accounting.group("lab") == changed


# applications


def test_an_application_is_judged_wherever_it_comes_from(books: Books) -> None:
    with pytest.raises(InvalidError) as refused:
        administration.create_application(books, ROOT, Application("", "a b", port=0))
    assert [one.field for one in refused.value.errors] == ["image", "port"]
    with pytest.raises(InvalidError):
        administration.change_application(books, ROOT, APPLICATION, {"colour": 1}, anything)


def test_an_application_is_changed_and_its_variables_are_not_written_down(books: Books) -> None:
    changes = {"port": 9000, "environment": {"KEY": "s3cret"}, "display_name": None}
    made = administration.change_application(books, ROOT, APPLICATION, changes, anything)
    assert (made.id, made.port, made.display_name) == (APPLICATION, 9000, "")
    row = books.records.audit()[0]
    assert (row.action, (row.after or {})["environment"]) == ("application-change", ["KEY"])
    assert "s3cret" not in str(row)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", ""),
        ("image", "a" * 256),
        ("image", None),
        ("display_name", "x" * 256),
        ("category", 7),
        ("description", "a\0b"),
        ("description", "\ud800"),
        ("port", True),
        ("port", 65536),
        ("command", "sh"),
        ("command", ["x"] * 101),
        ("command", ["x" * 40000]),
        ("command", [1]),
        ("environment", {"A": 1}),
        ("environment", {"A-B": "x"}),
        ("environment", {f"V{number}": "" for number in range(101)}),
        ("environment", {"A": "x" * 40000}),
        ("ready_path", "a\nb"),
        ("strip_path", "yes"),
        ("run_as", "admin"),
        ("colour", "red"),
    ],
)
def test_a_bad_field_of_an_application_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidError) as refused:
        applications.parse({"image": "desk", name: value})
    assert [one.field for one in refused.value.errors] == [name]


def test_what_is_so_anyway_may_be_said() -> None:
    said = {"image": "desk", "strip_path": False, "run_as": "user", "port": None}
    assert applications.parse(said) == Application("", "desk")


# grants


def test_a_grant_stores_the_volume_as_it_was_written(books: Books, root: Path) -> None:
    (root / "data").mkdir()
    (root / "link").symlink_to("data")
    volume = Volume(str(root / "link"), "/data", "ro")
    policy = Policy(volumes=(volume,), app_license="s3cret")
    made = administration.grant(books, ROOT, Grantee("everyone"), APPLICATION, policy)
    assert made.policy == policy
    row = books.records.audit()[0]
    assert (row.action, row.target) == ("grant", made.id)
    assert row.after == {
        "grantee": "everyone",
        "image": made.application.image,
        "policy": {"volumes": [str(volume)], "app_license": "***"},
    }


def test_every_volume_that_may_not_be_mounted_is_named(books: Books, root: Path) -> None:
    volumes = [Volume("/etc", "/a", "ro"), Volume(str(root / "none"), "/b", "rw")]
    policy = Policy(volumes=tuple(volumes))
    with pytest.raises(InvalidError) as refused:
        administration.grant(books, ROOT, Grantee("everyone"), APPLICATION, policy)
    said = [one.message.split()[0] for one in refused.value.errors]
    assert said == ["/etc", str(root / "none")]
    assert len(books.accounting.grants()) == 2


def test_a_grant_is_changed_where_it_is_named(books: Books) -> None:
    (own,) = books.accounting.grants_of("alice")
    fields = {"memory": "1g", "allow_home": None}
    made = administration.change_grant(books, ROOT, own.id, fields, anything)
    assert (made.id, made.policy) == (own.id, Policy(memory=2**30))
    row = books.records.audit()[0]
    assert (row.before or {})["policy"] == {"allow_home": True}
    assert (row.after or {})["policy"] == {"memory": 2**30}
    for bad, error in (({"volumes": ["/etc:/a:ro"]}, InvalidError), ({"x": 1}, InvalidError)):
        with pytest.raises(error):
            administration.change_grant(books, ROOT, own.id, bad, anything)
    with pytest.raises(PreconditionError):
        administration.change_grant(books, ROOT, own.id, {"memory": "2g"}, stale)
    assert books.accounting.grant(own.id) == made


def test_grants_are_taken_back_all_of_them_or_none(books: Books) -> None:
    ids = [one.id for one in books.accounting.grants()]
    with pytest.raises(NotFoundError):
        administration.revoke(books, ROOT, [*ids, "0" * 32], keep_running=True)
    assert len(books.accounting.grants()) == 2
    assert books.records.kept_running() == frozenset()
    assert administration.revoke(books, ROOT, [*ids, ids[0]], keep_running=True) == 2
    assert books.accounting.grants() == []
    assert books.records.kept_running() == {f"grant:{one}" for one in ids}
    assert sorted(acts(books)) == sorted(("revoke", one) for one in ids)


# announcements


def test_what_is_announced_is_told_and_taken_back(books: Books) -> None:
    said = Announcement("Down at noon.", books.clock())
    administration.announce(books, CLERK, said)
    assert books.records.announcement() == said
    administration.announce(books, CLERK, None)
    assert books.records.announcement() is None
    row = books.records.audit()[0]
    assert ((row.before or {})["text"], row.after) == ("Down at noon.", None)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001, "a\0b"])
def test_an_announcement_has_words(books: Books, text: str) -> None:
    with pytest.raises(InvalidError):
        administration.announce(books, CLERK, Announcement(text))
    assert books.records.announcement() is None


# an end at every step


def test_a_creation_that_dies_at_any_step_leaves_a_whole_user_or_none(books: Books) -> None:
    for calls in range(40):
        new = User(f"user{calls}", "virtual")
        if not dies(
            books,
            calls,
            lambda dying: administration.create_user(dying, ROOT, new, "password 1"),  # noqa: B023 - called before the next round
        ):
            break
        if books.accounting.user(new.name):
            assert books.records.password(new.name) is not None
        else:
            administration.create_user(books, ROOT, new, None)
            assert books.records.password(new.name) is None
    assert calls > 5


def test_a_removal_that_dies_at_any_step_leaves_nothing_to_the_next(books: Books) -> None:
    for calls in range(40):
        name = f"user{calls}"
        administration.create_user(books, ROOT, User(name, "virtual"), "password 1")
        sign_in(books, name)
        if not dies(books, calls, lambda dying: remove(dying, ROOT, name, home="delete")):  # noqa: B023 - called before the next round
            break
        asked = {one.user for one in books.records.home_tasks()}
        if books.accounting.user(name):
            remove(books, ROOT, name)  # and its home stays, whatever was asked before
            assert name not in {one.user for one in books.records.home_tasks()}
        else:
            assert name in asked
        assert not is_signed_in(books, name)
        assert books.records.password(name) is None
    assert calls > 8


def test_nobody_takes_over_an_account_that_may_do_more_than_they(books: Books) -> None:
    administration.create_user(books, CLERK, User("fred", "virtual"), "password 1")
    before = books.records.password("fred")
    with pytest.raises(ForbiddenError):
        change(books, CLERK, "fred", password="password 2")
    assert books.records.password("fred") == before
    change(books, ROOT, "fred", password="password 2")
    assert books.records.password("fred") != before
