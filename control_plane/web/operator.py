"""What commands on the host ask of the running service, over its own socket.

Invariant: nothing is done without the operator's signature; nginx passes nothing of it on.
"""

import asyncio
from concurrent.futures import Future
from typing import Annotated

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from control_plane import lifecycle, operators
from control_plane.domain.roles import Actor
from control_plane.web import gate, strict_json
from control_plane.web.gate import plane_of
from control_plane.web.schemas import Body


class StopAll(Body):
    """Why everything stops, and who asks, as the audit log calls them."""

    actor: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(max_length=operators.LONGEST_REASON)] = ""


async def stop_sessions(request: Request) -> Response:
    """POST /internal/operator/sessions/stop: answered when all are gone."""
    body = await _signed(request)
    asked = gate.checked(StopAll, strict_json.parse(body), "The body has bad fields.")
    plane, actor = plane_of(request), Actor(asked.actor)
    work = await run_in_threadpool(operators.stop_all, plane, actor, asked.reason)
    # Each to its end, before the first error is answered; none is given up with the request.
    ends = await asyncio.gather(*map(_end, work), return_exceptions=True)
    for error in (one for one in ends if one is not None):
        raise error
    return JSONResponse({"stopped": len(ends)})


async def reconcile(request: Request) -> Response:
    """POST /internal/operator/reconcile: answered with how much was mended."""
    await _signed(request)
    return JSONResponse({"mended": await run_in_threadpool(lifecycle.reconcile, plane_of(request))})


async def _end(work: Future[None]) -> None:
    await asyncio.shield(asyncio.wrap_future(work))


async def _signed(request: Request) -> bytes:
    """Return the body of a request that the operator signed."""
    body = await gate.read_body(request)
    shown = request.headers.get(operators.HEADER, "")
    operators.check(plane_of(request).site.secret, request.url.path, body, shown)
    return body
