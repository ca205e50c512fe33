"""The gate before every operation: who calls, may they, is the body what it should be.

Invariant: a browser's cookie changes state only with the portal's exact Origin.
"""

import asyncio
import base64
import binascii
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from control_plane import auth, lifecycle
from control_plane.domain.access import Caller
from control_plane.domain.ports import Plane
from control_plane.errors import (
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotJsonError,
    NotSignedInError,
    TooLargeError,
)
from control_plane.web import complaints, strict_json
from control_plane.web.operations import Call, Operation

COOKIE = "__Host-remoteapp"
LARGEST_BODY = 64 * 1024
_TOO_LARGE = f"The body is larger than {LARGEST_BODY} bytes."
# Every refused sign-in takes this long, whatever was wrong with it.
REFUSAL_SECONDS = 1.0

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]


def handler(operation: Operation) -> Handler:
    """Return the Starlette endpoint of an operation."""
    is_async = inspect.iscoroutinefunction(operation.endpoint)

    async def handle(request: Request) -> Response:
        call = await _call(operation, request)
        if is_async:
            answer = await cast("Awaitable[Response]", operation.endpoint(call))
        else:
            answer = cast("Response", await run_in_threadpool(operation.endpoint, call))
        if operation.scope == "admin:write" and operation.changes:
            # What the answer says is done is in force for the next request.
            await run_in_threadpool(lifecycle.refresh, call.plane)
        return answer

    return handle


def client_address(request: Request) -> str:
    """Return the client's address as nginx saw it."""
    return request.headers.get("x-real-ip", "local")


def cookie_caller(request: Request) -> Caller | None:
    """Return who is signed in with this browser."""
    value = request.cookies.get(COOKIE, "")
    return auth.by_cookie(plane_of(request), value) if value else None


def visitor(request: Request) -> Caller | None:
    """Return who comes with this browser: who is signed in, or a guest, who may do nothing else."""
    value = request.cookies.get(COOKIE, "")
    return auth.visitor_by_cookie(plane_of(request), value) if value else None


def plane_of(request: HTTPConnection) -> Plane:
    """Return the plane the process was opened with."""
    return cast("Plane", request.app.state.plane)


def require_own_origin(request: Request) -> None:
    """ForbiddenError unless the browser says that the portal itself sent the request."""
    if request.headers.get("origin") != plane_of(request).site.public_url:
        raise ForbiddenError(
            "This request did not come from the portal's own page.",
            "Reload the page and try again. Programs send a token.",
        )


async def proved(request: Request, prove: Callable[[], T]) -> T:
    """Run a sign-in on its own executor; a refusal always takes the same time."""
    begun = time.monotonic()
    executor = cast("Executor", request.app.state.signing_in)
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, prove)
    except (NotSignedInError, InvalidError):
        await asyncio.sleep(max(0.0, begun + REFUSAL_SECONDS - time.monotonic()))
        raise


def checked(model: type[M], content: Any, message: str) -> M:
    """Return parsed JSON, or a query, as a value of the model; InvalidError names bad fields."""
    if found := strict_json.unstorable(content):
        raise InvalidError(message, found)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidError(message, [_problem(one) for one in error.errors()]) from None


async def read_body(request: Request) -> bytes:
    """Return a body of a bounded size; TooLargeError."""
    declared = request.headers.get("content-length", "")
    content = bytearray()
    if declared.isdecimal() and float(declared) > LARGEST_BODY:
        raise TooLargeError(_TOO_LARGE)
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise TooLargeError(_TOO_LARGE)
    return bytes(content)


async def _call(operation: Operation, request: Request) -> Call:
    caller = await _caller(operation, request)
    if operation.scope and operation.scope not in caller.scopes:
        raise ForbiddenError(f"This needs the scope {operation.scope}.")
    return Call(
        plane=plane_of(request),
        caller=caller,
        path=_path(request),
        query=_query(operation, request),
        headers=request.headers,
        body=await _body(operation, request),
        address=client_address(request),
    )


async def _caller(operation: Operation, request: Request) -> Caller:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and operation.basic:
        return await _basic(request, value)
    if scheme.lower() == "bearer":
        caller = auth.by_token(plane_of(request), value.strip())
    else:
        caller = cookie_caller(request)
        if caller and operation.changes:
            require_own_origin(request)
    if caller is None:
        raise NotSignedInError("Nobody is signed in.", "Sign in, or send a token.")
    return caller


async def _basic(request: Request, value: str) -> Caller:
    if "origin" in request.headers:
        require_own_origin(request)
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NotSignedInError("The Authorization header does not parse.") from error
    plane = plane_of(request)
    proof = auth.Proof(name, password, client_address(request))
    return await proved(request, lambda: auth.by_password(plane, proof))


def _path(request: Request) -> Mapping[str, str]:
    if any("\0" in one for one in request.path_params.values()):
        raise NotFoundError("Nothing bears such a name.")
    return request.path_params


def _query(operation: Operation, request: Request) -> BaseModel | None:
    if operation.query is None:
        return None
    return checked(operation.query, dict(request.query_params), "The query has bad fields.")


async def _body(operation: Operation, request: Request) -> Any:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if operation.upload:
        _must_be(operation.upload, media)
        return request.stream()
    if operation.body is None:
        return None
    _must_be("application/json", media)
    content = strict_json.parse(await read_body(request))
    return checked(operation.body, content, "The body has bad fields.")


def _must_be(wanted: str, media: str) -> None:
    if media != wanted:
        raise NotJsonError(f"The body must be {wanted}.")


def _problem(error: Any) -> FieldError:
    return FieldError(
        ".".join(str(part) for part in error["loc"]) or "body", complaints.told(error)
    )
