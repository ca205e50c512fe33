"""Every setting, read once, typed; a bad one fails by its name, its value and what is allowed.

The file is `/etc/remoteapp/settings.toml` (`REMOTEAPP_SETTINGS` names another); each key is
overridden by `REMOTEAPP_<SECTION>__<KEY>`. Places follow systemd's variables.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from control_plane.errors import SettingsError

DEFAULT_FILE = Path("/etc/remoteapp/settings.toml")
_LEAST_SECRET = 32
_RANGE_LENGTH = 20
_LEAST_UID, _LARGEST_UID = 1000, 2**31 - 1
_DATABASES = ("sqlite", "postgresql", "postgres", "mariadb", "mysql")
_PREFIX = "REMOTEAPP_"
_NO_SETTINGS = ("REMOTEAPP_SETTINGS", "REMOTEAPP_TOKEN")  # the file, and a client's token
_REALM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("an absolute path without ..")
    return path


def _directory(path: Path) -> Path:
    if not os.path.isdir(_absolute(path)):  # noqa: PTH112 - False, too, where we may not look
        raise ValueError("an absolute path of a directory that exists")
    return path


def _provider_address(value: str) -> str:
    parts = urlsplit(value)
    odd = parts.query or parts.fragment or parts.username
    if parts.scheme != "https" or not parts.hostname or odd:
        raise ValueError("an https address such as https://login.example.org")
    return value


def _uids(value: tuple[int, int]) -> tuple[int, int]:
    if not _LEAST_UID <= value[0] <= value[1] <= _LARGEST_UID:
        raise ValueError(f"the first and the last uid, {_LEAST_UID} to {_LARGEST_UID}")
    return value


def _session_range(value: IPv4Network) -> IPv4Network:
    if value.prefixlen != _RANGE_LENGTH or not value.is_private:
        raise ValueError("a /20 of private addresses such as 10.213.0.0/20")
    return value


def _database_address(value: str) -> str:
    if "://" in value and urlsplit(value).password is not None:
        raise ValueError("an address without a password, which stands in password_file")
    return value


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Directory = Annotated[Path, AfterValidator(_directory)]
Word = Annotated[str, Field(min_length=1)]
DottedPath = Annotated[str, Field(pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*[.:][A-Za-z_]\w*)?$")]


class Oidc(_Section):
    """How this portal is registered at an OpenID Connect provider."""

    issuer: Annotated[str, AfterValidator(_provider_address)]
    client_id: Word
    client_secret_file: AbsolutePath
    name_claim: Word = "preferred_username"
    groups_claim: str = ""
    ca_file: AbsolutePath | None = None


class Github(_Section):
    """How this portal is registered at GitHub, or at a GitHub of one's own."""

    client_id: Word
    client_secret_file: AbsolutePath
    url: Annotated[str, AfterValidator(_provider_address)] = "https://github.com"
    ca_file: AbsolutePath | None = None


class Auth(_Section):
    """Who may sign in, and how."""

    methods: Annotated[
        tuple[Literal["pam", "virtual", "oidc", "github", "world"], ...], Field(min_length=1)
    ] = ("pam", "virtual")
    pam_service: str = "remoteapp"
    virtual_uids: Annotated[tuple[int, int], AfterValidator(_uids)] = (70000, 99999)
    admins: tuple[str, ...] = ()
    auto_create_users: bool = False
    allow_list_file: AbsolutePath | None = None
    oidc: Oidc | None = None
    github: Github | None = None


class Store(_Section):
    """Where a database lies: an address, or a path; empty is the file in the state."""

    url: Annotated[str, AfterValidator(_database_address)] = ""
    password_file: AbsolutePath | None = None


class AccountingStore(Store):
    """Where accounting lies, or by which class of the operator's own it is kept."""

    class_: DottedPath = Field(default="", alias="class")


class EngineSettings(_Section):
    """The container engine; times in seconds."""

    host: str = ""
    tls_ca: AbsolutePath | None = None
    tls_cert: AbsolutePath | None = None
    tls_key: AbsolutePath | None = None
    reach: Literal["bridge", "loopback"] = "bridge"
    session_range: Annotated[IPv4Network, AfterValidator(_session_range)] | None = None
    start_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60
    stop_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10


class LimitSettings(_Section):
    """Bounds of a site, and what a policy gives where it says nothing; memory in bytes."""

    sessions_per_user: Annotated[int, Field(ge=1)] = 10
    keep_ended: Annotated[int, Field(ge=0)] = 7 * 24 * 3600
    memory: Annotated[int, Field(ge=16 * 1024**2)] = 2 * 1024**3
    cpus: Annotated[float, Field(ge=0.05, allow_inf_nan=False)] = 2
    pids: Annotated[int, Field(ge=16)] = 512
    max_sessions: Annotated[int, Field(ge=1)] = 1
    network: Literal["internet", "none"] = "internet"
    max_lifetime: Annotated[int, Field(ge=0)] = 0


class VolumeSettings(_Section):
    """Below which directories of the host a policy may mount."""

    roots: tuple[Directory, ...] = ()


class Demo(_Section):
    """What everyone who signs in may start: fields of a policy, by image."""

    applications: dict[str, dict[str, Any]] = {}


class Settings(BaseSettings):
    """One installation."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="__"
    )

    realm: str = "remoteapp"
    public_url: str
    auth: Auth = Auth()
    accounting: AccountingStore = AccountingStore()
    records: Store = Store()
    engine: EngineSettings = EngineSettings()
    limits: LimitSettings = LimitSettings()
    volumes: VolumeSettings = VolumeSettings()
    demo: Demo = Demo()

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
        return self.accounting.url or self._default_database

    @property
    def records_url(self) -> str:
        """Where records lie: in accounting's database, where that is one, unless told otherwise."""
        is_a_database = not (self.accounting.class_ or self.accounting_file)
        beside = self.accounting_url if is_a_database else self._default_database
        return self.records.url or beside

    @property
    def _default_database(self) -> str:
        return str(self.state_directory / "remoteapp.db")

    @property
    def accounting_file(self) -> Path | None:
        """The CSV file that accounting is read from; None where it lies elsewhere."""
        url = self.accounting.url
        is_csv = url.startswith("csv:") or ("://" not in url and url.endswith(".csv"))
        return Path(url.removeprefix("csv://").removeprefix("csv:")) if is_csv else None

    @property
    def routes_status(self) -> Path:
        """What the one-shot that installs the routes says of the last hand-over."""
        return Path(os.environ.get("ROUTES_STATUS", "/run/remoteapp-routes/status.json"))

    @property
    def boot_marker(self) -> Path:
        """What lies there once the service has looked after what a restart of the host ended."""
        return Path(os.environ.get("RUNTIME_DIRECTORY", "/run/remoteapp-service")) / "booted"

    @property
    def spool(self) -> Path:
        """Where candidates of the routes are handed over."""
        return self.state_directory / "routes" / "spool"


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
        words = name.removeprefix(_PREFIX).lower().split("__")
        if name.startswith(_PREFIX) and name not in _NO_SETTINGS and not _is_key(words):
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
    return next((one for one in kinds if issubclass(one, _Section)), None)


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


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
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
    names = [one for one in os.environ if one.startswith(_PREFIX) and os.environ[one] == value]
    return f"{' or '.join(names)} = {value!r}: must be JSON, such as '[\"alice\"]'"


def _without_password(value: object) -> object:
    return re.sub(r"(://[^:@/]*):.*@", r"\1:…@", value) if isinstance(value, str) else value
