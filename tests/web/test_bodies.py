"""What comes in: JSON with one meaning, bounded, of text that a database can keep."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from control_plane.web.gate import LARGEST_BODY

USERS = "/api/v1/admin/users"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"name": NaN}', "NaN"),
        (b'{"name": -Infinity}', "Infinity"),
        (b'{"name": 1e999}', "finite"),
        (b'{"name": "doris", "name": "alice"}', "twice"),
        (b'{"name": "doris", "groups": [{"a": 1, "a": 2}]}', "twice"),
        (b'{"name": "\xff"}', "decode"),
        (b'\xef\xbb\xbf{"name": "doris"}', "BOM"),
        ('{"name": "doris"}'.encode("utf-16"), "decode"),
        (b'{"name": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"name": ' + b"[" * 20000, "recursion"),
        (b'{"name": "doris"', "delimiter"),
        (b"", "Expecting"),
    ],
)
def test_what_is_not_json_with_one_meaning_is_415(
    admins: TestClient, content: bytes, says: str
) -> None:
    answer = admins.post(USERS, content=content, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:remoteapp:not-json")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"name": "a\\u0000b"}', "name"),
        (b'{"name": "a\\ud800b"}', "name"),
        (b'{"na\\u0000me": "doris"}', "body"),
        (b'{"name": "doris", "groups": ["staff", "\\udfff"]}', "groups.1"),
        (b'"\\u0000"', "body"),
        (b'["doris"]', "body"),
        (b"null", "body"),
    ],
)
def test_text_that_no_database_keeps_is_422_and_named(
    admins: TestClient, content: bytes, field: str
) -> None:
    answer = admins.post(USERS, content=content, headers=JSON)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


def test_a_character_beyond_the_first_plane_is_text_like_any_other(admins: TestClient) -> None:
    body = b'{"image": "example/app", "display_name": "\\ud83d\\ude00"}'
    answer = admins.post("/api/v1/admin/applications", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["display_name"]) == (201, "\U0001f600")


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_a_body_of_another_media_type_is_415(admins: TestClient, media: str) -> None:
    answer = admins.post(USERS, content=b'{"name": "doris"}', headers={"Content-Type": media})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_a_large_body_is_refused_by_its_length_before_any_of_it_is_read(
    admins: TestClient,
) -> None:
    said: list[MutableMapping[str, Any]] = []
    sent = {
        "authorization": admins.headers["Authorization"],
        "content-type": "application/json",
        "content-length": str(50 * 1024**2),
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": USERS,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }

    async def receive() -> MutableMapping[str, Any]:
        pytest.fail("the body was read")

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    async def ask() -> None:
        await admins.app(scope, receive, send)

    asyncio.run(ask())
    assert said[0]["status"] == 413
    assert b"urn:remoteapp:too-large" in said[1]["body"]


def test_a_large_body_without_a_length_is_refused_where_it_gets_too_large(
    admins: TestClient,
) -> None:
    pieces = iter([b" " * LARGEST_BODY, b" ", b'{"name": "doris"}'])
    answer = admins.post(USERS, content=pieces, headers=JSON)
    assert answer.status_code == 413


def test_a_wrong_method_is_told_all_that_the_path_takes(admins: TestClient) -> None:
    def allowed(path: str) -> set[str]:
        answer = admins.request("TRACE", path)
        assert answer.status_code == 405
        return set(answer.headers["allow"].split(", "))

    assert allowed(USERS) == {"GET", "HEAD", "POST"}
    assert allowed(f"{USERS}/alice") == {"DELETE", "GET", "HEAD", "PATCH"}
    assert allowed("/api/v1/sessions/1/extend") == {"POST"}
