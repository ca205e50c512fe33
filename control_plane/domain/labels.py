"""The labels of images (read) and of containers (written and read back).

Invariant: a session can be rebuilt from its container's labels alone; labels that nobody can read
bar the start of their image and nothing else.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from itertools import islice
from typing import Any, Literal, cast
from urllib.parse import quote

from control_plane.domain.entities import AppType, Image, Session, State
from control_plane.domain.names import shown

Kind = Literal["contract", "older", "foreign"]
IMAGE = "eu.simphony-project.docker."
RUN = IMAGE + "runinfo."
DEFAULT_PORT = 8888
CONTRACT = "1"
RESOLUTION = frozenset({"env.x11-width", "env.x11-height", "env.x11-depth"})
STARTUP_FILE = "env.startupdata"
_REBUILT = (
    *("application", "image", "type", "port", "ready_path", "options", "address"),
    "strip_path",
)
MOST_PROBLEMS = 5
_TYPES = ("vncapp", "webapp")
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LAST_PORT = 65535
_VARIABLE = re.compile(r"env\.[A-Za-z][A-Za-z0-9_-]{0,99}", re.ASCII)
_PATH = re.compile(r"[!-~]{0,255}", re.ASCII)
_PNG = b"\x89PNG\r\n\x1a\n"


def label(image: Image, name: str) -> str:
    """Return one of our labels of an image; empty when it does not have it."""
    return image.labels.get(IMAGE + name, "").strip()


def kind(image: Image) -> Kind:
    """Return what the image was made for: our contract, simphony-remote, or nothing of ours."""
    if not any(name.startswith(IMAGE) for name in image.labels):
        return "foreign"
    return "contract" if IMAGE + "contract" in image.labels else "older"


def problems(image: Image) -> tuple[str, ...]:
    """Return sentences on labels that bar the start, a few at most; none where none does."""
    found = tuple(islice(_problems(image), MOST_PROBLEMS + 1))
    return found if len(found) <= MOST_PROBLEMS else (*found[:-1], "There is more of the kind.")


def port(image: Image) -> int:
    """Return the port that the image declares, or 8888 where it declares none that could be."""
    declared = label(image, "port")
    return int(declared) if _is_port(declared) else DEFAULT_PORT


def is_read_only(image: Image) -> bool:
    """Whether the image declares that it writes nothing but homes, volumes and /tmp."""
    return kind(image) == "contract" and label(image, "read-only") == "1"


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
    """Return the image's 128-pixel PNG; None when there is none or it is no PNG."""
    try:
        decoded = base64.b64decode("".join(label(image, "icon_128").split()), validate=True)
    except ValueError:
        return None
    return decoded if decoded.startswith(_PNG) else None


def base_path(owner: str, session_id: str) -> str:
    """Return a session's path without an end slash: `/user/<owner>/containers/<id>`."""
    return f"{user_path(owner)}/containers/{session_id}"


def user_path(owner: str) -> str:
    """Return `/user/<owner>`, percent-encoded as one segment.

    `@` may stand in one as it is (RFC 3986, 3.3), and has to: the nginx inside older images holds
    the address that it was given against the decoded one.
    """
    return f"/user/{quote(owner, safe='@')}"


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


def _problems(image: Image) -> Iterator[str]:
    contract, said, declared = (label(image, one) for one in ("contract", "type", "port"))
    read_only = label(image, "read-only")
    if kind(image) == "contract" and contract != CONTRACT:
        yield f"Its contract version is {shown(contract)}; this portal knows {CONTRACT}."
    if said and said not in _TYPES:
        yield f"Its type is {shown(said)}; there are vncapp and webapp."
    if declared and not _is_port(declared):
        yield f"Its port is {shown(declared)}; it must be a number from 1 to {_LAST_PORT}."
    if read_only not in ("", "0", "1"):
        yield f"Its read-only is {shown(read_only)}; it must be 0 or 1."
    if not _PATH.fullmatch(label(image, "ready-path")):
        yield "Its ready-path is no path of at most 255 printable characters without a space."
    if label(image, "icon_128") and icon(image) is None:
        yield "Its icon_128 is not the base64 of a PNG."
    for name in sorted(one.removeprefix(IMAGE) for one in image.labels if one.startswith(IMAGE)):
        if name.startswith("runinfo."):
            yield f"Its label {shown(name)} is for the containers of sessions alone."
        if name.startswith("env.") and not _VARIABLE.fullmatch(name):
            yield f"Its label {shown(name)} names no variable: letters, digits, - and _ do."


def _is_port(text: str) -> bool:
    return bool(_PORT.fullmatch(text)) and int(text) <= _LAST_PORT


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
            **{name: kept[name] for name in known if name in kept},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"labels of container {container_id[:12]} do not make a session"
        ) from error
