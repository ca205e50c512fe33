"""The dashboard: what runs, how the machine is, what is not well, who came."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from served import portal_of
from starlette.testclient import TestClient

from control_plane import usage
from control_plane.domain.condition import Examined, Figures, Fill, Notice
from control_plane.domain.entities import Session, State, UsageRow, User
from control_plane.domain.ports import Plane
from control_plane.domain.reach import Reach

ORIGIN = {"Origin": "https://portal.test"}
GIB = 1024**3
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Seen:
    """The port `Condition`, as a test wants it."""

    seen: Examined
    busy: Figures | None = None

    def figures(self) -> Figures | None:
        return self.busy

    def examined(self) -> Examined:
        return self.seen


@contextmanager
def visited(plane: Plane, name: str = "head") -> Iterator[TestClient]:
    """Give a browser in which somebody is signed in."""
    plane.accounting.add_user(User("head", "virtual", admin=True, uid=79998, gid=79998))
    for one in ("head", "bob"):
        plane.records.set_password(one, plane.passwords.hash(f"{one}'s password"))
    portal = portal_of(plane)
    with TestClient(portal, base_url="https://portal.test", follow_redirects=False) as client:
        form = {"name": name, "password": f"{name}'s password", "next": "/"}
        assert client.post("/login", data=form, headers=ORIGIN).status_code == 303
        yield client


@pytest.fixture
def busy(plane: Plane) -> Plane:
    """A portal on which something runs, and not all is well."""
    for number, state in enumerate(("ready", "ready", "starting", "failed")):
        plane.records.add_session(session(number, State(state), plane.clock()))
    filled = Fill("memory", 6 * GIB, 8 * GIB)
    disks = (Fill("data", 95 * GIB, 100 * GIB),)
    notice = Notice("images", "failed", f"The image {HOSTILE} lacks.", f"docker pull {HOSTILE}")
    at = plane.clock() - timedelta(seconds=9)
    seen = Seen(Examined(at, (notice,), (14, 23 * GIB)), Figures(8, 0.371, filled, disks))
    return replace(plane, condition=seen)


def test_the_dashboard_shows_what_runs_by_state_and_application(busy: Plane) -> None:
    with visited(busy) as client:
        page = client.get("/admin").text
        assert words(client.get("/admin/").text) == words(page)
    assert "3 sessions now" in page
    tally = re.findall(r'data-state="(\w+)"><a [^>]*><strong>(\d+)</strong>', page)
    assert tally == [("ready", "2"), ("starting", "1"), ("stopping", "0"), ("failed", "1")]
    assert re.findall(r'application=(\w+)">\w+</a> <span class="muted">(\d)', page) == [
        ("Even", "2"),
        ("Odd", "1"),
    ]
    newest = re.findall(r'href="/admin/sessions/(\w{32})"', page)
    assert newest == [f"{number:032x}" for number in range(4)]


def test_the_dashboard_shows_how_the_machine_is(busy: Plane) -> None:
    with visited(busy) as client:
        page = words(client.get("/admin/").text)
    for told in ("37 % of 8 CPUs", "6 GiB of 8 GiB", "95 GiB of 100 GiB"):
        assert told in page
    assert "14 images, at most 23 GiB" in page
    assert "figures are of this one" not in page


def test_figures_beside_an_engine_elsewhere_are_said_to_be_this_machines(busy: Plane) -> None:
    elsewhere = replace(busy, site=replace(busy.site, reach=Reach(elsewhere=True)))
    with visited(elsewhere) as client:
        told = "The sessions run on another machine; the figures are of this one."
        assert told in client.get("/admin/").text


def test_what_is_not_well_is_told_with_what_to_do(busy: Plane) -> None:
    with visited(busy) as client:
        page = client.get("/admin/").text
    assert "Failed: images" in page
    assert "<code>docker pull &lt;img src=x onerror=alert(1)&gt;</code>" in page
    assert HOSTILE not in page


def test_a_portal_that_is_well_says_so_and_one_that_nobody_looked_at_does_not(
    plane: Plane,
) -> None:
    well = Seen(Examined(plane.clock()))
    with visited(replace(plane, condition=well)) as client:
        page = client.get("/admin/").text
        assert "All is well" in page
        well.seen = Examined()
        page = client.get("/admin/").text
    assert "All is well" not in page
    assert "what is found stands here in a moment" in page
    assert "cannot be read here" in page


def test_the_dashboard_shows_who_came_and_who_was_refused(plane: Plane) -> None:
    for number in range(7):
        usage.note_act(plane, f"stranger{number}", "sign-in-refused", "", "203.0.113.9")
    with visited(plane) as client:
        page = client.get("/admin/").text
    refused = re.findall(r"\?actor=(stranger\d)", page)
    assert refused == [f"stranger{number}" for number in (6, 5, 4, 3, 2)]
    assert "7 in 24 hours" in page
    assert "?actor=head" in page


def test_the_last_days_of_usage_are_drawn(plane: Plane) -> None:
    now = plane.clock()
    with visited(plane) as client:
        assert "Nothing was used in these days." in client.get("/admin/").text
    started = now - timedelta(days=3, hours=2)
    row = UsageRow("1" * 32, "bob", "Hello", "x", started, started + timedelta(minutes=90))
    plane.records.save_usage(row)
    plane.accounting.remove_user("head")
    with visited(plane) as client:
        page = client.get("/admin/").text
    assert "1.5\N{NO-BREAK SPACE}h in 14 days" in page
    assert len(re.findall(r'<rect x="\d+" y="', page)) in {1, 2}  # a midnight may lie within


def test_the_dashboard_keeps_itself_true_and_is_for_administrators_alone(plane: Plane) -> None:
    with visited(plane) as client:
        page = client.get("/admin/").text
    assert '<section id="dashboard" class="dashboard" data-live="/admin/events"' in page
    assert "data-every=" in page
    plane.accounting.remove_user("head")
    with visited(plane, "bob") as client:
        assert client.get("/admin/").status_code == 403


def session(number: int, state: State, now: datetime) -> Session:
    """Return a session; those of odd numbers are of another application and user."""
    at = now - timedelta(minutes=number)
    owner, name = (("alice", "Even"), ("charlie", "Odd"))[number % 2]
    ended = at if state is State.FAILED else None
    return Session(
        id=f"{number:032x}",
        owner=owner,
        grant_id="9" * 32,
        application=name,
        image="hello",
        type="webapp",
        state=state,
        created_at=at,
        address="10.213.0.9",
        port=8000 + number,
        ready_path="/",
        ended_at=ended,
    )


def words(page: str) -> str:
    """Return what a page says, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))
