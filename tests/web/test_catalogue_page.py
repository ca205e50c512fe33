"""The catalogue's page: its order, its search, what is remembered, and a look into the home."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO, FakeEngine, FakeFiles
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, Clock

from control_plane.domain.containers import home_volume
from control_plane.domain.entities import (
    Application,
    Grantee,
    Image,
    LastStart,
    Policy,
    User,
)
from control_plane.domain.ports import Plane

ORIGIN = {"Origin": "https://portal.test"}
LABEL = "eu.simphony-project.docker."
SIZE = {LABEL + f"env.x11-{name}": "" for name in ("width", "height", "depth")}
FILE = {LABEL + "env.startupdata": ""}
WHOLE = Policy(allow_home=True, allow_startup_data=True)


@pytest.fixture
def browser(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        form = {"name": "alice", "password": "alice's password", "next": "/"}
        assert client.post("/login", data=form, headers=ORIGIN).status_code == 303
        client.headers.update(ORIGIN)
        yield client


def granted(plane: Plane, name: str, category: str = "", description: str = "") -> str:
    """Grant alice one more application; return the grant's id."""
    number = f"{len(plane.accounting.applications()):032}"
    made = Application(number, f"lab/{number[-3:]}:1", name, description, category)
    plane.accounting.add_application(made)
    return plane.accounting.add_grant(Grantee("user", "alice"), number, Policy()).id


def hello_of(plane: Plane, engine: FakeEngine, policy: Policy, **labels: str) -> str:
    """Give alice's Hello a policy and its image labels; return the grant's id."""
    kept = engine.known[HELLO]
    engine.known[HELLO] = replace(kept, labels={**kept.labels, **labels})
    grant = plane.accounting.grants_of("alice")[0]
    return plane.accounting.change_grant(grant.id, lambda _: policy).id


def names(page: str) -> list[str]:
    """Return the names of the cards that are seen, in their order."""
    found = re.findall(r'<article class="card application"[^>]*data-name="([^"]*)"[^>]*>', page)
    tags = re.findall(r'<article class="card application"[^>]*>', page)
    return [name for name, tag in zip(found, tags, strict=True) if " hidden" not in tag]


def chosen(page: str) -> dict[str, str]:
    """Return what stands in the start form."""
    fields = dict(re.findall(r'<input name="(\w+)"[^>]* value="([^"]*)"', page))
    found = re.search(r'<option value="([^"]*)" selected', page)
    return {**fields, "resolution": found[1] if found else ""}


def test_what_was_started_lately_comes_first_and_then_the_names(
    browser: TestClient, plane: Plane, clock: Clock
) -> None:
    ids = {"Hello": plane.accounting.grants_of("alice")[0].id}
    ids |= {name: granted(plane, name) for name in ("Zeta", "eta", "Alpha")}
    assert names(browser.get("/").text) == ["Alpha", "eta", "Hello", "Zeta"]
    for name, hours in (("Zeta", 2), ("Hello", 1)):
        start = LastStart("alice", ids[name], clock() - timedelta(hours=hours), {})
        plane.records.note_start(start)
    plane.records.note_start(LastStart("bob", ids["eta"], clock(), {}))
    page = browser.get("/").text
    assert names(page) == ["Hello", "Zeta", "Alpha", "eta"]
    assert page.count("Last started <time") == 2
    assert page.count("Not started yet") == 2


