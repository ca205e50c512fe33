"""The verbs `remoteapprest admin image …`, with a library in memory or a portal of tin."""

import json
import os
import subprocess
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO, FakeLibrary, hello
from cli.remoteapprest_desk import COMMAND, Desk, HeldEngine, at_a_terminal
from served import served
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

DESK = "registry.test/lab/desk:1"
MIB = 1024**2


@pytest.fixture
def library(admins: Desk, engine: HeldEngine) -> FakeLibrary:
    """The portal's library, on the portal's engine; a registry has one image for it."""
    found = admins.plane.image_library
    assert isinstance(found, FakeLibrary)
    found.engine = engine
    found.registry[DESK] = replace(hello(), id="sha256:desk", name=DESK)
    return found


@dataclass
class Tin:
    """Takes any request whole and answers it by one that was prepared, or breaks off."""

    answer: Response | None = None
    lengths: list[int] = field(default_factory=list)
    taken: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.lengths += [
            int(value) for name, value in scope["headers"] if name == b"content-length"
        ]
        more = True
        while more:
            message = await receive()
            self.taken += len(message.get("body", b""))
            more = message.get("more_body", False)
        if self.answer:
            await self.answer(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})


@pytest.fixture
def tin(admins: Desk, loop: AbstractEventLoop, tmp_path: Path) -> Iterator[Tin]:
    """A portal of tin, which the administrator's machine reaches."""
    made = Tin()
    (tmp_path / "tin").mkdir()
    with served(made, loop, tmp_path / "tin") as found:
        admins.move_to(found)
        yield made


def test_images_are_listed_with_how_much_they_are_used(admins: Desk, library: FakeLibrary) -> None:
    assert library
    text = admins.done("admin", "image", "list", "--no-decoration")
    assert text == f"{HELLO}\tvncapp\tHello\t88000000\t0\t1\n"
    (image,) = admins.told("admin", "image", "list")
    assert (image["name"], len(image["applications"])) == (HELLO, 1)


def test_a_pull_tells_its_steps_and_what_it_brought(admins: Desk, library: FakeLibrary) -> None:
    result = admins.run("admin", "image", "pull", DESK)
    assert (result.exit_code, result.stdout) == (0, f"Pulled {DESK}.\n")
    assert result.stderr.splitlines() == [
        "layer Downloading",
        f"Status: Downloaded newer image for {DESK}",
    ]
    assert DESK in library.engine.known
    made = admins.told("admin", "image", "pull", DESK)
    assert [one["name"] for one in made["items"]] == [DESK]


def test_a_pull_at_a_terminal_draws_bars(admins: Desk, library: FakeLibrary) -> None:
    assert library
    command = [*COMMAND, "admin", "image", "pull", DESK]
    env = {**admins.env, "TERM": "xterm", "COLUMNS": "120"}
    status, seen = at_a_terminal(command, env, ())
    assert status == 0
    assert "layer Downloading" in seen
    assert "50/100 bytes" in seen
    assert seen.rstrip().endswith(f"Pulled {DESK}.")


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("registry.test/none:1", 1, "could not be pulled: manifest unknown"),
        ("Not a name", 2, "name: [REGISTRY/]NAME[:TAG]"),
    ],
)
def test_a_pull_that_is_refused_says_why(
    admins: Desk, library: FakeLibrary, name: str, status: int, says: str
) -> None:
    assert library
    assert says in admins.refused(status, "admin", "image", "pull", name)


def test_a_pull_that_fails_on_its_way_says_why(admins: Desk, tin: Tin) -> None:
    problem = {"status": 409, "detail": "The layer is \x1b[31mbroken."}
    events = (
        f"event: progress\ndata: {json.dumps(step)}\n\n" if step else "event: failed\n"
        for step in ({"layer": "a", "status": "Downloading", "current": 1, "total": 2}, None)
    )
    text = "".join(events) + f"data: {json.dumps(problem)}\n\n"
    tin.answer = Response(text, media_type="text/event-stream")
    result = admins.run("admin", "image", "pull", DESK)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "a Downloading",
        r"cli: The layer is \x1b[31mbroken.",
    ]


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (None, 4, "cannot be reached: "),
        (Response("", media_type="text/event-stream"), 1, "did not say how the pull ended"),
        (Response("<h1>Hello</h1>", media_type="text/html"), 1, "sent no event stream"),
    ],
)
def test_a_pull_that_does_not_end_as_pulls_do_is_no_success(
    admins: Desk, tin: Tin, answer: Response | None, status: int, says: str
) -> None:
    tin.answer = answer
    assert says in admins.refused(status, "admin", "image", "pull", DESK)


