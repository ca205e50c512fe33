"""The endpoints of the image library: list, pull with progress, take in an archive, remove.

Invariant: an archive passes through in pieces, and is never whole in memory or on a disk of ours.
"""

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from typing import Annotated, cast

from anyio import CancelScope, from_thread
from pydantic import AwareDatetime, BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from control_plane import images
from control_plane.domain import labels
from control_plane.domain.ports import PullProgress
from control_plane.errors import ControlPlaneError, InvalidError
from control_plane.web import render
from control_plane.web.operations import Call
from control_plane.web.paging import part
from control_plane.web.schemas import Answer, Body, Page

ARCHIVE = "application/x-tar"
LONGEST_ARCHIVE = 20 * 1024**3
_EVENTS = "text/event-stream"


class PullImage(Body):
    """Pull an image."""

    name: Annotated[
        str, Field(min_length=1, max_length=255, description="`[REGISTRY/]NAME[:TAG]`.")
    ]


class ImageAnswer(Answer):
    """One name of an image."""

    name: str
    id: str = Field(description="The engine's: images of one id are one image.")
    size: int
    created_at: AwareDatetime | None
    contract: str = Field(description="Version of the image contract; empty: it declares none.")
    type: str
    ui_name: str
    description: str
    options: list[str] = Field(description="What a user may choose at the start.")
    kind: labels.Kind = Field(description="What it was made for; `older`: simphony-remote.")
    problems: list[str] = Field(description="What of its labels bars its start.")
    sessions: list[str] = Field(description="Ids of the sessions that run from the image.")
    applications: list[str] = Field(description="Ids of the applications that name it.")


class ImageList(Answer):
    """Images."""

    items: list[ImageAnswer]
    total: int


class RemovedImageAnswer(Answer):
    """What was removed, and whom that concerns."""

    name: str
    warnings: list[str]


class PullEvent(Answer):
    """The data of an event of kind `progress`; of `done` and `failed` it is other JSON."""

    layer: str = Field(description="Empty: it is about the whole image.")
    status: str
    current: int = Field(description="Bytes.")
    total: int = Field(description="Bytes; 0: not known.")


def list_images(call: Call) -> Response:
    """GET /admin/images."""
    found = images.listed(call.plane)
    items = [_image(one) for one in part(cast("Page", call.query), found)]
    return render.answer(ImageList(items=items, total=len(found)))


async def pull_image(call: Call) -> Response:
    """POST /admin/images: answered when the image is there, or event by event until then."""
    name = cast("PullImage", call.body).name
    steps = await run_in_threadpool(images.pull, call.plane, call.actor, name)
    if _EVENTS in call.headers.get("accept", ""):
        told = _told(call, name, steps)
        return EventSourceResponse(told, ping=15, headers={"X-Accel-Buffering": "no"})
    await run_in_threadpool(_exhaust, steps)
    return render.answer(await run_in_threadpool(_pulled, call, name), 201)


async def upload_images(call: Call) -> Response:
    """POST /admin/images/archive."""
    declared = call.headers.get("content-length", "")
    if declared.isdecimal() and float(declared) > LONGEST_ARCHIVE:
        raise images.too_large(LONGEST_ARCHIVE)
    chunks = _pieces(call.body)
    names = await run_in_threadpool(images.upload, call.plane, call.actor, chunks, LONGEST_ARCHIVE)
    loaded = await run_in_threadpool(images.named, call.plane, names)
    return render.answer(_list(loaded), 201)


def remove_image(call: Call) -> Response:
    """DELETE /admin/images/{name}: whatever names it in the catalogue is told, and stays."""
    removed = images.remove(call.plane, call.actor, call.path["name"])
    warnings = [
        f"The application {one.display_name or one.image} ({one.id}) cannot be started any more."
        for one in removed.applications
    ]
    return render.answer(RemovedImageAnswer(name=removed.image.name, warnings=warnings))


def _image(entry: images.Entry) -> ImageAnswer:
    image = entry.image
    return ImageAnswer(
        name=image.name,
        id=image.id,
        size=image.size,
        created_at=image.created_at,
        contract=labels.label(image, "contract"),
        type=labels.app_type(image),
        ui_name=labels.label(image, "ui_name"),
        description=labels.label(image, "description"),
        options=list(labels.declared_options(image)),
        kind=labels.kind(image),
        problems=list(labels.problems(image)),
        sessions=[one.id for one in entry.sessions],
        applications=[one.id for one in entry.applications],
    )


def _pulled(call: Call, name: str) -> ImageList:
    """Return the image of that name, under all its names."""
    return _list(images.of_name(call.plane, name))


def _list(entries: Sequence[images.Entry]) -> ImageList:
    return ImageList(items=[_image(one) for one in entries], total=len(entries))


def _exhaust(steps: Iterator[PullProgress]) -> None:
    for _ in steps:
        pass


async def _told(
    call: Call, name: str, steps: Generator[PullProgress, None, None]
) -> AsyncIterator[ServerSentEvent]:
    """Yield each step and how it came out; a client that goes away ends the pull."""
    try:
        async for step in iterate_in_threadpool(steps):
            yield _event("progress", PullEvent.model_validate(step))
        yield _event("done", await run_in_threadpool(_pulled, call, name))
    except ControlPlaneError as error:
        problem = bytes(render.problem(call.plane, error).body).decode()
        yield ServerSentEvent(data=problem, event="failed")
    finally:
        with CancelScope(shield=True):
            await run_in_threadpool(steps.close)


def _event(kind: str, data: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(data=data.model_dump_json(), event=kind)


def _pieces(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """Yield what comes in, read by the event loop, to the thread that sends it on."""

    async def following() -> bytes:
        try:
            return await anext(stream, b"")
        except ClientDisconnect as error:
            raise InvalidError("The archive broke off.") from error

    # An empty piece is the end.
    while piece := from_thread.run(following):
        yield piece
