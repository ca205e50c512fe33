"""The pages of administration as a browser without scripts sees and sends them."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import grant_of, until
from web.conftest import token_of

from control_plane import sessions
from control_plane.adapters.accounting_csv import COLUMNS, csv_accounting
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, Group, SignIn, User
from control_plane.domain.ports import Plane

HOUR = timedelta(hours=1)
ORIGIN = {"Origin": "https://portal.test"}


def test_users_are_listed_searched_and_sorted(admin: TestClient, plane: Plane) -> None:
    names = [one.name for one in plane.accounting.users()]
    assert listed(admin, "/admin/users") == sorted(names)
    assert listed(admin, "/admin/users?sort=-name") == sorted(names, reverse=True)
    assert listed(admin, "/admin/users?q=ADM") == ["admin"]


def test_a_user_is_created_changed_and_removed_without_scripts(
    admin: TestClient, plane: Plane
) -> None:
    form = {"name": "zoe", "kind": "virtual", "password": "a long password", "groups": ""}
    answer = admin.post("/admin/users/new", data=form)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/admin/users/zoe?done=created",
    )
    page = admin.get("/admin/users/zoe").text
    form = changed(page, admin="on")
    assert admin.post("/admin/users/zoe", data=form).status_code == 303
    zoe = plane.accounting.user("zoe")
    assert zoe
    assert (zoe.admin, zoe.enabled) == (True, True)
    again = admin.post("/admin/users/zoe", data=form)
    assert again.status_code == 422
    assert "It was changed since you looked at it." in again.text
    assert "0 sessions that run" in admin.get("/admin/users/zoe/remove").text
    assert admin.post("/admin/users/zoe/remove", data={"home": "keep"}).status_code == 303
    assert plane.accounting.user("zoe") is None


def test_users_are_filtered_by_kind_role_sign_in_and_group(admin: TestClient, plane: Plane) -> None:
    plane.accounting.add_group(Group("filtered", ("bob",)))
    plane.accounting.add_user(User("dora", "system", enabled=False))
    assert listed(admin, "/admin/users?kind=system") == ["dora"]
    assert listed(admin, "/admin/users?role=admin") == ["admin"]
    assert listed(admin, "/admin/users?state=disabled") == ["dora"]
    assert listed(admin, "/admin/users?group=filtered&role=user") == ["bob"]
    assert listed(admin, "/admin/users?group=filtered&role=admin") == []


def test_a_password_that_is_made_here_is_shown_once_and_works(
    admin: TestClient, plane: Plane
) -> None:
    plane.accounting.add_group(Group("newcomers", ()))
    form = {"name": "yan", "kind": "virtual", "password": "", "groups": "newcomers"}
    assert 'name="groups" value="newcomers"' in admin.get("/admin/users/new").text
    first = shown_password(admin.post("/admin/users/new", data=form).text)
    second = shown_password(admin.post("/admin/users/yan/password", data={"password": ""}).text)
    assert first != second
    digest = plane.records.password("yan")
    assert plane.passwords.verify(digest, second)
    assert not plane.passwords.verify(digest, first)
    assert second not in admin.get("/admin/users/yan").text
    typed = admin.post("/admin/users/yan/password", data={"password": "a long password"})
    assert typed.headers["location"] == "/admin/users/yan?done=password"
    short = admin.post("/admin/users/yan/password", data={"password": "short"})
    assert short.status_code == 422
    assert "must have 8 to 1024 characters" in short.text


@pytest.mark.parametrize("way", ["page", "api"])
def test_whoever_gets_a_password_is_cut_off_from_what_is_open(
    admin: TestClient, plane: Plane, alice: Caller, way: str
) -> None:
    opened = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[opened.id].ready_at)
    before = plane.access.sessions[opened.id].address
    password = {"password": "a long password"}
    if way == "page":
        assert admin.post("/admin/users/alice/password", data=password).status_code == 303
    else:
        token = {"Authorization": f"Bearer {token_of(plane, 'admin', *SCOPES)}"}
        answer = admin.patch("/api/v1/admin/users/alice", json=password, headers=token)
        assert answer.status_code == 200
    until(lambda: plane.access.sessions[opened.id].address not in ("", before))


def test_whoever_is_disabled_is_told_of_before_and_may_be_enabled_again(
    admin: TestClient, plane: Plane
) -> None:
    now = plane.clock()
    plane.records.add_signin(SignIn("5" * 64, "bob", "user", now, now + HOUR))
    page = admin.get("/admin/users/bob/disable").text
    assert "Disable bob?" in page
    assert "1 sign-in of a browser" in page
    assert admin.post("/admin/users/bob/disable", data={}).status_code == 303
    bob = plane.accounting.user("bob")
    assert bob
    assert not bob.enabled
    assert [one.user for one in plane.records.signins(plane.clock())] == ["admin"]
    assert 'action="/admin/users/bob/enable"' in admin.get("/admin/users/bob").text
    assert admin.post("/admin/users/bob/enable").status_code == 303
    assert bob != plane.accounting.user("bob")
    assert admin.post("/admin/users/nobody/enable").status_code == 404
    assert admin.get("/admin/users/nobody/disable").status_code == 404


def shown_password(page: str) -> str:
    found = re.search(r'<pre class="secret"[^>]*>([^<]+)</pre>', page)
    assert found
    return found[1]


def test_a_refused_form_keeps_what_was_typed_and_complains_at_the_field(admin: TestClient) -> None:
    form = {"name": "Zoe!", "kind": "virtual", "password": "short", "groups": "lab"}
    answer = admin.post("/admin/users/new", data=form)
    assert answer.status_code == 422
    assert 'value="Zoe!"' in answer.text
    assert 'id="field-password" name="password" type="password"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "short" not in answer.text


def listed(admin: TestClient, address: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', admin.get(address).text)


def test_a_group_is_created_changed_and_removed_without_scripts(
    admin: TestClient, plane: Plane
) -> None:
    form = {"name": "lab", "members": "alice\r\nbob\r\n"}
    assert admin.post("/admin/groups/new", data=form).status_code == 303
    page = admin.get("/admin/groups/lab").text
    assert ticked(page, "members") == ["alice", "bob"]
    refused = admin.post("/admin/groups/lab", data=changed(page, members="alice\nnobody"))
    assert refused.status_code == 422
    assert ticked(refused.text, "members") == ["alice", "nobody"]
    assert admin.post("/admin/groups/lab", data=changed(page, members="charlie")).status_code == 303
    assert listed(admin, "/admin/groups?q=charlie") == ["lab"]
    assert "0 grants to the group" in admin.get("/admin/groups/lab/remove").text
    assert admin.post("/admin/groups/lab/remove").status_code == 303
    assert list(plane.accounting.groups()) == []


def test_many_to_choose_from_are_typed(admin: TestClient, plane: Plane) -> None:
    for number in range(40):
        plane.accounting.add_user(User(f"many{number}", "virtual", uid=71000 + number, gid=71000))
    plane.accounting.add_group(Group("large", ("alice", "bob")))
    assert ">alice\nbob</textarea>" in admin.get("/admin/groups/large").text


def test_an_announcement_is_looked_at_before_anybody_else_sees_it(admin: TestClient) -> None:
    told = {"text": "Soon: <b>rest</b>", "until": "2999-01-01T12:00", "preview": "on"}
    page = admin.post("/admin/announcement", data=told).text
    assert '<p class="notice announcement">Soon: &lt;b&gt;rest&lt;/b&gt;</p>' in page
    assert 'value="2999-01-01T12:00"' in page
    assert "Soon" not in admin.get("/").text


def test_the_audit_log_is_searched_by_its_words_and_days(admin: TestClient) -> None:
    admin.post("/admin/groups/new", data={"name": "lab", "members": ""})
    row = '<th scope="row"><a href="?actor=admin">admin'
    assert row in admin.get("/admin/audit?action=group-create&target=lab").text
    assert row in admin.get("/admin/audit?q=CREATE+lab").text
    for nothing in ("action=group-remove", "q=nothing", "since=2999-01-01", "until=1999-01-01"):
        assert row not in admin.get(f"/admin/audit?{nothing}").text
    assert row in admin.get("/admin/audit?since=yesterday").text


def test_everyone_is_told_something_until_it_is_taken_back(admin: TestClient) -> None:
    refused = admin.post("/admin/announcement", data={"text": "Soon.", "until": "tomorrow"})
    assert refused.status_code == 422
    assert "must be a day and a time in the future" in refused.text
    told = {"text": "The disks are exchanged <tonight>.", "until": "2999-01-01T12:00"}
    assert admin.post("/admin/announcement", data=told).status_code == 303
    page = admin.get("/admin/announcement").text
    assert 'type="datetime-local"' in page
    assert "2999-01-01 12:00 UTC" in page
    assert "The disks are exchanged &lt;tonight&gt;." in admin.get("/").text
    assert admin.post("/admin/announcement", data={"text": ""}).status_code == 303
    assert "The disks" not in admin.get("/").text


def ticked(page: str, name: str) -> list[str]:
    """Return the boxes of that name that are ticked."""
    return re.findall(rf'type="checkbox" name="{name}" value="([^"]*)" checked', page)


def test_on_a_store_that_is_only_read_the_pages_say_so_and_offer_nothing(
    plane: Plane, tmp_path: Path
) -> None:
    file = tmp_path / "accounting.csv"
    file.write_text(f"{','.join(COLUMNS)}\nadmin,hello,,1,1,0,,,,0\n")
    accounting = csv_accounting(file, lambda _: 71000, lambda _: False)
    plane.records.set_password("admin", plane.passwords.hash("admin's password"))
    on_file = portal_of(replace(plane, accounting=accounting))
    with TestClient(on_file, base_url="https://portal.test", follow_redirects=False) as client:
        form = {"name": "admin", "password": "admin's password", "next": "/"}
        assert client.post("/login", data=form, headers=ORIGIN).status_code == 303
        for path in ("users", "users/new", "users/admin", "groups", "groups/new"):
            page = client.get(f"/admin/{path}").text.partition("<main")[2]
            assert "are kept in a place that is only read here" in page, path
            assert re.findall(r'href="[^"]*/new|class="button (?:primary|danger)', page) == [], path
        form = {"name": "yan", "kind": "virtual", "password": "", "groups": ""}
        refused = client.post("/admin/users/new", data=form, headers=ORIGIN)
        assert refused.status_code == 422
    assert [one.name for one in accounting.users()] == ["admin"]


def changed(page: str, **fields: str) -> dict[str, str]:
    """Return what a browser sends that changed these fields on a page."""
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    return {"version": html.unescape(version[1]), **fields}
