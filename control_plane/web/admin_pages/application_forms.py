"""The form of an application: which image, what people read, how it is served.

Invariant: an image is named once: by a choice of those that are here, or in words.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from control_plane.errors import ConflictError, FieldError, InvalidError
from control_plane.web import forms
from control_plane.web.forms import Field, Form

_OTHER = ("", "Choose one, or name another below")
_RUN_AS = (("user", "The user"), ("root", "Root, with few of its rights"))
SERVING = ("port", "command", "environment", "ready_path", "strip_path", "run_as")
CHECK = Field("check", "Check")
# The points of a check, as people read them.
PROMISES: Mapping[str, str] = {
    "contract": "Image contract",
    "labels": "Labels",
    "icon": "Icon",
    "start": "Starts",
    "port": "Listens on its port",
    "ready": "Says when it is ready",
    "base-path": "Keeps to its address",
    "websocket": "Live connection",
    "resize": "Follows the window's size",
    "clipboard": "Clipboard",
    "application": "Application in the desktop",
    "user": "Runs as the user",
    "workspace": "Writes to the home",
    "listeners": "Listens on nothing else",
    "capabilities": "Needs no rights",
    "read-only": "Leaves its image as it is",
    "sigterm": "Ends when told to",
    "resources": "Size and memory",
}
_FIELDS = (
    Field(
        "image",
        "Or another image",
        hint="By its whole name, such as registry.example.org/lab/notebook:3. It need not be here"
        " yet.",
    ),
    Field("display_name", "Name", hint="What people read. Empty: what the image says."),
    Field(
        "description",
        "Description",
        "area",
        hint="What it is for, in a sentence or two. Empty: what the image says.",
        longest=4000,
    ),
    Field("category", "Category", hint="Applications of one category stand together."),
    Field(
        "port",
        "Port",
        "number",
        "Where it serves HTTP. Empty: what the image says, else 8888.",
        longest=5,
    ),
    Field(
        "command",
        "Command",
        "lines",
        "One word a line; {base_path} in it becomes the session's address. Empty: the image's own.",
        longest=32_000,
    ),
    Field(
        "environment",
        "Variables",
        "pairs",
        "One NAME=value a line; {base_path} in a value becomes the session's address.",
        longest=32_000,
    ),
    Field("ready_path", "Ready path", hint="A path that answers 2xx once it is usable, such as /."),
    Field(
        "strip_path",
        "It sees only the path below the session's",
        "check",
        "For what cannot be told its address; links of its pages may then lead out of it.",
    ),
    Field("run_as", "It starts as", "choice", choices=_RUN_AS, optional=False),
)
_VERSION = Field("version", "", optional=False)


def fields(choices: Sequence[tuple[str, str]], *, version: bool = False) -> Sequence[Field]:
    """Return the fields; `choices` are the images that are here."""
    hint = "Of the images on this machine." if choices else "The engine has none, or is away."
    listed = Field("listed", "Image", "choice", hint, (_OTHER, *choices), optional=False)
    return (listed, *_FIELDS, *((_VERSION,) if version else ()))


def filled(fields: Sequence[Field], content: Mapping[str, Any]) -> Form:
    """Return a form that shows an application; its image is chosen where it is to choose."""
    image = content["image"]
    is_listed = image in dict(fields[0].choices)
    where = {"listed": image, "image": ""} if is_listed else {"listed": "", "image": image}
    return forms.filled(fields, {**content, **where})


def content(form: Form) -> dict[str, Any]:
    """Return the fields of the application: what was left empty is None. InvalidError."""
    found = form.content()
    listed, typed = found.pop("listed"), found.get("image", "")
    found.pop("version", None)
    if listed and typed not in ("", listed):
        problem = "leave it empty, or choose none above"
        raise InvalidError("Which image is meant?", [FieldError("image", problem)])
    if not (listed or typed):
        raise InvalidError("Which image is meant?", [FieldError("listed", "choose or name one")])
    names = {one.name for one in _FIELDS}
    return {name: found.get(name) for name in names} | {"image": listed or typed}


@contextmanager
def at_image(form: Form) -> Iterator[None]:
    """Tell that an image has an application already where it was chosen."""
    try:
        yield
    except ConflictError as error:
        where = "listed" if form.text("listed") else "image"
        raise InvalidError(error.message, [FieldError(where, error.message)]) from error
