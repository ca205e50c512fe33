"""Administration of applications as a browser without scripts sees and sends it."""

import html
import re
import time
from dataclasses import replace

import pytest
from adapters.fakes_engine import HELLO, FakeEngine, hello
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION

from control_plane.domain.entities import Application
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Plane
from control_plane.domain.reach import Reach

ORIGIN = {"Origin": "https://portal.test"}
HERE = f"/admin/applications/{APPLICATION}"


def listed(admin: TestClient, query: str) -> list[str]:
    page = admin.get(f"/admin/applications{query}").text
    return re.findall(r'class="pictured".*?<span dir="auto">([^<]*)</span></a>', page)


def sent(page: str, **fields: str) -> dict[str, str]:
    """Return what a browser sends that changed these fields on a page."""
    found = re.findall(r'<input [^>]*name="([^"]+)"[^>]* value="([^"]*)"', page)
    texts = re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', page)
    chosen = re.findall(r'<select [^>]*name="([^"]+)".*?value="([^"]*)" selected', page, re.DOTALL)
    old = {name: html.unescape(text) for name, text in [*found, *texts, *chosen]}
    old.pop("strip_path", None)
    return old | fields


def test_applications_are_listed_searched_sorted_and_filtered(
    admin: TestClient, plane: Plane
) -> None:
    plane.accounting.add_application(Application("b" * 32, "lab/octave:6", "Octave", "", "Maths"))
    assert listed(admin, "") == ["Octave", "Hello"]
    assert listed(admin, "?sort=name") == ["Hello", "Octave"]
    assert listed(admin, "?sort=-grants") == ["Hello", "Octave"]
    assert listed(admin, "?q=LAB/oct") == ["Octave"]
    assert listed(admin, "?category=Maths") == ["Octave"]
    assert listed(admin, "?image=here") == ["Hello"]
    assert listed(admin, "?image=missing") == ["Octave"]
    page = admin.get("/admin/applications").text
    assert "This machine does not have its image." in page
    assert f'<a href="/admin/grants?application={APPLICATION}">2 grants</a>' in page


def test_no_application_is_told_with_the_next_step(admin: TestClient, plane: Plane) -> None:
    plane.accounting.remove_application(APPLICATION)
    page = admin.get("/admin/applications").text
    assert "There is no application yet." in page
    assert 'href="/admin/applications/new"' in page


