"""Reading the rules: a bad one fails by its key, its value and what is allowed.

Invariant: the file is root's and writable by nobody else, and no rule comes from anywhere else.
"""

import os
import re
import stat
import tomllib
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from control_plane.adapters import docker_place
from control_plane.adapters.docker_place import Certificates, EnginePlace
from control_plane.domain.entities import Network
from control_plane.domain.policy_fields import CPUS, MEMORY, PIDS, size_of
from control_plane.domain.values import absolute, private_range, uids
from control_plane.engine_door.rules import OPEN_FILES, POWERFUL, Ceilings, EngineAt, Rules
from control_plane.errors import SettingsError

FILE = Path("/etc/remoteapp/engine.toml")
_REALM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LARGEST = 64 * 1024  # bytes


def realm_name(value: str) -> str:
    """Return the name of a realm; ValueError."""
    if not _REALM.fullmatch(value):
        raise ValueError("up to 32 of a-z, 0-9 and -, the first not -")
    return value


def _bytes(value: object) -> object:
    """Return a number of bytes, given as one or as text such as `64g`."""
    found = size_of(value)
    return value if found is None else found


AbsolutePath = Annotated[Path, AfterValidator(absolute)]
Words = tuple[Annotated[str, Field(min_length=1)], ...]


class Table(BaseModel):
    """A table of the file: an unknown key is an error, and nothing is taken for something else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitRules(Table):
    """The most that one container may have."""

    memory: Annotated[int, BeforeValidator(_bytes), Field(ge=MEMORY[0], le=MEMORY[1])] = MEMORY[1]
    cpus: Annotated[float, Field(ge=CPUS[0], le=CPUS[1])] = CPUS[1]
    pids: Annotated[int, Field(ge=PIDS[0], le=PIDS[1])] = PIDS[1]
    open_files: Annotated[int, Field(ge=256, le=OPEN_FILES)] = OPEN_FILES


class EngineRules(Table):
    """Which engine, and how its containers are reached."""

    host: str = ""
    tls_ca: AbsolutePath | None = None
    tls_cert: AbsolutePath | None = None
    tls_key: AbsolutePath | None = None
    session_range: Annotated[IPv4Network, AfterValidator(private_range)] | None = None
    reach: Literal["bridge", "loopback"] = "bridge"


class RuleFile(Table):
    """The whole file."""

    realm: Annotated[str, AfterValidator(realm_name)] = "remoteapp"
    images: Words = ("*",)
    volume_roots: tuple[AbsolutePath, ...] = ()
    virtual_uids: Annotated[tuple[int, int], AfterValidator(uids)] = (70000, 99999)
    networks: tuple[Network, ...] = ("internet", "none")
    allow_legacy_home: bool = False
    allow_powerful_homes: bool = False
    powerful_groups: Words = POWERFUL
    powerful_users: Words = ()
    limits: LimitRules = LimitRules()
    engine: EngineRules = EngineRules()


def load(path: Path = FILE) -> Rules:
    """Return the rules in a file; SettingsError names the key, the value and what is allowed."""
    try:
        found = RuleFile(**tomllib.loads(_read(path)))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {_sentence(error)}") from None
    given = {name: getattr(found, name) for name in RuleFile.model_fields}
    return Rules(
        **given
        | {"limits": Ceilings(**dict(found.limits)), "engine": EngineAt(**dict(found.engine))}
    )


def place(rules: Rules) -> EnginePlace:
    """Return where the engine is and how its containers are reached; SettingsError."""
    engine = rules.engine
    given = {"tls_ca": engine.tls_ca, "tls_cert": engine.tls_cert, "tls_key": engine.tls_key}
    files = [path for path in given.values() if path]
    if len(files) not in (0, len(given)):
        raise SettingsError(f"engine: {', '.join(given)} go together")
    found = docker_place.find(engine.host, Certificates(*files) if files else None)
    return docker_place.reaching(found, engine.reach)


def _read(path: Path) -> str:
    """Return what a file of root's holds; OSError, ValueError."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError("it must be root's and writable by nobody else: mode 0640")
        return file.read(_LARGEST).decode()


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if not isinstance(error, ValidationError):
        return str(error)
    first: Any = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key}: no such key"
    said = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    return f"{key} = {first['input']!r}: {said}"