def test_what_runs_comes_before_what_was_started_lately(
    browser: TestClient, plane: Plane, clock: Clock
) -> None:
    zeta = granted(plane, "Zeta")
    hello = next(one for one in plane.accounting.grants_of("alice") if one.id != zeta).id
    plane.records.note_start(LastStart("alice", zeta, clock() + timedelta(hours=1), {}))
    assert names(browser.get("/").text) == ["Zeta", "Hello"]
    assert browser.post(f"/applications/{hello}/start").status_code == 303
    assert names(browser.get("/").text) == ["Hello", "Zeta"]


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("", ["Alpha", "Beta", "Hello"]),
        ("?q=ALPH", ["Alpha"]),
        ("?q=plots", ["Beta"]),
        ("?q=desk+ph", ["Alpha"]),
        ("?q=desktops", ["Alpha", "Beta"]),
        ("?category=Desktops", ["Alpha", "Beta"]),
        ("?category=Desktops&q=beta", ["Beta"]),
        ("?category=desktops", []),
        ("?q=%3Cscript%3E", []),
    ],
)
def test_the_catalogue_is_searched_by_name_description_and_category(
    browser: TestClient, plane: Plane, query: str, seen: list[str]
) -> None:
    granted(plane, "Alpha", "Desktops")
    granted(plane, "Beta", "Desktops", "Draws plots.")
    page = browser.get(f"/{query}").text
    assert names(page) == seen
    assert ("No application fits." in page) == (not seen)
    assert "<script>" not in page


def test_categories_are_links_that_keep_the_words(browser: TestClient, plane: Plane) -> None:
    assert 'class="chip"' not in browser.get("/").text
    granted(plane, "Alpha", "R & D")
    page = browser.get("/?q=a").text
    ways = re.findall(r'<a class="chip" href="([^"]*)"', page)
    assert [html.unescape(way) for way in ways] == ["/?q=a", "/?q=a&category=R+%26+D"]
    page = browser.get(html.unescape(ways[1])).text
    assert names(page) == ["Alpha"]
    assert re.search(r'data-category="R &amp; D" aria-current="true"', page)


def test_a_search_is_offered_where_there_is_much(browser: TestClient, plane: Plane) -> None:
    for number in range(4):
        granted(plane, f"One {number}")
    assert 'id="search"' not in browser.get("/").text
    granted(plane, "One more")
    assert 'id="search"' in browser.get("/").text


def test_a_long_description_is_told_whole_below_its_beginning(
    browser: TestClient, plane: Plane
) -> None:
    whole = "word " * 100 + "end"
    granted(plane, "Long", description=whole)
    page = browser.get("/").text
    assert re.search(r'<p class="about-it" dir="auto">(word ){34}word…</p>', page)
    assert f'<p dir="auto">{whole}</p>' in page


