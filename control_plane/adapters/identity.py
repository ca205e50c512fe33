"""What a container must know of the user it runs as: entries in passwd and group.

Invariant: one entry has the user's uid and one the user's name, and they are the same entry.
"""

import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import requests
from docker.errors import NotFound
from docker.types import Mount
from docker.utils import decode_json_header

from control_plane.domain.containers import ContainerSpec
from control_plane.domain.labels import RUN
from control_plane.errors import StartError

_LARGEST = 4 * 1024**2  # bytes: an image is not ours to trust, and a file of zeros packs well
_IS_ODD = 0x8F280000  # the bits by which the engine tells links, directories and the like


@dataclass(frozen=True, slots=True)
class Accounts:
    """An image's own /etc/passwd and /etc/group, line by line."""

    passwd: tuple[str, ...]
    group: tuple[str, ...]


def read(api: Any, container: str) -> Accounts:
    """Read both files out of a created container; a file that is missing counts as empty."""
    return Accounts(_lines(api, container, "/etc/passwd"), _lines(api, container, "/etc/group"))


def mounts(accounts: Accounts, spec: ContainerSpec, directory: Path) -> list[Mount]:
    """Return read-only mounts of both files with the spec's user in them.

    A file is named by its content and kept: sessions of the same user and image share it. To copy
    the files into the container instead costs the engine a sixth of a whole start.
    """
    return [
        Mount(target, str(_kept(directory, content)), type="bind", read_only=True)
        for target, content in _files(accounts, spec).items()
    ]


def archive(accounts: Accounts, spec: ContainerSpec) -> bytes:
    """Return a tar of both files with the spec's user in them, to be unpacked in the root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for target, content in _files(accounts, spec).items():
            entry = tarfile.TarInfo(target.lstrip("/"))
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def owned_directory(path: str, spec: ContainerSpec) -> bytes:
    """Return a tar of one directory, the user's own and nobody else's to enter."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add_directory(tar, path, spec)
    return out.getvalue()


def _files(accounts: Accounts, spec: ContainerSpec) -> dict[str, bytes]:
    texts = {
        "/etc/passwd": _passwd(accounts.passwd, spec),
        "/etc/group": _group(accounts.group, spec),
    }
    return {name: "".join(f"{one}\n" for one in lines).encode() for name, lines in texts.items()}


def _passwd(lines: tuple[str, ...], spec: ContainerSpec) -> list[str]:
    kept = [one for one in lines if not _is(one, spec.login, spec.uid)]
    full_name = spec.labels.get(RUN + "user", spec.login)  # git commits for nobody who has none
    user = (spec.login, "x", spec.uid, spec.gid, full_name, spec.home_directory, "/bin/bash")
    return [*kept, ":".join(map(str, user))]


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
        if not _is_file(api, container, path):
            return ()
        chunks, _ = api.get_archive(container, path)
    except NotFound:
        return ()
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        entry = tar.next()
        content = tar.extractfile(entry) if entry and entry.isreg() else None
        text = content.read().decode(errors="replace") if content else ""
    return tuple(line for line in text.splitlines() if line.count(":") > 2)  # noqa: PLR2004 - fields of passwd(5)


def _is_file(api: Any, container: str, path: str) -> bool:
    """Ask before it is read, for nothing stops the engine then; StartError when it is huge."""
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    answer = api.head(url, params={"path": path}, timeout=api.timeout)
    if answer.status_code == requests.codes.not_found:
        return False
    answer.raise_for_status()
    found = decode_json_header(answer.headers["X-Docker-Container-Path-Stat"])
    if found["size"] > _LARGEST:
        raise StartError("engine", f"The image's {path} is larger than {_LARGEST} bytes.")
    return not found["mode"] & _IS_ODD


def _kept(directory: Path, content: bytes) -> Path:
    path = directory / hashlib.sha256(content).hexdigest()
    if not path.exists():
        directory.mkdir(mode=0o700, exist_ok=True)
        with NamedTemporaryFile(dir=directory, delete=False) as fresh:
            fresh.write(content)
            os.fchmod(fresh.fileno(), 0o644)
        Path(fresh.name).replace(path)
    return path


def _add_directory(tar: tarfile.TarFile, path: str, spec: ContainerSpec) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o700
    entry.uid, entry.gid = spec.uid, spec.gid
    tar.addfile(entry)
