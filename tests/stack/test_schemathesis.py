"""Whatever is sent, what the OpenAPI document allows and what it does not: no fault, as documented.

Each operation is called by a token of each role. What is sent is the same in every run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import portal as portals
import pytest
import requests
import schemathesis
from hypothesis import Phase, settings
from portal import HELLO, RunningPortal
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control_plane.web import openapi
from control_plane.web.app import API

ROLES = ("reader", "alice", "admin")
EXAMPLES = 5  # beside those that probe each bound of each field
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
SCHEMA = (
    schemathesis.openapi.from_dict(
        openapi.build(API),
        config=SchemathesisConfig.from_dict(
            {
                "seed": 1,
                "generation": {
                    "deterministic": True,
                    "database": "none",
                    "with-security-parameters": False,
                },
            }
        ),
    )
    .exclude(path_regex="/events$")  # has no end
    .exclude(method="DELETE", path_regex="/me/signins$")  # ends the tokens that the run brings
    .exclude(method="POST", path_regex="/admin/images")  # asks registries elsewhere
)


@dataclass(frozen=True)
class Target:
    """The portal, the tokens by role, and an id that is known for the paths that take one."""

    live: RunningPortal
    session: requests.Session
    tokens: dict[str, str]
    known: dict[str, str]

    def call(self, case: schemathesis.Case[Any], role: str) -> None:
        """Send it, and judge the answer."""
        answer = case.call_and_validate(
            base_url=self.live.url,
            session=self.session,
            headers={"Authorization": f"Bearer {self.tokens[role]}"},
            checks=CHECKS,
            timeout=20,
            verify=str(self.live.ca),
        )
        assert answer.status_code != 401, "the run has signed itself out"


@pytest.fixture(scope="module")
def target(images: None) -> Iterator[Target]:
    """A portal of this module's own: its administrator does whatever comes."""
    del images
    with portals.running() as live, requests.Session() as session:
        session.trust_env = False
        tokens = {name: live.token(name) for name in ("alice", "admin")}
        yield Target(live, session, tokens | {"reader": _reader(live)}, _known(live))


def _reader(live: RunningPortal) -> str:
    body = {"name": "reader", "scopes": ["sessions:read"]}
    answer = live.api("bob").post("/api/v1/tokens", json=body)
    return str(answer.json()["token"])


def _known(live: RunningPortal) -> dict[str, str]:
    """Return the ids of things that nobody misses, by the collection they are in."""
    admin = live.api("admin")

    def made(what: str, **body: object) -> str:
        answer = admin.post(f"/api/v1/admin/{what}", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    granted = made("applications", image="example/granted:1")
    running = live.start("alice")["id"]
    return {
        "/admin/users": made("users", name="spare", password="a-long-password"),
        "/admin/groups": made("groups", name="spare"),
        "/admin/applications": made("applications", image="example/spare:1"),
        "/admin/grants": made("grants", user="charlie", application=granted),
        "/admin/sessions": running,
        "/sessions": running,
        "/applications": live.grants["alice", HELLO],
    }


@pytest.mark.parametrize("role", ROLES)
@SCHEMA.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_whatever_is_sent_is_answered_as_documented(
    case: schemathesis.Case[Any], target: Target, role: str
) -> None:
    target.call(case, role)
    collection = case.path.removeprefix(openapi.PREFIX).partition("/{")[0]
    if collection in target.known and "id" in case.path_parameters:
        case.path_parameters["id"] = target.known[collection]
        target.call(case, role)
