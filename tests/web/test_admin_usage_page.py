"""The page of usage: plots, table and CSV of one period."""

import csv
import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from served import portal_of
from starlette.testclient import TestClient

from control_plane.domain.entities import UsageRow, User
from control_plane.domain.ports import Plane
from control_plane.usage import over_time
from control_plane.web import plots
from control_plane.web.admin_pages.usage import period_of

ORIGIN = {"Origin": "https://portal.test"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
ROW = UsageRow("1" * 32, "ann", "Lab", "x", MARCH + 23 * HOUR, MARCH + 25 * HOUR)


@pytest.fixture
def client(plane: Plane) -> Iterator[TestClient]:
    """A browser in which an administrator is signed in, and a ledger of March 2026."""
    plane.accounting.add_user(User("head", "virtual", admin=True, uid=79998, gid=79998))
    plane.records.set_password("head", plane.passwords.hash("head's password"))
    for number in range(7):
        begin = MARCH + number * DAY
        row = UsageRow(
            session_id=f"{number:032x}",
            user=f"user{number}",
            application=("Lab", "<b>Plot</b>")[number % 2],
            image="x",
            started_at=begin,
            ended_at=begin + (number + 1) * HOUR,
            groups=("optics", "lasers") if number == 6 else (),
            cpu_seconds=1800.0,
            memory_gib_seconds=7200.0,
        )
        plane.records.save_usage(row)
    portal = portal_of(plane)
    with TestClient(portal, base_url="https://portal.test", follow_redirects=False) as browser:
        form = {"name": "head", "password": "head's password", "next": "/"}
        assert browser.post("/login", data=form, headers=ORIGIN).status_code == 303
        yield browser


def test_the_largest_have_a_plot_each_and_the_others_one_together(client: TestClient) -> None:
    page = client.get("/admin/usage?since=2026-03-01&until=2026-03-31").text
    assert captions(page) == [
        ("All together", "28.0 h, highest bar 7.0 h"),
        ("user6", "7.0 h"),
        ("user5", "6.0 h"),
        ("user4", "5.0 h"),
        ("user3", "4.0 h"),
        ("user2", "3.0 h"),
        ("All others", "3.0 h"),
    ]
    assert page.count("<svg") == 7
    assert 'aria-label="user6: 7.0\N{NO-BREAK SPACE}h"' in page


def test_usage_is_plotted_by_application_and_group_and_by_what_was_used(
    client: TestClient,
) -> None:
    march = "since=2026-03-01&until=2026-03-31"
    page = client.get(f"/admin/usage?by=application&{march}").text
    names = [html.unescape(name) for name, _ in captions(page)]
    assert names == ["All together", "Lab", "<b>Plot</b>"]
    assert "<b>Plot" not in page
    groups = captions(client.get(f"/admin/usage?by=group&what=cpu_seconds&{march}").text)
    # Together each session counts once, whatever groups its owner is in.
    assert groups == [
        ("All together", "3.5 h, highest bar 0.5 h"),
        ("lasers", "0.5 h"),
        ("optics", "0.5 h"),
    ]
    memory = captions(client.get(f"/admin/usage?what=memory_gib_seconds&{march}").text)
    assert memory[0] == ("All together", "14.0 GiB h, highest bar 2.0 GiB h")


def test_the_table_tells_what_the_plots_show_and_is_sorted_by_hours(client: TestClient) -> None:
    page = client.get("/admin/usage?since=2026-03-01&until=2026-03-31").text
    rows = re.findall(r'<th scope="row">(user\d)</th>\s*<td>(\d+)</td>\s*<td>([\d.]+)</td>', page)
    assert rows == [(f"user{number}", "1", f"{number + 1}.0") for number in (6, 5, 4, 3, 2, 1, 0)]
    sixth = page.partition('datetime="2026-03-06" data-form="day">2026-03-06</time></th>')[2]
    assert re.findall(r"<td>([\d.]+)", sixth.partition("</tr>")[0])[:3] == ["6.0", "0.0", "6.0"]


def test_the_csv_is_of_the_same_period_and_comes_with_the_cookie(client: TestClient) -> None:
    page = client.get("/admin/usage?since=2026-03-03&until=2026-03-04").text
    link = re.search(r'href="([^"]*format=csv[^"]*)"', page)
    assert link
    answer = client.get(html.unescape(link[1]))
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["name"], row["seconds"]) for row in rows] == [
        ("user2", "10800.0"),
        ("user3", "14400.0"),
    ]


