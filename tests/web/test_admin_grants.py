"""Administration of grants as a browser without scripts sees and sends it."""

import html
import re
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, grant_of, until

from control_plane import lifecycle, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import (
    Application,
    Grantee,
    Group,
    Policy,
    State,
    Volume,
)
from control_plane.domain.ports import Plane

ORIGIN = {"Origin": "https://portal.test"}
SECOND = Application("b" * 32, "lab/second:1", "Second")
NEW = "/admin/grants/new"
NOTHING = {"users": "", "groups": "", "policy.share": "none"}


@pytest.fixture(autouse=True)
def more(plane: Plane) -> None:
    """A second application, and a group."""
    plane.accounting.add_application(SECOND)
    plane.accounting.add_group(Group("chemists", ("charlie",)))


def listed(admin: TestClient, query: str = "") -> list[tuple[str, str]]:
    """Return who has what, as the list says it."""
    page = admin.get(f"/admin/grants{query}").text
    rows = re.findall(r'<th scope="row">(.*?)</th>\s*<td[^>]*>(.*?)</td>', page, re.DOTALL)
    texts = [[re.sub("<[^>]*>", "", cell).strip() for cell in row] for row in rows]
    return [(html.unescape(who), html.unescape(what)) for who, what in texts]


def complaint(page: str, place: str) -> str:
    """Return what is said of a field."""
    told = re.search(rf'<p id="field-{place}-told"><span class="complaint">([^<]*)', page)
    return html.unescape(told[1]) if told else ""


def sent(page: str, **fields: str) -> dict[str, str]:
    """Return what a browser sends that changed these fields of a policy on a page."""
    part = page[page.index('<form class="card form"') :]
    boxes = re.findall(r'type="checkbox" id="[^"]*" name="([^"]+)" value="on" checked', part)
    found = re.findall(r'<input [^>]*name="(policy[^"]+|version)"[^>]* value="([^"]*)"', part)
    texts = re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', part)
    selects = re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', part, re.DOTALL)
    old = {name: html.unescape(text) for name, text in [*found, *texts] if text != "on"}
    for name, options in selects:
        chosen = re.search(r'value="([^"]*)" selected', options)
        old[name] = chosen[1] if chosen else ""
    changed = {name if name == "forget_license" else f"policy.{name}": text
               for name, text in fields.items()}  # fmt: skip
    return old | dict.fromkeys(boxes, "on") | changed


def test_grants_are_listed_searched_sorted_and_filtered(admin: TestClient, plane: Plane) -> None:
    plane.accounting.add_grant(Grantee("group", "chemists"), SECOND.id, Policy())
    plane.accounting.add_grant(Grantee("everyone"), SECOND.id, Policy(memory=2**31))
    named = [("alice", "Hello"), ("bob", "Hello")]
    chemists, everyone = ("The group chemists", "Second"), ("Everyone", "Second")
    assert sorted(listed(admin)) == sorted([*named, chemists, everyone])
    assert listed(admin, "?sort=grantee") == [everyone, chemists, *named]
    assert listed(admin, "?q=ALI") == named[:1]
    assert sorted(listed(admin, "?user=charlie")) == [everyone, chemists]
    assert listed(admin, "?group=chemists") == [chemists]
    assert listed(admin, "?everyone=1") == [everyone]
    assert listed(admin, f"?application={APPLICATION}") == named
    assert listed(admin, f"?application={HELLO}&user=bob") == named[1:]
    assert listed(admin, "?user=nobody") == []
    page = admin.get("/admin/grants?everyone=1").text
    assert "2 GiB of memory." in page
    assert "This machine does not have its image." in page


def test_several_applications_are_granted_to_several_at_once(
    admin: TestClient, plane: Plane, root: Path
) -> None:
    page = admin.get(f"{NEW}?application={SECOND.id}&user=bob&group=chemists").text
    assert f'value="{SECOND.id}" checked' in page
    assert ">bob</textarea>" in page
    assert 'name="groups" value="chemists" checked' in page
    assert "Such as 512m or 2g. As the site has it: 256 MiB." in page
    assert "As the site has it: no end." in page
    (root / "data").mkdir()
    policy = {
        "policy.allow_home": "on",
        "policy.volumes": f"{root}/data:/data:ro",
        "policy.allow_startup_data": "on",
        "policy.app_license": "27000@licences",
        "policy.share": "view",
        "policy.memory": "2g",
        "policy.cpus": "0.5",
        "policy.pids": "64",
        "policy.network": "none",
        "policy.max_sessions": "2",
        "policy.max_lifetime": "8h",
        "policy.legacy_home": "on",
    }
    whom = {"users": "alice\r\nbob\r\n", "groups": "chemists"}
    form = {"applications": [APPLICATION, SECOND.id], **whom, **policy}
    answer = admin.post(NEW, data=form)
    assert answer.headers["location"] == "/admin/grants?done=granted"
    wanted = Policy(
        allow_home=True,
        volumes=(Volume(f"{root}/data", "/data", "ro"),),
        allow_startup_data=True,
        app_license="27000@licences",
        share="view",
        memory=2 * 1024**3,
        cpus=0.5,
        pids=64,
        network="none",
        max_sessions=2,
        max_lifetime=8 * 3600,
        legacy_home=True,
    )
    made = [one for one in plane.accounting.grants() if one.policy == wanted]
    found = {(str(one.grantee), one.application.id) for one in made}
    those = ("user alice", "user bob", "group chemists")
    assert found == {(one, which) for one in those for which in (APPLICATION, SECOND.id)}
    again = admin.post(NEW, data={**form, "applications": [SECOND.id]})
    place = f"/admin/grants?application={SECOND.id}&done=present"
    assert again.headers["location"] == place
    assert "All of that was granted already." in admin.get(place).text


