"""The form by which an application is started: what may be chosen, and what stands in it.

Invariant: what it says is judged where the API's options are, never here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.domain.entities import LastStart
from control_plane.domain.options import LONGEST_FILE
from control_plane.web.forms import Field, Form

SIZES = ("1280x800", "1600x900", "1920x1080", "2560x1440", "3840x2160")
# `resolution` is empty (the image's own, or what follows the window), WIDTHxHEIGHT, `custom`
# (then width and height say it) or `window` (then the script of the page says how large that is).
FIELDS = (
    Field("resolution", "Screen"),
    Field("width", "Width"),
    Field("height", "Height"),
    Field("window", ""),
    Field("startup_file", "File to open", longest=LONGEST_FILE),
    Field("instead", "", "check"),
)
# What is kept while somebody looks for a file, or is asked something.
KEPT = ("resolution", "width", "height", "startup_file")
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """What stands in the form; `resolution` is one of its select's values."""

    resolution: str = ""
    width: str = "1440"
    height: str = "900"
    startup_file: str = ""


def options_of(form: Form) -> dict[str, object]:
    """Return what a form chooses, as the API takes it."""
    size = form.text("resolution")
    if size == "custom":
        size = f"{form.text('width').strip()}x{form.text('height').strip()}"
    elif size == "window":
        size = form.text("window")
    chosen = {"resolution": size, "startup_file": form.text("startup_file")}
    return {name: value for name, value in chosen.items() if value}


def again(last: LastStart | None) -> Choice:
    """Return what was chosen last."""
    return typed(last.options) if last else Choice()


def typed(values: Mapping[str, str]) -> Choice:
    """Return what was typed, or chosen; a size that is not in the select is a custom one."""
    size, file = values.get("resolution", ""), values.get("startup_file", "")
    found = _SIZE.fullmatch(size)
    if found and size not in SIZES:
        return Choice("custom", found[1], found[2], file)
    default = Choice()
    width, height = values.get("width") or default.width, values.get("height") or default.height
    known = size if size in ("window", "custom", *SIZES) else ""
    return Choice(known, width[:9], height[:9], file[:LONGEST_FILE])