def test_an_application_is_created_of_an_image_that_is_here_and_granted_next(
    admin: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    engine.known["lab/free:1"] = replace(hello(), id="sha256:free", name="lab/free:1")
    page = admin.get("/admin/applications/new?image=lab/free:1").text
    assert '<option value="lab/free:1" selected>lab/free:1</option>' in page
    assert f"{HELLO} (has an application)" in page
    form = sent(page, display_name="Free", environment="A=1\r\nB=x=y", command="a\r\nb c")
    answer = admin.post("/admin/applications/new", data=form)
    assert answer.status_code == 303
    made = next(one for one in plane.accounting.applications() if one.image == "lab/free:1")
    assert answer.headers["location"] == f"/admin/applications/{made.id}?done=created"
    assert (made.display_name, made.command) == ("Free", ("a", "b c"))
    assert dict(made.environment) == {"A": "1", "B": "x=y"}
    page = admin.get(answer.headers["location"]).text
    assert "It is there now." in page
    assert "Nobody yet." in page
    assert f'class="button primary" href="/admin/grants/new?application={made.id}"' in page


@pytest.mark.parametrize(
    ("fields", "place", "complaint"),
    [
        ({"listed": "", "image": ""}, "listed", "choose or name one"),
        ({"listed": HELLO, "image": "other:1"}, "image", "leave it empty"),
        ({"listed": HELLO}, "listed", "There is an application of the image"),
        ({"image": "no name!"}, "image", "is not a name of an image"),
        ({"image": "new:1", "port": "http"}, "port", "must be a whole number from 1 to 65535"),
        ({"image": "new:1", "environment": "1=2"}, "environment", "is not a name of a variable"),
    ],
)
def test_what_is_refused_is_told_at_its_field_and_what_was_typed_stays(
    admin: TestClient, fields: dict[str, str], place: str, complaint: str
) -> None:
    form = {"run_as": "user", "display_name": "<b>Kept", **fields}
    answer = admin.post("/admin/applications/new", data=form)
    assert answer.status_code == 422
    told = re.search(rf'<p id="field-{place}-told"><span class="complaint">([^<]*)', answer.text)
    assert told
    assert complaint in html.unescape(told[1])
    assert 'value="&lt;b&gt;Kept"' in answer.text
    is_open = "<details open>" in answer.text
    assert is_open == (place in ("port", "environment"))


def test_an_application_is_changed_and_what_was_emptied_is_as_the_image_has_it(
    admin: TestClient, plane: Plane
) -> None:
    page = admin.get(HERE).text
    form = sent(page, display_name="", port="80", strip_path="on")
    assert admin.post(HERE, data=form).headers["location"] == f"{HERE}?done=changed"
    made = plane.accounting.application(APPLICATION)
    assert made == Application(APPLICATION, HELLO, port=80, strip_path=True)
    again = admin.post(HERE, data=form | {"display_name": "Late"})
    assert again.status_code == 422
    assert "It was changed since you looked at it." in again.text
    assert 'value="Late"' in again.text
    page = admin.get(HERE).text
    assert "strip_path: links of its pages" in page
    assert admin.post(HERE, data=sent(page, port="")).status_code == 303
    made = plane.accounting.application(APPLICATION)
    assert made == Application(APPLICATION, HELLO)


def test_an_application_is_removed_after_all_that_goes_was_told(
    admin: TestClient, plane: Plane
) -> None:
    page = admin.get(f"{HERE}/remove").text
    assert "2 grants of it" in page
    assert "<li>alice</li>" in page
    assert "nothing of it runs" in page
    assert admin.post(f"{HERE}/remove").headers["location"] == "/admin/applications?done=removed"
    assert plane.accounting.application(APPLICATION) is None
    assert admin.get(HERE).status_code == 404
    assert admin.post(f"{HERE}/remove").status_code == 404


def test_labels_stand_in_a_table_and_icons_are_shown(admin: TestClient, engine: FakeEngine) -> None:
    page = admin.get(HERE).text
    assert '<code>ui_name</code></th><td dir="auto">Hello</td>' in page
    assert "/static/application.png" in page
    icon = {IMAGE + "icon_128": "iVBORw0KGgo="}
    engine.known[HELLO] = replace(hello(), labels={**hello().labels, **icon})
    assert f'src="{HERE}/icon"' in admin.get(HERE).text
    assert admin.get(f"{HERE}/icon").content == b"\x89PNG\r\n\x1a\n"


def test_an_engine_that_is_away_bars_no_bookkeeping(
    admin: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    engine.away = True
    assert listed(admin, "") == ["Hello"]
    page = admin.get(HERE).text
    assert "The container engine does not answer" in page
    assert "Check this image" not in page
    assert admin.post(HERE, data=sent(page, category="Tests")).status_code == 303
    made = plane.accounting.application(APPLICATION)
    assert made
    assert (made.category, made.image) == ("Tests", HELLO)


def test_an_image_is_checked_beside_everything_and_every_point_is_shown(
    admin: TestClient, plane: Plane
) -> None:
    plane.accounting.change_application(APPLICATION, lambda one: replace(one, port=81))
    assert "Not checked since the service started." in admin.get(HERE).text
    assert admin.post(f"{HERE}/check").headers["location"] == f"{HERE}?done=checking"
    page = checked(admin)
    assert "1 promise of the image contract is broken." in page
    assert '<tr data-result="pass">' in page
    assert "It started on port 81." in page
    assert "It &lt;leaves&gt;.<br><strong>Let it stay.</strong>" in page
    assert "data-every" not in page
    assert "Check it again" in page
    assert [one.target for one in plane.records.audit(action="image-check")] == [HELLO]


def test_a_check_that_cannot_be_says_why(
    admin: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    engine.known.clear()
    answer = admin.post(f"{HERE}/check")
    assert answer.status_code == 422
    assert f"The image {HELLO} is not on this machine" in html.unescape(answer.text)
    engine.known[HELLO] = hello()
    object.__setattr__(plane, "site", replace(plane.site, reach=Reach(elsewhere=True)))
    answer = admin.post(f"{HERE}/check")
    assert answer.status_code == 422
    assert "The engine is on another machine." in answer.text


def checked(admin: TestClient) -> str:
    """Return the page once the check has ended."""
    deadline = time.monotonic() + 30
    while 'data-every="2"' in (page := admin.get(HERE).text):
        assert time.monotonic() < deadline, "the check does not end"
        time.sleep(0.05)
    return page
