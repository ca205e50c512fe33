"""Whether the application of a desktop runs, where the desktop tells (`events`).

Invariant: a stream that says nothing, or never ends, is left after a few seconds.
"""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx

from control_plane.checks.booting import Booted, Realm, Subject
from control_plane.checks.report import Point, beside_the_point, broken, last_words, passed

NAME = "application"
ENDPOINT = "events"
_SECONDS = 2.0
_MOST = 64 * 1024  # bytes
_TAIL = 20  # lines
_TODO = "Mend /etc/remoteapp/autostart: it runs the application in the foreground."


def point(where: Realm, subject: Subject, one: Booted) -> Point:
    """Judge a desktop that was ready a moment ago; what is none need not tell."""
    if not subject.is_desktop:
        return beside_the_point(NAME, "Only a vncapp has one.")
    told = list(_told(one))
    if not told:
        return beside_the_point(NAME, f"It does not tell of it: there is no {ENDPOINT}.")
    if told[-1]["application"] == "ended":
        tail = last_words(where.engine.log(one.container, _TAIL))
        return broken(NAME, f"It ended with status {told[-1].get('status')}.{tail}", _TODO)
    return passed(NAME, f"It still ran after {_SECONDS:.0f} s.")


def _told(one: Booted) -> Iterator[dict[str, Any]]:
    """Give the messages of the stream that say something of the application."""
    for line in _stream(one).decode(errors="replace").splitlines():
        name, _, text = line.partition(":")
        with suppress(ValueError, RecursionError):
            told = json.loads(text) if name == "data" else None
            if isinstance(told, dict) and "application" in told:
                yield told


def _stream(one: Booted) -> bytes:
    """Return what the stream said within the time; nothing where there is none."""
    begun, said = time.monotonic(), b""
    path = f"{'' if one.client.strips else one.client.base}/{ENDPOINT}"
    headers = {"X-Remote-User": one.client.user, "X-Session-Access": "owner"}
    url = f"http://{one.session.address}:{one.session.port}{path}"
    with (
        suppress(httpx.HTTPError),
        httpx.Client(headers=headers, timeout=_SECONDS, trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return b""
        for part in answer.iter_raw():
            said += part
            if len(said) > _MOST or time.monotonic() - begun > _SECONDS:
                break
    return said
