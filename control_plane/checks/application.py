"""Whether the application of a desktop runs, where the desktop tells (`events`)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from control_plane.adapters.application_client import EVENTS
from control_plane.checks.booting import Booted, Realm, Subject
from control_plane.checks.report import beside_the_point, broken, last_words, passed
from control_plane.domain.image_checks import Point
from control_plane.domain.names import shown

NAME = "application"
_SECONDS = 2.0
_TAIL = 20  # lines
_REMEDY = "Mend /etc/remoteapp/autostart: it runs the application in the foreground."


def point(where: Realm, subject: Subject, one: Booted) -> Point:
    """Judge a desktop that was ready a moment ago; what is none need not tell."""
    if not subject.is_desktop:
        return beside_the_point(NAME, "Only a vncapp has one.")
    told = list(_told(one))
    if not told:
        return beside_the_point(NAME, f"It does not tell of it: there is no {EVENTS}.")
    if told[-1]["application"] == "ended":
        status = shown(str(told[-1].get("status")))
        tail = last_words(where.engine.log(one.container, _TAIL))
        return broken(NAME, f"It ended with status {status}.{tail}", _REMEDY)
    return passed(NAME, f"It still ran after {_SECONDS:.0f} s.")


def _told(one: Booted) -> Iterator[dict[str, Any]]:
    """Give the messages of the stream that say something of the application."""
    for line in one.client.events(_SECONDS).splitlines():
        name, _, text = line.partition(":")
        with suppress(ValueError, RecursionError):
            told = json.loads(text) if name == "data" else None
            if isinstance(told, dict) and "application" in told:
                yield told
