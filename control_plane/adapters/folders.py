"""What of the host may be mounted into containers, judged on the host itself.

Invariant: a source that passes can be put elsewhere by nobody but root: every directory on the way
to it, the links' own way too, is root's and writable by nobody else.
"""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from control_plane.domain.entities import Volume
from control_plane.domain.names import shown
from control_plane.errors import FieldError, InvalidError

# What would give a container the host, the engine or the portal.
CLOSED = ("/", "/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/run")
ENGINE = ("/var/lib/docker", "/var/lib/containerd")


class HostFolders:
    """Sources below `roots`; `state` are the directories that are ours."""

    def __init__(self, roots: Sequence[Path], state: Sequence[Path]) -> None:
        """Keep both; nothing is looked at yet."""
        self._roots = tuple(roots)
        self._kept = tuple(Path(one) for one in (*CLOSED, *ENGINE)) + tuple(state)

    def resolved(self, volume: Volume) -> Volume:
        """Return the volume with its source's links resolved; InvalidError says why not."""
        name = shown(volume.source)
        try:
            source = Path(volume.source).resolve(strict=True)
            why = self._why_not(name, source) or _why_movable(name, volume.source)
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
            reason = getattr(error, "strerror", None) or "a circle of links"
            why = f"{name} cannot be looked at: {reason}"
        if why:
            raise InvalidError("A volume is refused.", [FieldError("volumes", why)])
        return replace(volume, source=str(source))

    def opens(self, source: Path) -> str:
        """Return what that is kept closed a resolved path would open; empty when nothing."""
        kept = [one for one in self._kept if _touch(source, one.resolve())]
        return f"{shown(str(source))} would open {kept[0]} to the container" if kept else ""

    def _why_not(self, name: str, source: Path) -> str:
        if not any(_lies_in(source, root.resolve()) for root in self._roots):
            roots = ", ".join(str(root) for root in self._roots) or "none is set"
            return f"{name} does not lie under one of [volumes] roots ({roots})"
        if why := self.opens(source):
            return why
        is_plain = (source.is_dir() or source.is_file()) and ":" not in str(source)
        return "" if is_plain else f"{name} is neither a directory nor a file"


class FoldersElsewhere:
    """No source at all: the engine is on a machine that has none of them."""

    def resolved(self, volume: Volume) -> Volume:
        """Raise InvalidError."""
        why = f"{shown(volume.source)} lies on this machine, and the engine is on another one"
        raise InvalidError("A volume is refused.", [FieldError("volumes", why)])


def _lies_in(path: Path, directory: Path) -> bool:
    return path == directory or directory in path.parents


def _touch(source: Path, kept: Path) -> bool:
    """Whether a source is, holds or lies in what is kept closed; everything lies in /."""
    holds = _lies_in(kept, source)
    return holds if kept == Path("/") else holds or _lies_in(source, kept)


def _why_movable(name: str, path: str) -> str:
    # Judged step by step: a link of somebody else's is never followed.
    return next((why for one in _way(path) if (why := _movable(name, one))), "")


def _way(path: str) -> Iterator[Path]:
    """Yield each directory that a name is looked up in on the way to where the path leads."""
    at, left = Path("/"), _names(path)
    while left:
        yield at
        step = at / left.pop()
        if step.is_symlink():
            target = step.readlink()
            at = Path("/") if target.is_absolute() else at
            left += _names(str(target))
        else:
            at = at.parent if step.name == ".." else step


def _names(path: str) -> list[str]:
    """Return the names in a path, the first one last."""
    return [one for one in reversed(path.split("/")) if one not in ("", ".")]


def _movable(name: str, directory: Path) -> str:
    found = directory.stat()
    if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{name} lies in {directory}, which must be root's and writable by nobody else"
    return ""
