"""Accounting in a file that is read only: everything is shown, and every change is 405."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import openapi_check
import pytest
from adapters.fakes_engine import HELLO
from served import portal_of
from starlette.testclient import TestClient
from web.conftest import DOCUMENT, ORIGIN

from control_plane import auth
from control_plane.adapters.accounting_csv import COLUMNS, csv_accounting
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, User
from control_plane.domain.ports import Plane

ADMIN = "/api/v1/admin"


@pytest.fixture
def reader(plane: Plane, tmp_path: Path) -> Iterator[TestClient]:
    """An administrator's client of a portal whose accounting is a CSV file."""
    file = tmp_path / "accounting.csv"
    file.write_text(f"{','.join(COLUMNS)}\nadmin,{HELLO},,1,1,0,,,,0\n")
    accounting = csv_accounting(file, lambda _: 71000, lambda _: False)
    on_file = replace(plane, accounting=accounting)
    caller = Caller(User("admin", "virtual", uid=71000, gid=71000), frozenset(SCOPES))
    token = auth.issue_token(on_file, caller, "tests", SCOPES, timedelta(hours=1))[1]
    with TestClient(portal_of(on_file), base_url=ORIGIN) as client:
        client.event_hooks["response"].append(openapi_check.hook(DOCUMENT))
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def test_what_the_file_says_is_shown(reader: TestClient) -> None:
    assert [one["name"] for one in reader.get(f"{ADMIN}/users").json()["items"]] == ["admin"]
    (grant,) = reader.get(f"{ADMIN}/grants").json()["items"]
    assert (grant["user"], grant["image"]) == ("admin", HELLO)
    (mine,) = reader.get("/api/v1/applications").json()["items"]
    assert mine["grant_id"] == grant["id"]


def test_every_change_is_405_and_changes_nothing(reader: TestClient, plane: Plane) -> None:
    application = reader.get(f"{ADMIN}/applications").json()["items"][0]["id"]
    grant = reader.get(f"{ADMIN}/grants").json()["items"][0]["id"]
    refused = [
        reader.post(f"{ADMIN}/users", json={"name": "doris"}),
        reader.patch(f"{ADMIN}/users/admin", json={"enabled": False}),
        reader.delete(f"{ADMIN}/users/admin"),
        reader.post(f"{ADMIN}/groups", json={"name": "staff"}),
        reader.post(f"{ADMIN}/applications", json={"image": "example/app"}),
        reader.patch(f"{ADMIN}/applications/{application}", json={"category": "Work"}),
        reader.delete(f"{ADMIN}/applications/{application}"),
        reader.post(f"{ADMIN}/grants", json={"user": "admin", "application": application}),
        reader.patch(f"{ADMIN}/grants/{grant}", json={"policy": {"pids": 10}}),
        reader.delete(f"{ADMIN}/grants/{grant}"),
    ]
    assert [one.status_code for one in refused] == [405] * len(refused)
    assert {one.headers["allow"] for one in refused} == {"GET, HEAD"}
    assert {one.json()["type"] for one in refused} == {"urn:remoteapp:not-supported"}
    assert [one.user for one in plane.records.tokens(plane.clock())] == ["admin"]
    assert reader.get(f"{ADMIN}/audit?action=user-create").json()["total"] == 0
