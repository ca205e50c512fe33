"""The check of an image from its labels to its end: what can be judged is judged, in order."""

import time
from collections.abc import Callable, Iterator

from control_plane.adapters.docker_place import EnginePlace
from control_plane.checks import application as running
from control_plane.checks import declared, desktop, inside, serving
from control_plane.checks.advice import Clues
from control_plane.checks.booting import (
    Booted,
    Realm,
    Subject,
    Terms,
    booted,
    realm,
    wait,
    wait_for_end,
)
from control_plane.checks.report import broken, complete, last_words, passed
from control_plane.domain import labels
from control_plane.domain.entities import Application
from control_plane.domain.image_checks import Point, Report
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError

Tell = Callable[[str], None]
STOP_SECONDS = 10
_SETTLING = 2.0  # seconds: what is started beside the server may listen a little later
_KILLED = 137
_TAIL = 20  # lines


def check(application: Application, terms: Terms, place: EnginePlace, tell: Tell) -> Report:
    """Boot the application's image on this machine's engine and judge it.

    `tell` takes a sentence on what is waited for.
    StartError when it is not there, EngineUnavailableError when the engine is away.
    """
    with realm(place) as where:
        try:
            image = where.engine.image(application.image)
        except ImageMissingError as error:
            hint = "Pull it (docker pull), or build it (images/build)."
            raise StartError(error.code, error.message, hint) from error
        subject = Subject(image, application, terms)
        kind, points = labels.kind(image), list(declared.points(image))
        if labels.problems(image):
            return complete(image.name, kind, points, "Its labels bar its start.")
        points += _started(where, subject, tell)
        return complete(image.name, kind, points, "It never became ready.")


def _started(where: Realm, subject: Subject, tell: Tell) -> Iterator[Point]:
    try:
        with booted(where, subject, {}) as one:
            yield passed("start", f"The engine started it {_how(subject)}.")
            tell(_waiting(subject, one))
            yield from _judged(where, subject, one)
    except EngineUnavailableError:
        raise
    except StartError as error:
        yield broken("start", error.message, "Mend its command, or what the engine says.")


def _judged(where: Realm, subject: Subject, one: Booted) -> Iterator[Point]:
    waited = wait(where, one, subject.terms.start_timeout)
    output = where.engine.log(one.container, _TAIL)
    clues = Clues(last_words(output), inside.listening(where, one))
    yield from serving.points(subject, one, waited, clues)
    if waited.ready is None:
        found = inside.forbidden(subject, output)
        yield from [found] if found else []
        return
    # First: what it said last is not yet lost in what the display says of its clients.
    yield running.point(where, subject, one)
    yield from desktop.points(where, subject, one)
    time.sleep(max(0.0, one.asked_at + waited.ready + _SETTLING - time.monotonic()))
    yield from inside.points(where, subject, one)
    yield inside.resources(where, subject, one, waited)
    yield _sigterm(where, one)


def _sigterm(where: Realm, one: Booted) -> Point:
    where.engine.signal(one.container, "SIGTERM")
    lasted = wait_for_end(where, one, STOP_SECONDS)
    todo = "Let the entry point exec the server, or pass SIGTERM on and wait."
    if lasted is None:
        return broken("sigterm", f"It still ran {STOP_SECONDS} s after SIGTERM.", todo)
    status = where.engine.exit_status(one.container)
    if status == _KILLED:
        return broken("sigterm", f"It was killed {lasted:.1f} s after SIGTERM.", todo)
    return passed("sigterm", f"It ended {lasted:.1f} s after SIGTERM, with status {status}.")


def _how(subject: Subject) -> str:
    return "as root with the closed list of capabilities" if subject.as_root else "as the user"


def _waiting(subject: Subject, one: Booted) -> str:
    return f"Waiting up to {subject.terms.start_timeout:g} s for port {one.session.port}..."
