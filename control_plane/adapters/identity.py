"""What a container must know of the user it runs as: entries in passwd and group, a home.

Invariant: one entry has the user's uid and one the user's name, and they are the same entry.
"""

import io
import tarfile
from dataclasses import dataclass
from typing import Any

from docker.errors import NotFound

from control_plane.domain.containers import ContainerSpec


@dataclass(frozen=True, slots=True)
class Accounts:
    """An image's own /etc/passwd and /etc/group, line by line."""

    passwd: tuple[str, ...]
    group: tuple[str, ...]


def read(api: Any, container: str) -> Accounts:
    """Read both files out of a created container; a file that is missing counts as empty."""
    return Accounts(_lines(api, container, "/etc/passwd"), _lines(api, container, "/etc/group"))


def archive(accounts: Accounts, spec: ContainerSpec) -> bytes:
    """Return the tar that makes the user known, with a home of its own if none is mounted."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add_file(tar, "etc/passwd", _passwd(accounts.passwd, spec))
        _add_file(tar, "etc/group", _group(accounts.group, spec))
        if not spec.home:
            _add_directory(tar, spec.home_directory, spec)
    return out.getvalue()


def owned_directory(path: str, spec: ContainerSpec) -> bytes:
    """Return a tar of one directory, the user's own and nobody else's to enter."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add_directory(tar, path, spec)
    return out.getvalue()


def _passwd(lines: tuple[str, ...], spec: ContainerSpec) -> list[str]:
    kept = [one for one in lines if not _is(one, spec.login, spec.uid)]
    return [*kept, f"{spec.login}:x:{spec.uid}:{spec.gid}::{spec.home_directory}:/bin/bash"]


def _group(lines: tuple[str, ...], spec: ContainerSpec) -> list[str]:
    kept = [one for one in lines if not _is(one, spec.login, spec.gid)]
    known = {one.split(":")[2] for one in kept}
    others = [f"group{gid}:x:{gid}:" for gid in spec.gids if str(gid) not in known]
    return [*kept, f"{spec.login}:x:{spec.gid}:", *others]


def _is(line: str, name: str, number: int) -> bool:
    words = line.split(":")
    return words[0] == name or words[2] == str(number)


def _lines(api: Any, container: str, path: str) -> tuple[str, ...]:
    try:
        chunks, _ = api.get_archive(container, path)
    except NotFound:
        return ()
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        entry = tar.next()
        content = tar.extractfile(entry) if entry and entry.isreg() else None
        text = content.read().decode(errors="replace") if content else ""
    return tuple(line for line in text.splitlines() if line.count(":") > 2)  # noqa: PLR2004


def _add_file(tar: tarfile.TarFile, path: str, lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    entry = tarfile.TarInfo(path)
    entry.size = len(content)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(content))


def _add_directory(tar: tarfile.TarFile, path: str, spec: ContainerSpec) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o700
    entry.uid, entry.gid = spec.uid, spec.gid
    tar.addfile(entry)