def test_an_archive_is_taken_in(admins: Desk, library: FakeLibrary, tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    archive.write_text(f"archive\n{DESK}\nlab/other:2")
    said = admins.done("admin", "image", "upload", str(archive))
    assert said == f"Took in lab/other:2, {DESK}.\n"
    assert {DESK, "lab/other:2"} < set(library.engine.known)
    archive.write_text("something else")
    line = admins.refused(2, "admin", "image", "upload", str(archive))
    assert "must be an archive as `docker save NAME` makes it" in line


def test_an_archive_of_any_size_is_sent_in_pieces_after_its_length(
    admins: Desk, tin: Tin, tmp_path: Path
) -> None:
    size, archive = 256 * MIB, tmp_path / "images.tar"
    archive.touch()
    os.truncate(archive, size)
    tin.answer = JSONResponse({"items": [{"name": DESK}], "total": 1}, 201)
    command = [*COMMAND, "admin", "image", "upload", str(archive)]
    bounded = ("sh", "-c", f'ulimit -d {size // 2048}; exec "$@"', "sh")
    env = {**os.environ, **admins.env}
    said = subprocess.check_output([*bounded, *command], env=env, text=True, timeout=60)
    assert said == f"Took in {DESK}.\n"
    assert (tin.lengths, tin.taken) == ([size], size)


def test_the_way_of_an_archive_is_drawn_at_a_terminal(
    admins: Desk, tin: Tin, tmp_path: Path
) -> None:
    archive = tmp_path / "images.tar"
    archive.write_bytes(bytes(2 * MIB))
    tin.answer = JSONResponse({"items": [{"name": DESK}], "total": 1}, 201)
    command = [*COMMAND, "admin", "image", "upload", str(archive)]
    status, seen = at_a_terminal(command, {**admins.env, "TERM": "xterm", "COLUMNS": "120"}, ())
    assert status == 0
    assert "Uploading" in seen
    assert "2.1/2.1 MB" in seen


def test_what_has_no_length_is_not_sent(admins: Desk, tin: Tin) -> None:
    result = admins.run("admin", "image", "upload", "/dev/null")
    assert (result.exit_code, tin.lengths) == (2, [])
    assert "must be a file, whose length is known" in result.stderr


def test_an_archive_that_is_too_large_is_refused_in_the_portals_words(
    admins: Desk, tin: Tin, tmp_path: Path
) -> None:
    archive = tmp_path / "images.tar"
    archive.write_bytes(bytes(MIB))
    problem = {"status": 413, "detail": "The archive is larger than 9 bytes."}
    tin.answer = JSONResponse(problem, 413, media_type="application/problem+json")
    line = admins.refused(1, "admin", "image", "upload", str(archive))
    assert line == "The archive is larger than 9 bytes."


def test_an_image_is_removed_and_who_needs_it_is_told(admins: Desk, library: FakeLibrary) -> None:
    result = admins.run("admin", "image", "remove", HELLO)
    assert (result.exit_code, result.stdout) == (0, f"Removed {HELLO}.\n")
    assert result.stderr.startswith("The application Hello (")
    assert library.engine.known == {}
    line = admins.refused(1, "admin", "image", "remove", HELLO)
    assert line.endswith("See remoteapprest admin image list.")


@pytest.mark.parametrize("words", [("list",), ("pull", DESK), ("remove", HELLO)])
def test_images_are_administrators_alone(alices: Desk, words: Sequence[str]) -> None:
    line = alices.refused(1, "admin", "image", *words)
    assert line.endswith("sign in again with remoteapprest login URL --admin.")
