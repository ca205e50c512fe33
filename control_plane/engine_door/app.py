"""The door's verbs as routes, one each; what a verb raises is told in the answer.

Invariant: nothing is answered that `engine_wire` has no word for, and no body is read past its
bound.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from anyio import from_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from control_plane.adapters import engine_wire
from control_plane.adapters.transfers import UnderWayError
from control_plane.engine_door.guards import (
    GuardedCondition,
    GuardedEngine,
    GuardedFiles,
    GuardedHomes,
    GuardedLibrary,
)
from control_plane.engine_door.image_check import ImageCheck
from control_plane.engine_door.pump import Pump
from control_plane.errors import (
    ControlPlaneError,
    EngineUnavailableError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)

log = logging.getLogger(__name__)

_LARGEST_BODY = 1024**2
_ALIVE_SECONDS = 10.0  # after which a stream says that it is still there
_PATIENCE = 5.0  # seconds in which a pull that nobody looks at any more lets its name go
_REFUSED, _AWAY, _FAULT = 422, 503, 500
_WORDS = "The engine's door has a fault; its log has it."


@dataclass(frozen=True, slots=True)
class Door:
    """The guarded ports, one each."""

    engine: GuardedEngine
    image_library: GuardedLibrary
    homes: GuardedHomes
    files: GuardedFiles
    condition: GuardedCondition
    image_check: ImageCheck


def create(door: Door) -> Starlette:
    """Return the application."""
    plain = [
        Route(f"/{port}/{verb}", _answering(port, verb, getattr(door, port)), methods=["POST"])
        for port, (_, verbs) in engine_wire.VERBS.items()
        for verb in verbs
    ]
    streams: Mapping[str, Callable[[Door, Request], Any]] = {
        "/engine/ends": _ends,
        "/image_library/pull": _pull,
        "/image_library/load": _load,
        "/homes/archive": _archive,
        "/image/check": _check,
    }
    routes = [
        Route(path, _guarded(partial(handler, door)), methods=["POST"])
        for path, handler in streams.items()
    ]
    return Starlette(routes=[*plain, *routes])


def _answering(port: str, verb: str, ours: Any) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        arguments = engine_wire.received(port, verb, await _body(request))
        value = await run_in_threadpool(getattr(ours, verb), **arguments)
        return Response(engine_wire.answered(port, verb, value), media_type="application/json")

    return _guarded(answer)


def _guarded(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def guarded(request: Request) -> Response:
        try:
            answer: Response = await handler(request)
        except ControlPlaneError as error:
            status = _AWAY if isinstance(error, EngineUnavailableError) else _REFUSED
            return JSONResponse({"error": engine_wire.told(error)}, status)
        except Exception:  # the top of a request
            log.exception("a verb failed path=%s", request.url.path)
            return JSONResponse({"error": engine_wire.told(EngineUnavailableError(_WORDS))}, _FAULT)
        return answer

    return guarded


async def _ends(door: Door, request: Request) -> Response:
    since = _moment(_field(await _body(request), "since"))
    pump = Pump(lambda: _ended(door.engine, since))
    await pump.begun()
    return StreamingResponse(_lines(pump))


def _ended(engine: GuardedEngine, since: datetime) -> Iterator[str | None]:
    """Yield the ids of what ends, and None now and then, which finds out who has gone away."""
    yield None
    while True:
        until = datetime.now(UTC) + timedelta(seconds=_ALIVE_SECONDS)
        yield from engine.ends(since, until)
        since = until
        yield None


async def _pull(door: Door, request: Request) -> Response:
    name = _field(await _body(request), "name")
    pump = Pump(lambda: (asdict(step) for step in _pulling(door.image_library, name)))
    await pump.begun()
    return StreamingResponse(_lines(pump))


def _pulling(library: GuardedLibrary, name: str) -> Iterator[Any]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return library.pull(name)
        except UnderWayError:  # perhaps by somebody who looks no more: the next step ends that
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def _load(door: Door, request: Request) -> Response:
    stream = request.stream()

    async def following() -> bytes:
        try:
            return await anext(stream, b"")
        except ClientDisconnect as error:
            raise InvalidError("The archive broke off.") from error

    try:
        names = await run_in_threadpool(
            door.image_library.load, iter(lambda: from_thread.run(following), b"")
        )
    finally:
        async for _ in stream:  # whoever is cut off while he sends never hears why
            pass
    return JSONResponse({"names": list(names)})


async def _archive(door: Door, request: Request) -> Response:
    volume = _field(await _body(request), "volume")
    pump = Pump(lambda: _content(door.homes, volume))
    await pump.begun()
    return StreamingResponse(pump.steps())


def _content(homes: GuardedHomes, volume: str) -> Iterator[bytes]:
    chunks = homes.content(volume)
    if chunks is None:
        raise NotFoundError("There is no such home.")
    yield from chunks


async def _check(door: Door, request: Request) -> Response:
    asked = _table(await _body(request))
    pump = Pump(lambda: door.image_check.run(asked))
    await pump.begun()
    return StreamingResponse(_lines(pump))


async def _lines(pump: Pump) -> AsyncIterator[bytes]:
    """Yield a line of JSON for each step, and a last one that says how it ended."""
    last: dict[str, Any] = {"end": True}
    try:
        async for step in pump.steps():
            yield _line({} if step is None else {"item": step})
    except ControlPlaneError as error:
        last = {"error": engine_wire.told(error)}
    yield _line(last)


def _line(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode() + b"\n"


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LARGEST_BODY:
            raise TooLargeError("The call is too large.")
    return bytes(content)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError("The call takes since, a moment.") from error


def _field(body: bytes, name: str) -> str:
    """Return the one text of a body."""
    said = _table(body)
    if set(said) != {name} or not isinstance(said[name], str):
        raise InvalidError(f"The call takes {name}, a text.")
    return str(said[name])


def _table(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidError("The call is no JSON.") from error
    if not isinstance(said, dict):
        raise InvalidError("The call is no JSON object.")
    return said
