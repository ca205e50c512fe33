"""Who someone is by each source: PAM, a password, an account elsewhere, anything in a test."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from oidc.fake import ISSUER, FakeProvider
from usecases.conftest import Clock

from control_plane import administration, auth, catalogue, lifecycle, signing_in, throttle
from control_plane.domain.access import Caller
from control_plane.domain.entities import AuditRow, Group, Link, User
from control_plane.domain.ports import Plane
from control_plane.domain.providers import Account
from control_plane.domain.roles import Actor
from control_plane.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSignedInError,
    NotSupportedError,
    TooManyError,
    UnavailableError,
)

HERE = "192.0.2.1"
WINDOW = throttle.WINDOW


@dataclass
class ReadOnly:
    """Accounting that is another one, but takes no write."""

    other: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("add_", "change_", "remove_", "reserve_", "rewrite")):
            raise NotSupportedError("This accounting is read only.")
        return getattr(self.other, name)


@pytest.fixture
def elsewhere() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def plane(plane: Plane, elsewhere: FakeProvider) -> Plane:
    """The plane, with every source but `world`."""
    site = replace(plane.site, methods=("pam", "virtual", "oidc"))
    made = replace(plane, site=site, providers={"oidc": elsewhere})
    lifecycle.load(made)
    return made


def making(plane: Plane, **more: Any) -> Plane:
    """Return the plane with `auto_create_users`, and what else is set in its site."""
    return replace(plane, site=replace(plane.site, auto_create_users=True, **more))


def account(name: str, subject: str = "", groups: tuple[str, ...] | None = None) -> Account:
    return Account(ISSUER, subject or f"subject of {name}", name, groups)


def returned(plane: Plane, found: Account, **changes: Any) -> signing_in.Return:
    """Return with what a browser comes back that went to sign in with an account."""
    provider: Any = plane.providers["oidc"]
    address, kept = signing_in.set_out(plane, "oidc", "/sessions/x")
    provider.accounts["a code"] = found
    state = address.partition("state=")[2]
    return replace(signing_in.Return("oidc", kept, state, "a code", HERE), **changes)


def come_back(plane: Plane, found: Account) -> str:
    """Sign in with an account; return the cookie."""
    cookie, wanted = auth.sign_in_from_elsewhere(plane, returned(plane, found))
    assert wanted == "/sessions/x"
    return cookie


def user_of(plane: Plane, cookie: str) -> User | None:
    found = auth.by_cookie(plane, cookie)
    return found.user if found else None


def sign_in(plane: Plane, name: str, password: str) -> str:
    return auth.sign_in(plane, auth.Proof(name, password, HERE))


def acts(plane: Plane, action: str) -> list[AuditRow]:
    return list(plane.records.audit(action=action))


# the user's kind decides


def test_a_virtual_user_never_signs_in_through_pam_nor_a_system_user_with_a_password_here(
    plane: Plane,
) -> None:
    plane.accounting.add_user(User("dora", "virtual", uid=70009, gid=70009))
    with pytest.raises(NotSignedInError):
        sign_in(plane, "dora", "dora's password")
    plane.accounting.change_user("alice", lambda user: replace(user, kind="system"))
    with pytest.raises(NotSignedInError):
        sign_in(plane, "alice", "alice's password")


@pytest.mark.parametrize(("methods", "name"), [(("pam",), "alice"), (("virtual",), "dora")])
def test_a_source_that_is_off_lets_nobody_in(
    plane: Plane, methods: tuple[str, ...], name: str
) -> None:
    off = replace(plane, site=replace(plane.site, methods=methods))
    with pytest.raises(NotSignedInError):
        sign_in(off, name, f"{name}'s password")


def test_a_source_that_is_switched_off_ends_its_sign_ins(plane: Plane) -> None:
    cookie = sign_in(plane, "alice", "alice's password")
    off = replace(plane, site=replace(plane.site, methods=("pam",)))
    assert user_of(plane, cookie)
    assert user_of(off, cookie) is None


def test_the_audit_log_says_by_which_source_and_whom_nobody_let_in(plane: Plane) -> None:
    sign_in(plane, "dora", "dora's password")
    come_back(plane, account("erin"))
    for name in ("alice", "a password in the wrong field"):
        with pytest.raises(NotSignedInError):
            sign_in(plane, name, "wrong")
    assert [(row.actor, row.detail) for row in acts(plane, "sign-in")] == [
        ("erin", "oidc"),
        ("dora", "pam"),
    ]
    assert [(row.target, row.address) for row in acts(plane, "sign-in-refused")] == [
        ("", HERE),
        ("alice", HERE),
    ]


@pytest.mark.parametrize("name", ["x" * 256, "alice\0", "\ud800"])
def test_a_name_that_no_database_can_hold_is_refused_as_any_other(plane: Plane, name: str) -> None:
    with pytest.raises(NotSignedInError, match="do not match"):
        sign_in(plane, name, "alice's password")
    assert plane.records.attempts("", HERE, plane.clock() - WINDOW) == (0, 0)


def test_attempts_that_are_throttled_are_not_written_down(plane: Plane) -> None:
    for _ in range(throttle.PAIR_ATTEMPTS + 5):
        with pytest.raises((NotSignedInError, TooManyError)):
            sign_in(plane, "alice", "wrong")
    assert len(acts(plane, "sign-in-refused")) == throttle.PAIR_ATTEMPTS


# world


@pytest.fixture
def world(plane: Plane) -> Plane:
    return replace(plane, site=replace(plane.site, methods=("pam", "virtual", "oidc", "world")))


def test_world_lets_anyone_in_by_any_name_and_password(world: Plane) -> None:
    found = user_of(world, sign_in(world, "Anyone", ""))
    assert found == User("anyone", "virtual")
    made = user_of(making(world), sign_in(making(world), "zoe", "x"))
    assert made
    assert (made.kind, made.uid is not None) == ("virtual", True)
    assert user_of(world, sign_in(world, "zoe", "something else")) == made


@pytest.mark.parametrize("name", ["alice", "dora", "root", "../x", ""])
def test_world_lets_nobody_in_whom_another_source_vouches_for(world: Plane, name: str) -> None:
    with pytest.raises(NotSignedInError):
        sign_in(making(world), name, "anything")


def test_world_lets_nobody_into_an_account_of_a_provider(world: Plane) -> None:
    come_back(making(world), account("erin"))
    with pytest.raises(NotSignedInError):
        sign_in(making(world), "erin", "anything")


# a provider: whose account that is


def test_a_first_sign_in_makes_a_user_where_the_settings_say_so(plane: Plane) -> None:
    found = user_of(plane, come_back(making(plane), account("Erin.B@Example.org")))
    assert found == plane.accounting.user("erin.b@example.org")
    assert found
    assert (found.kind, found.uid, found.gid) == ("virtual", found.gid, found.uid)
    assert plane.site.virtual_uids[0] <= (found.uid or 0) <= plane.site.virtual_uids[1]
    assert [(row.actor, row.target) for row in acts(plane, "user-create")] == [
        ("auto_create_users", "erin.b@example.org")
    ]


def test_an_account_stays_ones_own_when_its_name_changes_there(plane: Plane) -> None:
    first = user_of(plane, come_back(making(plane), account("erin", "1")))
    again = user_of(plane, come_back(making(plane), account("frank", "1")))
    assert first
    assert again == first
    assert plane.accounting.user("frank") is None


def test_whoever_gets_a_name_there_later_does_not_get_the_account_here(plane: Plane) -> None:
    come_back(making(plane), account("erin", "1"))
    with pytest.raises(ConflictError, match="belongs to another account"):
        come_back(making(plane), account("erin", "2"))


@pytest.mark.parametrize("name", ["alice", "dora", "ALICE"])
def test_a_name_that_is_somebodys_here_is_refused(plane: Plane, name: str) -> None:
    with pytest.raises(ConflictError, match="belongs to another account"):
        come_back(making(plane), account(name))
    assert user_of(plane, sign_in(plane, "alice", "alice's password"))
    assert len(acts(plane, "sign-in-refused")) == 1


@pytest.mark.parametrize(
    "name", ["", "../x", "a b", "-x", "é", "x" * 65, "root\n", "1st", "\u212aate"]
)
def test_a_name_that_does_not_fit_is_refused(plane: Plane, name: str) -> None:
    with pytest.raises(ForbiddenError, match="cannot be used here"):
        come_back(making(plane), account(name, "1"))


def test_a_user_made_in_advance_waits_for_the_first_of_that_name(plane: Plane) -> None:
    made = administration.create_user(plane.books, Actor("root"), User("erin", "virtual"), None)
    assert user_of(plane, come_back(plane, account("erin", "1"))) == made
    with pytest.raises(ConflictError):
        come_back(plane, account("erin", "2"))


def test_an_administrators_name_is_taken_by_nobody_from_elsewhere(plane: Plane) -> None:
    with pytest.raises(ForbiddenError, match="administrator"):
        come_back(making(plane), account("admin"))
    administration.create_user(plane.books, Actor("root"), User("admin", "virtual"), None)
    found = user_of(plane, come_back(plane, account("admin")))
    assert found
    assert found.admin


def test_a_disabled_user_is_told_so(plane: Plane) -> None:
    come_back(making(plane), account("erin"))
    plane.accounting.change_user("erin", lambda user: replace(user, enabled=False))
    with pytest.raises(ForbiddenError, match="disabled"):
        come_back(plane, account("erin"))


def test_a_user_of_a_provider_never_signs_in_with_a_password(plane: Plane) -> None:
    me = auth.by_cookie(plane, come_back(making(plane), account("erin")))
    assert me
    plane.records.set_password("erin", plane.passwords.hash("erin's password"))
    with pytest.raises(NotSignedInError):
        sign_in(plane, "erin", "erin's password")
    with pytest.raises(ConflictError, match="no password here"):
        auth.change_password(plane, me, "erin's password", "another one", HERE)


def test_a_removed_users_account_elsewhere_is_a_newcomers(plane: Plane) -> None:
    first = user_of(plane, come_back(making(plane), account("erin", "1")))
    administration.remove_user(
        plane.books, Actor("root"), "erin", home=None, keep_running=False, dry_run=False
    )
    lifecycle.refresh(plane)
    second = user_of(plane, come_back(making(plane), account("erin", "2")))
    assert first
    assert second
    assert first.uid != second.uid


def test_a_user_who_vanished_from_accounting_alone_is_made_anew_and_stays_linked(
    plane: Plane,
) -> None:
    come_back(making(plane), account("erin", "1"))
    plane.accounting.remove_user("erin")
    come_back(making(plane), account("frank", "1"))
    assert plane.accounting.user("erin")
    assert plane.records.link(ISSUER, "1") == Link(ISSUER, "1", "erin")


# a provider: strangers


def test_a_stranger_sees_an_empty_catalogue_and_gets_no_token(plane: Plane) -> None:
    me = auth.by_cookie(plane, come_back(plane, account("erin")))
    assert me
    assert me.user == User("erin", "virtual")
    assert catalogue.entries(plane, me.user) == []
    assert plane.accounting.user("erin") is None
    with pytest.raises(ForbiddenError, match="users of this portal"):
        auth.issue_token(plane, me, "x", ["sessions:read"], timedelta(days=1))
    with pytest.raises(ConflictError, match="not a user of this portal"):
        auth.person_of(plane, me.user)


def test_a_strangers_sign_in_never_becomes_that_of_a_user_of_the_name(plane: Plane) -> None:
    cookie = come_back(plane, account("erin", "1"))
    administration.create_user(
        plane.books, Actor("root"), User("erin", "virtual"), "erin's password"
    )
    lifecycle.refresh(plane)
    assert auth.by_cookie(plane, cookie) is None
    with pytest.raises(ConflictError):
        come_back(plane, account("erin", "1"))


def test_a_stranger_is_nobody_on_the_host_however_it_comes_to_know_the_name(plane: Plane) -> None:
    cookie = come_back(plane, account("erin"))
    host: Any = plane.host
    host.people["erin"] = replace(host.people["dora"], name="erin", uid=1002, gid=1002)
    found = user_of(plane, cookie)
    assert found
    with pytest.raises(ConflictError):
        auth.person_of(plane, found)
    with pytest.raises(ConflictError, match="belongs to another account"):
        come_back(plane, account("erin"))


def test_a_stranger_is_no_administrator_by_the_name(plane: Plane) -> None:
    cookie = come_back(plane, account("erin"))
    named = replace(plane, site=replace(plane.site, admins=frozenset({"erin"})))
    found = user_of(named, cookie)
    assert found
    assert not found.admin


def test_a_store_that_is_read_only_makes_strangers_and_keeps_its_groups(plane: Plane) -> None:
    fixed = making(replace(plane, accounting=ReadOnly(plane.accounting)))
    assert user_of(fixed, come_back(fixed, account("erin"))) == User("erin", "virtual")
    plane.accounting.add_group(Group("lab"))
    plane.accounting.add_user(User("frank", "virtual", uid=70010, gid=70010))
    found = user_of(fixed, come_back(fixed, account("frank", "2", ("lab",))))
    assert found
    assert found.groups == ()


# PAM


def test_someone_whom_pam_lets_in_becomes_a_user_where_the_settings_say_so(plane: Plane) -> None:
    assert user_of(plane, sign_in(plane, "dora", "dora's password")) == User("dora", "system")
    assert plane.accounting.user("dora") is None
    sign_in(making(plane), "dora", "dora's password")
    assert plane.accounting.user("dora") == User("dora", "system")
    assert user_of(plane, sign_in(plane, "dora", "dora's password")) == User("dora", "system")


def test_a_read_only_store_lets_people_of_the_host_in_all_the_same(plane: Plane) -> None:
    fixed = making(replace(plane, accounting=ReadOnly(plane.accounting)))
    assert user_of(fixed, sign_in(fixed, "dora", "dora's password")) == User("dora", "system")


# a provider: the way there and back


@pytest.mark.parametrize(
    "changes", [{"state": "x"}, {"kept": "x"}, {"kept": ""}, {"state": ""}, {"source": "github"}]
)
def test_a_return_that_this_browser_did_not_set_out_for_is_refused(
    plane: Plane, changes: Mapping[str, Any]
) -> None:
    odd = returned(plane, account("erin"), **changes)
    with pytest.raises(NotSignedInError, match="not begun in this browser"):
        auth.sign_in_from_elsewhere(plane, odd)


def test_what_another_browser_took_along_does_not_fit(plane: Plane) -> None:
    mine, theirs = returned(plane, account("erin")), returned(plane, account("frank"))
    with pytest.raises(NotSignedInError):
        auth.sign_in_from_elsewhere(plane, replace(mine, kept=theirs.kept))


def test_a_return_comes_too_late(plane: Plane, clock: Clock) -> None:
    late = returned(plane, account("erin"))
    clock.ahead = signing_in.ASKING_LIFE + timedelta(seconds=1)
    with pytest.raises(NotSignedInError):
        auth.sign_in_from_elsewhere(plane, late)


def test_a_code_signs_in_once(plane: Plane) -> None:
    once = returned(plane, account("erin"))
    auth.sign_in_from_elsewhere(plane, once)
    with pytest.raises(NotSignedInError):
        auth.sign_in_from_elsewhere(plane, once)


def test_returns_from_one_address_are_throttled(plane: Plane, clock: Clock) -> None:
    for number in range(throttle.ADDRESS_ATTEMPTS):
        plane.records.add_attempt(f"name{number}", HERE, clock())
    with pytest.raises(TooManyError):
        come_back(plane, account("erin"))


def test_a_provider_that_is_away_or_unknown_is_an_error_of_its_own(
    plane: Plane, elsewhere: FakeProvider
) -> None:
    with pytest.raises(NotFoundError):
        signing_in.set_out(plane, "github", "/")
    elsewhere.away = True
    with pytest.raises(UnavailableError):
        signing_in.set_out(plane, "oidc", "/")
    assert user_of(plane, sign_in(plane, "alice", "alice's password"))


# groups


def test_groups_follow_the_account_as_far_as_they_exist_here(plane: Plane) -> None:
    for name in ("lab", "school"):
        plane.accounting.add_group(Group(name))
    come_back(making(plane), account("erin", groups=("lab", "unknown")))
    assert groups_of(plane, "erin") == ("lab",)
    come_back(plane, account("erin"))
    assert groups_of(plane, "erin") == ("lab",)
    come_back(plane, account("erin", groups=("school",)))
    assert groups_of(plane, "erin") == ("school",)
    come_back(plane, account("erin", groups=()))
    assert groups_of(plane, "erin") == ()


def groups_of(plane: Plane, name: str) -> tuple[str, ...]:
    found = plane.accounting.user(name)
    assert found
    return found.groups


# the allow list


def test_a_name_off_the_list_is_out_by_the_next_request_whatever_let_it_in(plane: Plane) -> None:
    allowed = {"alice", "dora", "erin"}
    listed = making(replace(plane, admits=allowed.__contains__))
    cookies = {
        "alice": sign_in(listed, "alice", "alice's password"),
        "dora": sign_in(listed, "dora", "dora's password"),
        "erin": come_back(listed, account("erin")),
    }
    alice = auth.by_cookie(listed, cookies["alice"])
    assert alice
    _, token = auth.issue_token(listed, alice, "x", ["sessions:read"], timedelta(days=1))
    assert {name: bool(user_of(listed, one)) for name, one in cookies.items()} == {
        "alice": True,
        "dora": True,
        "erin": True,
    }
    allowed.clear()
    assert [user_of(listed, one) for one in cookies.values()] == [None, None, None]
    assert auth.by_token(listed, token) is None
    assert not auth.still_in(listed, alice)


def test_nobody_off_the_list_gets_a_row_or_in(plane: Plane) -> None:
    closed = making(replace(plane, admits=lambda _: False))
    for name in ("alice", "dora"):
        with pytest.raises(NotSignedInError, match=r"^Name and password do not match\.$"):
            sign_in(closed, name, f"{name}'s password")
    with pytest.raises(ForbiddenError, match="may not sign in here"):
        come_back(closed, account("erin"))
    assert plane.accounting.user("dora") is None
    assert plane.accounting.user("erin") is None


def test_a_caller_is_in_as_long_as_the_sign_in_or_the_token_holds(
    plane: Plane, alice: Caller
) -> None:
    token, value = auth.issue_token(plane, alice, "x", ["sessions:read"], timedelta(days=1))
    by_token = auth.by_token(plane, value)
    by_cookie = auth.by_cookie(plane, come_back(plane, account("erin")))
    assert by_token
    assert by_cookie
    assert auth.still_in(plane, by_token)
    assert auth.still_in(plane, by_cookie)
    auth.revoke_token(plane, alice.user, token.id)
    auth.sign_out(plane, by_cookie.signin_id)
    assert not auth.still_in(plane, by_token)
    assert not auth.still_in(plane, by_cookie)
