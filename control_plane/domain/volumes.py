"""Volumes as people write them, `SOURCE:TARGET:MODE`, and what may not stand in one.

Invariant: both paths are absolute and plain (no `..`, no doubled slash). Whether a source may be
mounted is judged on the host, by the port `Folders`.
"""

import posixpath
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, cast

from control_plane.domain.entities import Volume
from control_plane.domain.names import shown

LONGEST_PATH = 1024
# What makes a container work, or what the engine and we mount there ourselves.
_CLOSED_TARGETS = ("/dev", "/etc", "/proc", "/sys")
_WORKSPACE = "/workspace"
_FORM = "must be SOURCE:TARGET:MODE with two absolute paths and the mode ro or rw"


def parse(text: str) -> Volume:
    """Return the volume of a text in which `problem` found none."""
    source, target, mode = text.split(":")
    return Volume(source, target, cast('Literal["ro", "rw"]', mode))


def problem(text: object) -> str:
    """Return what is wrong with one volume as it was written; empty when nothing."""
    parts = text.split(":") if isinstance(text, str) else []
    if len(parts) != len(("source", "target", "mode")) or parts[2] not in ("ro", "rw"):
        return f"{shown(str(text))} {_FORM}"
    source, target, _ = parts
    for path in (source, target):
        if not _is_plain(path):
            return f"{shown(path)} must be an absolute path, printable, without .. or //"
    if target == "/" or _is_in(target, _CLOSED_TARGETS):
        return f"{shown(target)} cannot be a target; nor can / and what lies in /dev, /etc, /proc"
    return ""


def clash(volumes: Sequence[Volume], *, home: bool) -> str:
    """Return which targets get in each other's way, or in the home's; empty when none do."""
    targets = sorted(one.target for one in volumes)
    for target in targets:
        if home and _is_in(target, (_WORKSPACE,)):
            return f"{shown(target)} cannot be a target: the home lies at {_WORKSPACE}"
    for first, second in pairwise(targets):
        if first == second:
            return f"{shown(first)} is the target of two volumes"
    return ""


def _is_plain(path: str) -> bool:
    return (
        path.startswith("/")
        and not path.startswith("//")
        and posixpath.normpath(path) == path
        and len(path) <= LONGEST_PATH
        and path.isprintable()
    )


def _is_in(path: str, directories: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in directories)
