"""What an image says of itself in its labels."""

import struct
from collections.abc import Iterator

from control_plane.checks.report import beside_the_point, broken, passed
from control_plane.domain import labels
from control_plane.domain.entities import Image
from control_plane.domain.image_checks import Point
from control_plane.domain.names import shown

_SIDE = 128  # pixels
_GUIDE = "The labels stand in images/README.md."


def points(image: Image) -> Iterator[Point]:
    """Judge the labels."""
    yield _contract(image)
    yield _labels(image)
    yield _icon(image)


def _contract(image: Image) -> Point:
    kind, version = labels.kind(image), labels.label(image, "contract")
    if kind == "foreign":
        return beside_the_point("contract", "It bears no label of ours: it knows no contract.")
    if kind == "older":
        return beside_the_point(
            "contract", "It bears no label contract: it was made for simphony-remote."
        )
    if version != labels.CONTRACT:
        todo = f"Set the label contract={labels.CONTRACT}, or use a newer portal. {_GUIDE}"
        seen = f"It says contract {shown(version)}; this portal knows {labels.CONTRACT}."
        return broken("contract", seen, todo)
    return passed("contract", f"It says contract {version}.")


def _labels(image: Image) -> Point:
    if labels.kind(image) == "foreign":
        return beside_the_point("labels", "The fields of the application stand for its labels.")
    if problems := labels.problems(image):
        return broken("labels", " ".join(problems), f"Mend these labels. {_GUIDE}")
    name = labels.label(image, "ui_name")
    declared = labels.declared_options(image)
    options = f"with the options {', '.join(declared)}" if declared else "without options"
    called = (
        f"called {shown(name)}" if name else "called by the image's name, for it has no ui_name"
    )
    return passed("labels", f"A {labels.app_type(image)} {called}, {options}.")


def _icon(image: Image) -> Point:
    if not labels.label(image, "icon_128"):
        return beside_the_point("icon", "It has none; the catalogue shows a picture of its own.")
    icon = labels.icon(image)
    todo = "Set the label icon_128 to the base64 of a PNG of 128 by 128 pixels."
    if icon is None:
        return broken("icon", "The label icon_128 is not the base64 of a PNG.", todo)
    if len(icon) < 24:  # noqa: PLR2004 - up to the height, its first numbers
        return broken("icon", "The PNG in icon_128 is cut off.", todo)
    width, height = struct.unpack(">II", icon[16:24])
    if (width, height) != (_SIDE, _SIDE):
        return broken("icon", f"The PNG in icon_128 has {width} by {height} pixels.", todo)
    return passed("icon", f"A PNG of {width} by {height} pixels, {len(icon)} bytes.")
