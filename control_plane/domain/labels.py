"""The labels of images (read) and of containers (written and read back).

Invariant: a session can be rebuilt from its container's labels alone.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote

from control_plane.domain.entities import AppType, Image, Session, State

IMAGE = "eu.simphony-project.docker."
RUN = IMAGE + "runinfo."
DEFAULT_PORT = 8888
CONTRACT = "1"
RESOLUTION = frozenset({"env.x11-width", "env.x11-height", "env.x11-depth"})
STARTUP_FILE = "env.startupdata"
_REBUILT = ("application", "image", "type", "port", "ready_path", "options", "address")


def label(image: Image, name: str) -> str:
    """Return one of our labels of an image; empty when it does not have it."""
    return image.labels.get(IMAGE + name, "").strip()


def is_older(image: Image) -> bool:
    """Whether the image was made for simphony-remote: labels of ours, but not of contract 1."""
    ours = any(name.startswith(IMAGE) for name in image.labels)
    return ours and label(image, "contract") != CONTRACT


def app_type(image: Image) -> AppType:
    """Return what the image says it is; a web application when it does not say."""
    return "vncapp" if label(image, "type") == "vncapp" else "webapp"


def declared_options(image: Image) -> tuple[str, ...]:
    """Return the options the image understands: `resolution`, `startup_file`."""
    names = {name.removeprefix(IMAGE) for name in image.labels if name.startswith(IMAGE)}
    found = []
    if names >= RESOLUTION:
        found.append("resolution")
    if STARTUP_FILE in names:
        found.append("startup_file")
    return tuple(found)


def icon(image: Image) -> bytes | None:
    """Return the image's 128-pixel PNG; None when there is none or it does not decode."""
    try:
        return base64.b64decode(label(image, "icon_128"), validate=True) or None
    except ValueError:
        return None


def base_path(owner: str, session_id: str) -> str:
    """Return a session's path without an end slash: `/user/<owner>/containers/<id>`."""
    return f"{user_path(owner)}/containers/{session_id}"


def user_path(owner: str) -> str:
    """Return `/user/<owner>`, percent-encoded as one segment."""
    return f"/user/{quote(owner, safe='')}"


def of_session(session: Session, realm: str) -> dict[str, str]:
    """Return the labels of a session's container."""
    kept = {name: value for name, value in asdict(session).items() if name in _REBUILT}
    return {
        RUN + "realm": realm,
        RUN + "user": session.owner,
        RUN + "mapping_id": session.grant_id,
        RUN + "url_id": session.id,
        RUN + "urlpath": base_path(session.owner, session.id),
        RUN + "session": json.dumps(
            {**kept, "created_at": session.created_at.isoformat()}, sort_keys=True
        ),
    }


def to_session(labels: Mapping[str, str], container_id: str) -> Session:
    """Rebuild a starting session from its container's labels; ValueError when they lack."""
    try:
        kept = cast("dict[str, Any]", json.loads(labels[RUN + "session"]))
        known = {field.name for field in fields(Session)} & set(_REBUILT)
        return Session(
            id=labels[RUN + "url_id"],
            owner=labels[RUN + "user"],
            grant_id=labels[RUN + "mapping_id"],
            state=State.STARTING,
            container_id=container_id,
            created_at=datetime.fromisoformat(kept.pop("created_at")),
            **{name: kept[name] for name in known},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"labels of container {container_id[:12]} do not make a session"
        ) from error
