"""Reading the settings: a bad one fails by its name, its value and what is allowed.

Invariant: of several faults one is told, in one line; no password stands in it.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError as UnreadableError

from control_plane.errors import SettingsError
from control_plane.settings.installation import PREFIX, Settings
from control_plane.settings.values import Section

DEFAULT_FILE = Path("/etc/remoteapp/settings.toml")
_LEAST_SECRET = 32
_DATABASES = ("sqlite", "postgresql", "postgres", "mariadb", "mysql")
_NO_SETTINGS = ("REMOTEAPP_SETTINGS", "REMOTEAPP_TOKEN")  # the file, and a client's token


def load() -> Settings:
    """Read the settings; SettingsError names the key, the value and what is allowed."""
    named = os.environ.get("REMOTEAPP_SETTINGS")
    return checked(_read(Path(named) if named else DEFAULT_FILE, must_exist=bool(named)))


def checked(content: Mapping[str, Any]) -> Settings:
    """Return the settings of a file's content, with the environment's; SettingsError as `load`."""
    _refuse_unknown_variables()
    try:
        found = Settings(**content)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    except UnreadableError as error:
        raise SettingsError(_unreadable(error)) from None
    for problem in (
        *_methods_without_section(found),
        *_world_on_a_public_address(found),
        *_strange_databases(found),
        *_one_port_for_two(found),
    ):
        raise SettingsError(problem)
    return found


def read_secret(key: str, path: Path) -> str:
    """Return what the file of a setting holds, one line; SettingsError names the key."""
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(f"{key} = {str(path)!r}: {why}; it holds the secret alone") from error
    if not value or not value.isprintable():
        raise SettingsError(f"{key} = {str(path)!r}: it holds the secret alone, in one line")
    return value


def secret() -> bytes:
    """Return the secret that signs cookies; SettingsError when it is missing or short."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / "secret" if directory else Path("/etc/remoteapp/secret")
    try:
        value = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            f"{path}: {error.strerror}; it holds at least 32 random bytes"
        ) from error
    if len(value) < _LEAST_SECRET:
        raise SettingsError(f"{path}: too short; it holds at least 32 random bytes")
    return value


def _read(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        if must_exist:
            raise SettingsError(f"{path}: no such file") from error
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        words = name.removeprefix(PREFIX).lower().split("__")
        if name.startswith(PREFIX) and name not in _NO_SETTINGS and not _is_key(words):
            raise SettingsError(f"{name}: no such setting")


def _is_key(words: Sequence[str]) -> bool:
    fields = _fields(Settings)
    for word in words[:-1]:
        section = fields.get(word)
        fields = _fields(section) if section else {}
    return words[-1] in fields and fields[words[-1]] is None


def _fields(section: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """Return the keys of a section, each with the section that it is itself."""
    return {
        field.alias or name: _section(field.annotation)
        for name, field in section.model_fields.items()
    }


def _section(annotation: Any) -> type[BaseModel] | None:
    kinds = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)]
    return next((one for one in kinds if issubclass(one, Section)), None)


def _methods_without_section(found: Settings) -> list[str]:
    return [
        f"auth.{name}: missing; auth.methods = {list(found.auth.methods)} needs [auth.{name}]"
        for name in ("oidc", "github")
        if name in found.auth.methods and getattr(found.auth, name) is None
    ]


def _world_on_a_public_address(found: Settings) -> list[str]:
    if "world" not in found.auth.methods or _is_loopback(urlsplit(found.public_url).hostname or ""):
        return []
    problem = "world lets anyone in by any name: public_url must be on localhost or loopback, not"
    return [f"auth.methods = {list(found.auth.methods)}: {problem} {found.public_url}"]


def _strange_databases(found: Settings) -> list[str]:
    kinds = ", ".join(f"{one}://" for one in _DATABASES)
    addresses = {"records": found.records.url}
    if not (found.accounting.class_ or found.accounting_file):
        addresses["accounting"] = found.accounting.url
    return [
        f"{part}.url = {url!r}: must be a path or begin with one of {kinds}"
        for part, url in addresses.items()
        if "://" in url and url.partition("://")[0] not in _DATABASES
    ]


def _one_port_for_two(found: Settings) -> list[str]:
    port = urlsplit(found.public_url).port or 443
    if found.apps_domain or found.apps_port != port:
        return []
    allowed = "another port than public_url's, or 0 for one origin"
    return [f"apps_port = {found.apps_port}: must be {allowed}, which is {found.public_url}"]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _sentence(error: ValidationError) -> str:
    wrong = error.errors()
    # A key that is missing is often one that is written wrongly.
    first = next((one for one in wrong if one["type"] == "extra_forbidden"), wrong[0])
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{key}: missing"
    value = "" if isinstance(first["input"], dict) else f" = {_without_password(first['input'])!r}"
    said = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    message = "no such setting" if first["type"] == "extra_forbidden" else said
    return f"{key}{value}: {message}"


def _unreadable(error: UnreadableError) -> str:
    """Return which variable holds no JSON where a list or a table must stand."""
    cause = error.__cause__
    value = cause.doc if isinstance(cause, json.JSONDecodeError) else ""
    names = [one for one in os.environ if one.startswith(PREFIX) and os.environ[one] == value]
    return f"{' or '.join(names)} = {value!r}: must be JSON, such as '[\"alice\"]'"


def _without_password(value: object) -> object:
    return re.sub(r"(://[^:@/]*):.*@", r"\1:…@", value) if isinstance(value, str) else value
