"""Whether the process is up, and whether what it needs answers."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError
from control_plane.web import render, schemas
from control_plane.web.gate import plane_of


async def healthz(_: Request) -> Response:
    """GET /healthz."""
    return render.answer(schemas.Health(status="up"))


async def readyz(request: Request) -> Response:
    """GET /readyz: 503 when a part does not answer."""
    # One question at a time, whoever asks: an engine that hangs must not take every thread.
    async with request.app.state.asking:
        return await _readiness(plane_of(request))


async def _readiness(plane: Plane) -> Response:
    parts = {
        "disk": plane.disk.check,
        "database": plane.stores.check,
        "engine": plane.engine.check,
        "routes": plane.gateway.check,
    }
    checks = {name: await run_in_threadpool(_said, check) for name, check in parts.items()}
    ready = all(word == "ok" for word in checks.values())
    return render.answer(schemas.Readiness(ready=ready, checks=checks), 200 if ready else 503)


def _said(check: Callable[[], None]) -> str:
    try:
        check()
    except ControlPlaneError as error:
        return f"{error.message} {error.hint}".strip()
    return "ok"
