"""One row of the route table: what it takes, what it answers, who may call it.

Invariant: an operation states its scope here, or any signed-in caller may; the same row makes the
route, the check and the OpenAPI document.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from control_plane.domain.access import Caller
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the gate, as an endpoint sees it; `address` is the client's.

    `query` and `body` are values of the operation's models, None where it has none; the body of
    an `upload` is an iterator over its pieces.
    """

    plane: Plane
    caller: Caller
    path: Mapping[str, str]
    query: Any
    headers: Mapping[str, str]
    body: Any
    address: str

    @property
    def actor(self) -> Actor:
        """The caller as the audit log and the rules of administration see them."""
        return Actor(self.caller.user.name, self.address, self.caller.scopes)


Endpoint = Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `scope` is empty where any signed-in caller may.

    `upload` is the media type of a body that is not JSON and is read as it comes. `also` is a
    second media type that it answers in; `event` is the data of the events that it tells, with
    status 200, where they are accepted. What is `tagged` bears an ETag, and a PATCH of it heeds
    If-Match.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    scope: str = ""
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    basic: bool = False
    tagged: bool = False
    media: str = "application/json"
    also: str = ""
    upload: str = ""
    event: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether it changes anything: then a browser must show the portal's own origin."""
        return self.method not in ("GET", "HEAD")
