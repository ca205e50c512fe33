"""All settings of one installation, and the places that follow from them and from systemd."""

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from control_plane.settings.portal import PortalSettings
from control_plane.settings.sections import (
    AccountingStore,
    Auth,
    Demo,
    EngineSettings,
    LimitSettings,
    SharingSettings,
    Store,
    VolumeSettings,
)
from control_plane.settings.values import domain

PREFIX = "REMOTEAPP_"
_REALM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class Settings(BaseSettings):
    """One installation."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    realm: str = "remoteapp"
    public_url: str
    apps_domain: Annotated[str, AfterValidator(domain)] = ""
    apps_port: Annotated[int, Field(ge=0, le=65535)] = 8444
    auth: Auth = Auth()
    accounting: AccountingStore = AccountingStore()
    records: Store = Store()
    engine: EngineSettings = EngineSettings()
    limits: LimitSettings = LimitSettings()
    volumes: VolumeSettings = VolumeSettings()
    sharing: SharingSettings = SharingSettings()
    demo: Demo = Demo()
    portal: PortalSettings = PortalSettings()

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
    def pam_socket(self) -> Path | None:
        """Where another process judges passwords by PAM; None: this one does."""
        return Path(found) if (found := os.environ.get("PAM_SOCKET")) else None

    @property
    def boot_marker(self) -> Path:
        """What lies there once the service has looked after what a restart of the host ended."""
        return Path(os.environ.get("RUNTIME_DIRECTORY", "/run/remoteapp-service")) / "booted"

    @property
    def spool(self) -> Path:
        """Where candidates of the routes are handed over."""
        return self.state_directory / "routes" / "spool"