def test_fields_are_there_only_where_there_is_something_to_choose(
    browser: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    hello_of(plane, engine, WHOLE)
    plain = browser.get("/").text
    assert not re.search(r'name="(resolution|width|startup_file|window)"', plain)
    hello_of(plane, engine, WHOLE, **SIZE, **FILE)
    page = browser.get("/").text
    for name in ("resolution", "width", "height", "window", "startup_file"):
        assert f'name="{name}"' in page


@pytest.mark.parametrize(
    ("form", "again"),
    [
        (
            {"resolution": "1920x1080", "startup_file": "a b.py"},
            {"resolution": "1920x1080", "startup_file": "a b.py"},
        ),
        (
            {"resolution": "custom", "width": "1000", "height": "701"},
            {"resolution": "custom", "width": "1000", "height": "701"},
        ),
        ({"resolution": "window", "window": "1432x856"}, {"resolution": ""}),
        ({}, {"resolution": "", "width": "1440", "height": "900", "startup_file": ""}),
    ],
)
def test_what_was_chosen_is_remembered(
    browser: TestClient,
    plane: Plane,
    engine: FakeEngine,
    form: dict[str, str],
    again: dict[str, str],
) -> None:
    grant_id = hello_of(plane, engine, WHOLE, **SIZE, **FILE)
    assert browser.post(f"/applications/{grant_id}/start", data=form).status_code == 303
    assert chosen(browser.get("/").text).items() >= again.items()


def test_what_was_refused_still_stands_in_its_form(
    browser: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    grant_id = hello_of(plane, engine, WHOLE, **SIZE, **FILE)
    form = {"resolution": "custom", "width": '1"', "height": "2", "startup_file": "<b>"}
    answer = browser.post(f"/applications/{grant_id}/start", data=form)
    assert answer.status_code == 422
    shown = {name: html.unescape(value) for name, value in chosen(answer.text).items()}
    assert shown == form
    assert "<b>" not in answer.text


def test_an_older_image_is_sized_by_the_window_each_time(
    browser: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    older = {LABEL + "ui_name": "Old", **SIZE}
    engine.known[HELLO] = Image("sha256:old", HELLO, older)
    grant_id = plane.accounting.grants_of("alice")[0].id
    form = {"resolution": "window", "window": "1432x856"}
    assert browser.post(f"/applications/{grant_id}/start", data=form).status_code == 303
    page = browser.get("/").text
    assert '<option value="window">' in page
    assert chosen(page)["resolution"] == ""
    kept = plane.records.last_starts("alice")[grant_id]
    assert kept.options == {"resolution": "window"}


def test_an_icon_is_kept_for_ever_by_its_digest(browser: TestClient, engine: FakeEngine) -> None:
    page = browser.get("/").text
    way = re.search(r'<img src="(/api/v1/applications/\w+/icon\?digest=\w+)"', page)
    assert way
    assert browser.get(way[1]).headers["cache-control"] == "private, max-age=31536000, immutable"
    other = engine.known[HELLO]
    engine.known[HELLO] = replace(other, id="sha256:other")
    assert browser.get(way[1]).headers["cache-control"] == "private, max-age=300"
    assert browser.get(way[1].partition("?")[0]).status_code == 200


def test_an_administrator_without_applications_is_shown_the_next_step(plane: Plane) -> None:
    plane.accounting.add_user(User("ada", "virtual", admin=True, uid=79998, gid=79998))
    plane.records.set_password("ada", plane.passwords.hash("ada's password"))
    with TestClient(portal_of(plane), base_url="https://portal.test") as client:
        form = {"name": "ada", "password": "ada's password", "next": "/"}
        page = client.post("/login", data=form, headers=ORIGIN).text
    assert "Nothing is granted to you yet" in page
    assert 'href="/admin/applications"' in page


def test_one_query_asks_for_the_starts_of_a_whole_catalogue(
    browser: TestClient, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        granted(plane, f"One {number}")
    with caplog.at_level("DEBUG", "peewee"):
        browser.get("/")
    asked = [one for one in caplog.messages if "last_starts" in one]
    assert len(asked) == 1


@pytest.fixture
def home(plane: Plane, engine: FakeEngine, tmp_path: Path) -> str:
    """Alice's home, with things in it; return the address of its page."""
    grant_id = hello_of(plane, engine, WHOLE, **SIZE, **FILE)
    made = tmp_path / "home of alice"
    (made / "data & more").mkdir(parents=True)
    for name in ("plot.py", "<img src=x onerror=alert(1)>", "a\nb", "data & more/run 1.csv"):
        (made / name).touch()
    (made / "out").symlink_to("/etc")
    files = plane.files
    assert isinstance(files, FakeFiles)
    alice = plane.accounting.user("alice")
    assert alice
    assert alice.uid
    files.homes[home_volume("unit", alice.uid)] = made
    return f"/applications/{grant_id}/files"


def links(page: str) -> dict[str, str]:
    found = re.findall(r'<a class="(?:file|directory)" href="([^"]*)">.*?<bdi>(.*?)</bdi>', page)
    return {html.unescape(name): html.unescape(way) for way, name in found}


def test_a_file_of_the_home_is_chosen_without_scripts(browser: TestClient, home: str) -> None:
    page = browser.get(f"{home}?resolution=1920x1080&startup_file=").text
    ways = links(page)
    assert list(ways) == ["data & more", "<img src=x onerror=alert(1)>", "plot.py"]
    assert "<img src=x" not in page
    inner = browser.get(home + ways["data & more"])
    back = links(inner.text)["run 1.csv"]
    answer = browser.get(back.partition("#")[0])
    assert chosen(answer.text)["startup_file"] == "/workspace/data &amp; more/run 1.csv"
    assert chosen(answer.text)["resolution"] == "1920x1080"
    assert back.endswith(f"#application-{home.split('/')[2]}")
    assert f'id="application-{home.split("/")[2]}"' in answer.text


def test_a_look_begins_beside_what_is_typed(browser: TestClient, home: str) -> None:
    for typed in ("data & more/x", "/workspace/data & more/x"):
        page = browser.get(home, params={"startup_file": typed}).text
        assert list(links(page)) == ["run 1.csv"]
    for typed in ("x", "/etc/passwd", "../../x"):
        page = browser.get(home, params={"startup_file": typed}).text
        assert "plot.py" in links(page)


def test_what_cannot_be_chosen_is_shown_and_says_why(browser: TestClient, home: str) -> None:
    page = browser.get(home).text
    assert re.search(r"<bdi>out</bdi> <small>Link that leads out of your home</small>", page)
    assert re.search(r"<bdi>a\nb</bdi> <small>Its name cannot be typed", page)
    assert browser.get(home, params={"path": "out"}).status_code == 404


@pytest.mark.parametrize("path", ["..", "a/../..", "x\0", "y" * 1100, "a\nb"])
def test_no_path_leads_out_of_the_home(
    browser: TestClient, plane: Plane, home: str, path: str
) -> None:
    answer = browser.get(home, params={"path": path})
    assert answer.status_code == 422
    assert "There is no such directory." in answer.text
    files = plane.files
    assert isinstance(files, FakeFiles)
    assert files.looks == []


def test_an_image_without_a_shell_is_said_and_a_path_can_be_typed(
    browser: TestClient, plane: Plane, home: str
) -> None:
    files = plane.files
    assert isinstance(files, FakeFiles)
    files.shells = False
    answer = browser.get(home, params={"startup_file": "mine.py", "resolution": "custom"})
    assert answer.status_code == 409
    assert "has no shell" in answer.text
    back = re.search(r'class="button" href="(/\?[^"#]*)', answer.text)
    assert back
    assert chosen(browser.get(html.unescape(back[1])).text)["startup_file"] == "mine.py"


@pytest.mark.parametrize(
    "policy", [Policy(allow_home=True), Policy(allow_startup_data=True), Policy()]
)
def test_no_home_is_looked_into_where_home_or_file_is_not_granted(
    browser: TestClient, plane: Plane, home: str, policy: Policy
) -> None:
    plane.accounting.change_grant(home.split("/")[2], lambda _: policy)
    assert browser.get(home).status_code == 404
    assert "formaction" not in browser.get("/").text
    theirs = plane.accounting.add_grant(Grantee("user", "charlie"), APPLICATION, WHOLE).id
    assert browser.get(f"/applications/{theirs}/files").status_code == 404


def test_programs_look_into_a_home_too(browser: TestClient, home: str) -> None:
    api = f"/api/v1{home}"
    told = browser.get(api).json()
    assert (told["path"], told["cut"]) == ("", False)
    assert {one["name"]: one["path"] for one in told["items"]} == {
        "data & more": "/workspace/data & more",
        "<img src=x onerror=alert(1)>": "/workspace/<img src=x onerror=alert(1)>",
        "a\nb": "",
        "out": "",
        "plot.py": "/workspace/plot.py",
    }
    inner = browser.get(api, params={"path": "/workspace/data & more"}).json()
    assert inner == {
        "path": "data & more",
        "items": [
            {
                "name": "run 1.csv",
                "kind": "file",
                "path": "/workspace/data & more/run 1.csv",
            }
        ],
        "cut": False,
    }
    assert browser.get(api, params={"path": "../x"}).status_code == 422
