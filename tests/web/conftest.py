"""The plane of the use cases' tests, served, and clients of it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import openapi_check
import pytest
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import (
    alice,
    application,
    charlie,
    clock,
    engine,
    gateway,
    homes,
    loop,
    plane,
    root,
)

from control_plane import auth
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, User
from control_plane.domain.ports import Plane
from control_plane.web import app, openapi

__all__ = [
    "alice",
    "application",
    "charlie",
    "clock",
    "engine",
    "gateway",
    "homes",
    "loop",
    "plane",
    "root",
]
ORIGIN = "https://portal.test"
DOCUMENT = openapi.build(app.API)

ClientOf = Callable[..., TestClient]


@pytest.fixture
def client_of(plane: Plane) -> Iterator[ClientOf]:
    """Return who makes clients that bring a token: of whom, and with which scopes.

    The portal's own OpenAPI document judges every answer.
    """
    plane.accounting.add_user(User("admin", "virtual", admin=True, uid=79999, gid=79999))
    with TestClient(portal_of(plane), base_url=ORIGIN, follow_redirects=False) as client:
        client.event_hooks["response"].append(openapi_check.hook(DOCUMENT))

        def made(name: str, *scopes: str) -> TestClient:
            client.headers["Authorization"] = f"Bearer {token_of(plane, name, *scopes)}"
            return client

        yield made


@pytest.fixture
def boss(plane: Plane) -> None:
    """An administrator with a password."""
    plane.accounting.add_user(User("admin", "virtual", admin=True, uid=79999, gid=79999))
    plane.records.set_password("admin", plane.passwords.hash("admin's password"))


@pytest.fixture
def admin(plane: Plane, boss: None) -> Iterator[TestClient]:  # noqa: ARG001 - it has to exist
    """A browser without scripts in which the administrator is signed in."""
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        form = {"name": "admin", "password": "admin's password", "next": "/"}
        origin = {"Origin": ORIGIN}
        assert client.post("/login", data=form, headers=origin).status_code == 303
        client.headers.update(origin)
        yield client


@pytest.fixture
def admins(client_of: ClientOf) -> TestClient:
    """Return an administrator's client, who may do everything."""
    return client_of("admin", *SCOPES)


def token_of(plane: Plane, name: str, *scopes: str) -> str:
    """Return a token of someone's with these scopes."""
    user = plane.accounting.user(name)
    assert user
    caller = Caller(user, frozenset(SCOPES))
    return auth.issue_token(plane, caller, "tests", scopes, timedelta(hours=1))[1]
