"""Entity tags: nobody changes what somebody else has changed since they looked.

Invariant: a tag changes with all that accounting holds of a thing, a licence too, and is keyed, so
that it tells nothing of it.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import asdict

from control_plane.domain.entities import Application, Grant, Group, User
from control_plane.domain.ports import Plane
from control_plane.errors import PreconditionError
from control_plane.web.operations import Call

Tagged = User | Group | Application | Grant


def tag(plane: Plane, entity: Tagged) -> str:
    """Return the strong entity tag of something in accounting."""
    content = json.dumps(asdict(entity), sort_keys=True).encode()
    return f'"{hmac.new(plane.site.secret, content, "sha256").hexdigest()}"'


def precondition(call: Call) -> Callable[[Tagged], None]:
    """Return what raises PreconditionError for an entity that If-Match does not name."""
    return unchanged(call.plane, call.headers.get("if-match", "*"))


def unchanged(plane: Plane, named: str) -> Callable[[Tagged], None]:
    """Return what raises PreconditionError for an entity that none of the tags `named` is of."""
    wanted = {one.strip() for one in named.split(",")}

    def check(entity: Tagged) -> None:
        if not wanted & {"*", tag(plane, entity)}:
            raise PreconditionError(
                "It was changed since you looked at it.", "Read it again, then change it."
            )

    return check