def test_what_is_refused_is_told_at_its_field_and_nothing_is_granted(
    admin: TestClient, plane: Plane
) -> None:
    before = plane.accounting.grants()
    form = {
        **NOTHING,
        "applications": [SECOND.id],
        "users": "charlie\nnobody\n",
        "groups": "none",
    }
    page = admin.post(NEW, data=form)
    assert page.status_code == 422
    assert complaint(page.text, "users") == "There is no user nobody."
    assert complaint(page.text, "groups") == "There is no group none."
    assert ">charlie\nnobody\n</textarea>" in page.text
    assert f'value="{SECOND.id}" checked' in page.text
    bad = {"policy.memory": "much", "policy.max_lifetime": "8 hours", "policy.pids": "0"}
    page = admin.post(NEW, data=form | {"users": "charlie", "groups": ""} | bad)
    assert complaint(page.text, "policy-memory").startswith("must be a number of bytes")
    assert complaint(page.text, "policy-max_lifetime").startswith("must be a time such as")
    assert complaint(page.text, "policy-pids").startswith("must be a whole number")
    assert "<details open>" in page.text
    page = admin.post(NEW, data=NOTHING)
    assert complaint(page.text, "applications") == "choose one at least"
    assert complaint(page.text, "users").startswith("name a user or a group")
    page = admin.post(NEW, data=form | {"users": "bob", "groups": "", "everyone": "on"})
    assert complaint(page.text, "everyone").startswith("goes alone")
    volume = {"policy.volumes": "/etc:/data:ro"}
    page = admin.post(NEW, data=form | {"users": "bob", "groups": ""} | volume)
    assert complaint(page.text, "policy-volumes")
    assert plane.accounting.grants() == before


def test_everyone_is_granted_an_application(admin: TestClient, plane: Plane) -> None:
    form = {**NOTHING, "applications": [SECOND.id], "everyone": "on"}
    place = f"/admin/grants?application={SECOND.id}&done=granted"
    assert admin.post(NEW, data=form).headers["location"] == place
    made = [one for one in plane.accounting.grants() if one.grantee == Grantee("everyone")]
    assert [(one.application, one.policy) for one in made] == [(SECOND, Policy())]


def test_without_an_application_there_is_nothing_to_grant_and_the_next_step_is_told(
    admin: TestClient, plane: Plane
) -> None:
    for one in plane.accounting.applications():
        plane.accounting.remove_application(one.id)
    for page in (admin.get(NEW).text, admin.get("/admin/grants").text):
        assert "There is no application yet." in page
        assert 'href="/admin/applications/new"' in page


def test_a_policy_is_changed_and_its_licence_is_never_shown(
    admin: TestClient, plane: Plane
) -> None:
    policy = Policy(allow_home=True, app_license="secret@host", memory=2**31, max_lifetime=5400)
    grant = plane.accounting.add_grant(Grantee("user", "charlie"), SECOND.id, policy)
    here = f"/admin/grants/{grant.id}"
    page = admin.get(here).text
    assert "secret@host" not in page
    assert 'name="policy.memory" type="text" maxlength="20" value="2g"' in page
    assert 'name="policy.max_lifetime" type="text" maxlength="20" value="90m"' in page
    form = sent(page, memory="", cpus="2", legacy_home="on")
    assert admin.post(here, data=form).headers["location"] == f"{here}?done=changed"
    wanted = Policy(
        allow_home=True, app_license="secret@host", cpus=2, max_lifetime=5400, legacy_home=True
    )
    changed = plane.accounting.grant(grant.id)
    assert changed
    assert changed.policy == wanted
    late = admin.post(here, data=form | {"policy.cpus": "3"})
    assert late.status_code == 422
    assert "It was changed since you looked at it." in late.text
    assert 'value="3"' in late.text
    page = admin.get(here).text
    assert "legacy_home: an image that starts as root" in page
    form = sent(page, forget_license="on")
    form.pop("policy.allow_home")
    assert admin.post(here, data=form).status_code == 303
    changed = plane.accounting.grant(grant.id)
    assert changed
    assert changed.policy == Policy(cpus=2, max_lifetime=5400, legacy_home=True)


def test_grants_are_revoked_after_all_that_ends_was_told(
    admin: TestClient, plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    running = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[running.id].state is State.READY)
    ids = [grant_of(plane, name) for name in ("alice", "bob")]
    page = admin.get(f"/admin/grants/revoke?id={ids[0]}&id={ids[1]}&id={'f' * 32}").text
    assert "Revoke 2 grants?" in page
    assert "1 that you chose is not there any more." in page
    assert "Hello \u2013 bob" in page
    assert "1 session that runs by it" in page
    answer = admin.post("/admin/grants/revoke", data={"id": ids, "keep_running": "on"})
    assert answer.headers["location"] == "/admin/grants?done=removed"
    assert plane.accounting.grants() == []
    until(lambda: plane.access.sessions[running.id].cut_off)
    late = admin.post("/admin/grants/revoke", data={"id": ids})
    assert late.status_code == 422
    assert "No grant was chosen." in late.text
    lifecycle.refresh(plane)
    assert engine.found


def test_a_grant_that_is_not_there_is_not_found(admin: TestClient) -> None:
    assert admin.get(f"/admin/grants/{'f' * 32}").status_code == 404
    assert admin.post(f"/admin/grants/{'f' * 32}", data=NOTHING).status_code == 404
    assert "No grant was chosen." in admin.get("/admin/grants/revoke").text