def test_a_period_without_usage_says_so(client: TestClient) -> None:
    page = client.get("/admin/usage?since=2025-01-01&until=2025-01-31").text
    assert "Nothing was used in that time" in page
    assert "<svg" not in page
    unknown = client.get("/admin/usage?since=2026-03-01&until=2026-03-31&q=nobody").text
    assert "Nothing of that name was used in that time." in unknown


def test_a_period_that_is_none_is_told_and_what_was_typed_stays(client: TestClient) -> None:
    wrong = client.get("/admin/usage?since=2026-03-09&until=2026-03-01")
    assert wrong.status_code == 200
    assert "The first day has to lie before the last." in wrong.text
    assert 'name="since" value="2026-03-09"' in wrong.text
    assert "A day is written such as" in client.get("/admin/usage?since=yesterday").text


def test_a_period_is_whole_days_up_to_now() -> None:
    now = MARCH + 9 * DAY + 13 * HOUR
    usual = period_of("", "", "", now)
    assert (usual.since, usual.until, usual.days) == (MARCH - 20 * DAY, now, 30)
    week = period_of("7", "", "", now)
    assert week.since == MARCH + 3 * DAY
    chosen = period_of("7", "2026-03-02", "2026-03-04", now)
    assert (chosen.since, chosen.until, chosen.days) == (MARCH + DAY, MARCH + 4 * DAY, 0)
    assert chosen.last.isoformat() == "2026-03-04"
    assert period_of("", "2026-03-02", "2099-01-01", now).until == now
    ages = period_of("", "0001-01-01", "", now)
    assert now - ages.since < timedelta(days=3662)
    assert not ages.problem


def test_a_session_counts_in_each_step_by_its_part_of_the_time() -> None:
    row = replace(ROW, cpu_seconds=60.0)
    steps = [MARCH + DAY, MARCH + 2 * DAY, MARCH + 3 * DAY]
    assert over_time([row], "user", "seconds", MARCH, steps) == {"ann": [3600.0, 3600.0, 0.0]}
    assert over_time([row], "user", "cpu_seconds", MARCH, steps) == {"ann": [30.0, 30.0, 0.0]}


def test_what_still_runs_counts_up_to_the_end_of_the_period() -> None:
    row = replace(ROW, ended_at=None, cpu_seconds=100.0)
    steps = [MARCH + DAY, MARCH + DAY + 3 * HOUR]
    assert over_time([row], "user", "seconds", MARCH, steps) == {"ann": [3600.0, 10800.0]}
    assert over_time([row], "user", "cpu_seconds", MARCH, steps) == {"ann": [25.0, 75.0]}


def test_a_long_period_has_wider_steps() -> None:
    found = plots.of([ROW], "user", "seconds", MARCH, MARCH + 365 * DAY)
    assert (len(found.days), found.width) == (61, 6)
    assert found.together.total == 2.0
    assert found.most == 2.0


def test_one_name_alone_is_not_hidden_among_the_others() -> None:
    rows = [replace(ROW, session_id=name * 32, user=name) for name in "abcdef"]
    found = plots.of(rows, "user", "seconds", MARCH, MARCH + 7 * DAY)
    assert [one.name for one in found.apart] == list("abcdef")
    more = [*rows, replace(ROW, session_id="0" * 32, user="g")]
    names = [one.name for one in plots.of(more, "user", "seconds", MARCH, MARCH + 7 * DAY).apart]
    assert names == ["a", "b", "c", "d", "e", ""]


def captions(page: str) -> list[tuple[str, str]]:
    """Return the name and the sum of each plot."""
    found = re.findall(r"<strong>([^<]*)</strong> <span>([^<]*)</span></figcaption>", page)
    return [(name, told.replace("\N{NO-BREAK SPACE}", " ")) for name, told in found]
