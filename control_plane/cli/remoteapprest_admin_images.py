"""The verbs `remoteapprest admin image …`: the engine's images, pulled, taken in, removed.

Invariant: an archive is sent piece by piece, and its length is known before the first.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click
import httpx
from httpx_sse import SSEError, connect_sse
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from control_plane.cli.remoteapprest_events import data_of
from control_plane.cli.remoteapprest_portal import (
    Json,
    as_json,
    ask,
    checked,
    content,
    every,
    portal,
    refusal,
    segment,
    tell,
    tell_list,
    unreachable,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown
from control_plane.errors import ControlPlaneError

_IMAGES = "/admin/images"
_SEE_IMAGES = "See remoteapprest admin image list."
_COLUMNS = ("name", "type", "ui_name", "size", "sessions", "applications")
_LONGEST = 500
_PIECE = 256 * 1024
# How long a registry may be silent, and an engine that writes gigabytes: as long as nginx waits.
_SILENCE = httpx.Timeout(300, connect=10)
_ARCHIVE = httpx.Timeout(600, connect=10, read=3600)

Step = Callable[[Json], None]


@click.group()
def image() -> None:
    """The images on the engine."""


@image.command("list")
@listing
@click.pass_context
def list_images(ctx: click.Context, form: Form) -> None:
    """List the images, one line for each name."""
    items = every(portal(ctx), _IMAGES)
    counted = ("sessions", "applications")
    rows = [{**one, **{name: len(one[name]) for name in counted}} for one in items]
    tell_list(_COLUMNS, items, rows, form)


@image.command()
@click.argument("name")
@as_json
@click.pass_context
def pull(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Pull the image NAME, such as registry.example.org/lab/desktop:2."""
    found = portal(ctx)
    with _progress() as progress:
        made = _pulled(found, name, _bars(progress) if progress else _lines())
    tell(made, f"Pulled {shown(name, _LONGEST)}.", as_json=as_json)


@image.command()
@click.argument("archive", type=click.File("rb"))
@as_json
@click.pass_context
def upload(ctx: click.Context, /, archive: BinaryIO, *, as_json: bool) -> None:
    """Take in the images of ARCHIVE, a file as `docker save` writes it."""
    size = _size(archive)
    found = portal(ctx)
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
    with _progress() as progress:
        step = _bars(progress) if progress else _silence
        answer = ask(
            found,
            "POST",
            f"{_IMAGES}/archive",
            content=_pieces(archive, size, step),
            headers=headers,
            timeout=_ARCHIVE,
        )
    made = content(answer)
    tell(made, f"Took in {_names(made)}.", as_json=as_json)


@image.command()
@click.argument("name")
@as_json
@click.pass_context
def remove(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Take NAME off its image, and remove the image with its last name."""
    path = f"{_IMAGES}/{segment(name)}"
    removed = content(ask(portal(ctx), "DELETE", path, hint=_SEE_IMAGES))
    for one in removed["warnings"]:
        click.echo(shown(one, _LONGEST), err=True)
    tell(removed, f"Removed {shown(removed['name'], _LONGEST)}.", as_json=as_json)


def _pulled(found: httpx.Client, name: str, step: Step) -> Json:
    """Return the images of that name, once they are there; `step` is told of the way."""
    asked = {"json": {"name": name}, "timeout": _SILENCE}
    try:
        with connect_sse(found, "POST", _IMAGES, **asked) as source:
            checked(source.response)
            for event in source.iter_sse():
                told = data_of(event)
                if event.event == "done":
                    return told
                if event.event == "failed":
                    raise refusal(told)
                step(told)
    except SSEError as error:
        raise ControlPlaneError("The portal sent no event stream.") from error
    except httpx.TransportError as error:
        raise unreachable(found, error) from error
    raise ControlPlaneError("The portal did not say how the pull ended.", _SEE_IMAGES)


def _pieces(archive: BinaryIO, size: int, step: Step) -> Iterator[bytes]:
    sent = 0
    while piece := archive.read(min(_PIECE, size - sent)):
        yield piece
        sent += len(piece)
        step({"layer": "", "status": "Uploading", "current": sent, "total": size})
    if sent < size:
        raise ControlPlaneError("The archive became shorter while it was sent.")


def _size(archive: BinaryIO) -> int:
    about = os.fstat(archive.fileno())
    if not stat.S_ISREG(about.st_mode):
        raise click.BadParameter("must be a file, whose length is known", param_hint="ARCHIVE")
    return about.st_size


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show bars while it lasts, where there is a terminal to show them on."""
    if not sys.stderr.isatty():
        yield None
        return
    words = TextColumn("{task.description}", markup=False)
    with Progress(words, BarColumn(), DownloadColumn(), console=Console(stderr=True)) as progress:
        yield progress


def _bars(progress: Progress) -> Step:
    """Return what draws one bar for each layer."""
    tasks: dict[str, TaskID] = {}

    def step(told: Json) -> None:
        layer = told["layer"]
        if layer not in tasks:
            tasks[layer] = progress.add_task("", total=None)
        progress.update(
            tasks[layer],
            description=_sentence(told),
            completed=told["current"],
            total=told["total"] or None,
        )

    return step


def _lines() -> Step:
    """Return what prints a line for each new word about a layer."""
    said: dict[str, str] = {}

    def step(told: Json) -> None:
        if said.get(told["layer"]) != told["status"]:
            said[told["layer"]] = told["status"]
            click.echo(_sentence(told), err=True)

    return step


def _silence(told: Json) -> None:
    del told


def _sentence(told: Json) -> str:
    return shown(f"{told['layer']} {told['status']}".strip(), _LONGEST)


def _names(images: Json) -> str:
    return ", ".join(shown(one["name"], _LONGEST) for one in images["items"])
