"""Every setting, read once, typed; a bad one fails by its name, its value and what is allowed.

The file is `/etc/remoteapp/settings.toml` (`REMOTEAPP_SETTINGS` names another); each key is
overridden by `REMOTEAPP_<SECTION>__<KEY>`. Places follow systemd's variables.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from control_plane.errors import SettingsError

DEFAULT_FILE = Path("/etc/remoteapp/settings.toml")
_LEAST_SECRET = 32
_PREFIX = "REMOTEAPP_"
_REALM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Section):
    """Who may sign in, and how."""

    methods: tuple[Literal["pam", "virtual"], ...] = ("pam", "virtual")
    pam_service: str = "remoteapp"
    virtual_uids: tuple[int, int] = (70000, 99999)
    admins: tuple[str, ...] = ()


class Store(_Section):
    """Where a database lies: `sqlite:///PATH`, or a path; empty is the file in the state."""

    url: str = ""


class EngineSettings(_Section):
    """The container engine; times in seconds."""

    host: str = ""
    start_timeout: Annotated[float, Field(gt=0)] = 60
    stop_timeout: Annotated[float, Field(ge=0)] = 10


class LimitSettings(_Section):
    """Bounds of a site, and what a policy gives where it says nothing; memory in bytes."""

    sessions_per_user: Annotated[int, Field(ge=1)] = 10
    keep_ended: Annotated[int, Field(ge=0)] = 7 * 24 * 3600
    memory: Annotated[int, Field(ge=16 * 1024**2)] = 2 * 1024**3
    cpus: Annotated[float, Field(ge=0.05)] = 2
    pids: Annotated[int, Field(ge=16)] = 512
    max_sessions: Annotated[int, Field(ge=1)] = 1


class Settings(BaseSettings):
    """One installation."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="__"
    )

    realm: str = "remoteapp"
    public_url: str
    auth: Auth = Auth()
    accounting: Store = Store()
    records: Store = Store()
    engine: EngineSettings = EngineSettings()
    limits: LimitSettings = LimitSettings()

    @field_validator("realm")
    @classmethod
    def _realm_is_a_name(cls, value: str) -> str:
        if not _REALM.fullmatch(value):
            raise ValueError("up to 32 of a-z, 0-9 and -, the first not -")
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url_is_an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("an https address without a path, such as https://remote.example.org")
        return f"https://{parts.netloc.lower().removesuffix(':443')}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which comes as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def state_directory(self) -> Path:
        """Where the databases and the routes lie."""
        return Path(os.environ.get("STATE_DIRECTORY", "/var/lib/remoteapp"))

    @property
    def accounting_url(self) -> str:
        """Where accounting lies."""
        return self.accounting.url or str(self.state_directory / "remoteapp.db")

    @property
    def records_url(self) -> str:
        """Where records lie: beside accounting unless told otherwise."""
        return self.records.url or self.accounting_url

    @property
    def routes_status(self) -> Path:
        """What the one-shot that installs the routes says of the last hand-over."""
        return Path(os.environ.get("ROUTES_STATUS", "/run/remoteapp-routes/status.json"))

    @property
    def spool(self) -> Path:
        """Where candidates of the routes are handed over."""
        return self.state_directory / "routes" / "spool"


def load() -> Settings:
    """Read the settings; SettingsError names the key, the value and what is allowed."""
    named = os.environ.get("REMOTEAPP_SETTINGS")
    content = _read(Path(named) if named else DEFAULT_FILE, must_exist=bool(named))
    _refuse_unknown_variables()
    try:
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


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
        words = name.removeprefix(_PREFIX).lower().split("__")
        if name.startswith(_PREFIX) and name != "REMOTEAPP_SETTINGS" and not _is_key(words):
            raise SettingsError(f"{name}: no such setting")


def _is_key(words: list[str]) -> bool:
    field = Settings.model_fields.get(words[0])
    section = field.annotation if field else None
    if isinstance(section, type) and issubclass(section, _Section):
        return len(words) == 2 and words[1] in section.model_fields  # noqa: PLR2004 - section, key
    return field is not None and len(words) == 1


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{key}: missing"
    value = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
    message = "no such setting" if first["type"] == "extra_forbidden" else first["msg"]
    return f"{key}{value}: {message}"
