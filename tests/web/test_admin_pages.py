"""The pages of administration as a browser without scripts sees and sends them."""

import html
import re
from collections.abc import Iterator

import pytest
from served import portal_of
from starlette.testclient import TestClient

from control_plane.domain.entities import User
from control_plane.domain.ports import Plane

ORIGIN = {"Origin": "https://portal.test"}


@pytest.fixture
def admin(plane: Plane) -> Iterator[TestClient]:
    """A browser in which an administrator is signed in."""
    plane.accounting.add_user(User("admin", "virtual", admin=True, uid=79999, gid=79999))
    plane.records.set_password("admin", plane.passwords.hash("admin's password"))
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        form = {"name": "admin", "password": "admin's password", "next": "/"}
        assert client.post("/login", data=form, headers=ORIGIN).status_code == 303
        client.headers.update(ORIGIN)
        yield client


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
    form = changed(page, admin="on", groups="")
    assert admin.post("/admin/users/zoe", data=form).status_code == 303
    zoe = plane.accounting.user("zoe")
    assert zoe
    assert (zoe.admin, zoe.enabled) == (True, False)
    again = admin.post("/admin/users/zoe", data=form)
    assert again.status_code == 422
    assert "It was changed since you looked at it." in again.text
    assert "0 sessions that run" in admin.get("/admin/users/zoe/remove").text
    assert admin.post("/admin/users/zoe/remove", data={"home": "keep"}).status_code == 303
    assert plane.accounting.user("zoe") is None


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
    assert ">alice\nbob</textarea>" in page
    refused = admin.post("/admin/groups/lab", data=changed(page, members="alice\nnobody"))
    assert refused.status_code == 422
    assert ">alice\nnobody</textarea>" in refused.text
    assert admin.post("/admin/groups/lab", data=changed(page, members="charlie")).status_code == 303
    assert listed(admin, "/admin/groups?q=charlie") == ["lab"]
    assert "0 grants to the group" in admin.get("/admin/groups/lab/remove").text
    assert admin.post("/admin/groups/lab/remove").status_code == 303
    assert list(plane.accounting.groups()) == []


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
    told = {"text": "The disks are exchanged <tonight>.", "until": "2999-01-01 12:00"}
    assert admin.post("/admin/announcement", data=told).status_code == 303
    assert "The disks are exchanged &lt;tonight&gt;." in admin.get("/").text
    assert admin.post("/admin/announcement", data={"text": ""}).status_code == 303
    assert "The disks" not in admin.get("/").text


def changed(page: str, **fields: str) -> dict[str, str]:
    """Return what a browser sends that changed these fields on a page."""
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    return {"version": html.unescape(version[1]), **fields}
