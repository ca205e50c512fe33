"""The sections of the settings that have one purpose each: people, stores, the engine, bounds."""

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from control_plane.domain.values import private_range, uids
from control_plane.settings.values import (
    AbsolutePath,
    Directory,
    DottedPath,
    Section,
    Word,
    database_address,
    provider_address,
)


class Oidc(Section):
    """How this portal is registered at an OpenID Connect provider."""

    issuer: Annotated[str, AfterValidator(provider_address)]
    client_id: Word
    client_secret_file: AbsolutePath
    name_claim: Word = "preferred_username"
    groups_claim: str = ""
    ca_file: AbsolutePath | None = None


class Github(Section):
    """How this portal is registered at GitHub, or at a GitHub of one's own."""

    client_id: Word
    client_secret_file: AbsolutePath
    url: Annotated[str, AfterValidator(provider_address)] = "https://github.com"
    ca_file: AbsolutePath | None = None


class Auth(Section):
    """Who may sign in, and how."""

    methods: Annotated[
        tuple[Literal["pam", "virtual", "oidc", "github", "world"], ...], Field(min_length=1)
    ] = ("pam", "virtual")
    pam_service: str = "remoteapp"
    virtual_uids: Annotated[tuple[int, int], AfterValidator(uids)] = (70000, 99999)
    admins: tuple[str, ...] = ()
    auto_create_users: bool = False
    allow_list_file: AbsolutePath | None = None
    oidc: Oidc | None = None
    github: Github | None = None


class Store(Section):
    """Where a database lies: an address, or a path; empty is the file in the state."""

    url: Annotated[str, AfterValidator(database_address)] = ""
    password_file: AbsolutePath | None = None


class AccountingStore(Store):
    """Where accounting lies, or by which class of the operator's own it is kept."""

    class_: DottedPath = Field(default="", alias="class")


class EngineSettings(Section):
    """The container engine; times in seconds."""

    host: str = ""
    tls_ca: AbsolutePath | None = None
    tls_cert: AbsolutePath | None = None
    tls_key: AbsolutePath | None = None
    reach: Literal["bridge", "loopback"] = "bridge"
    session_range: Annotated[IPv4Network, AfterValidator(private_range)] | None = None
    start_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60
    stop_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10


class LimitSettings(Section):
    """Bounds of a site, and what a policy gives where it says nothing; memory in bytes."""

    sessions_per_user: Annotated[int, Field(ge=1)] = 10
    keep_ended: Annotated[int, Field(ge=0)] = 7 * 24 * 3600
    memory: Annotated[int, Field(ge=16 * 1024**2)] = 2 * 1024**3
    cpus: Annotated[float, Field(ge=0.05, allow_inf_nan=False)] = 2
    pids: Annotated[int, Field(ge=16)] = 512
    open_files: Annotated[int, Field(ge=256)] = 16384
    disk: Annotated[int, Field(ge=0)] = 10 * 1024**3
    max_sessions: Annotated[int, Field(ge=1)] = 1
    network: Literal["internet", "none"] = "internet"
    max_lifetime: Annotated[int, Field(ge=0)] = 0


class VolumeSettings(Section):
    """Below which directories of the host a policy may mount."""

    roots: tuple[Directory, ...] = ()


class SharingSettings(Section):
    """Whom a share's link lets in."""

    guests: bool = False


class Demo(Section):
    """What everyone who signs in may start: fields of a policy, by image."""

    applications: dict[str, dict[str, Any]] = Field(default_factory=dict)
