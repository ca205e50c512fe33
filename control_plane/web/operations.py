"""One row of the route table: what it takes, what it answers, who may call it.

Invariant: an operation states its scope here, or any signed-in caller may; the same row makes the
route, the check and the OpenAPI document.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from control_plane.domain.access import Caller
from control_plane.domain.ports import Plane


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the gate, as an endpoint sees it; `address` is the client's."""

    plane: Plane
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    address: str


Endpoint = Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `scope` is empty where any signed-in caller may."""

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    scope: str = ""
    body: type[BaseModel] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    basic: bool = False
    stream: bool = False
    media: str = "application/json"
    problems: tuple[int, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether it changes anything: then a browser must show the portal's own origin."""
        return self.method not in ("GET", "HEAD")
