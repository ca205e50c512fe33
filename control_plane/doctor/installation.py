"""One installation as the checks see it: where its parts lie, its settings, its stores, its engine.

Invariant: nothing is changed or brought up to date by being looked at; what does not answer is
waited for once, however many checks ask for it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from control_plane import installed
from control_plane import settings as settings_module
from control_plane.adapters import database_health, host_programs
from control_plane.adapters.database_health import Health
from control_plane.adapters.docker_place import EnginePlace
from control_plane.adapters.engine_client import ConditionClient, EngineClient
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.state_owner import acting_as_owner
from control_plane.domain.engine_facts import Facts
from control_plane.domain.entities import Grant, Image, Session, User
from control_plane.domain.ports import Container, Engine
from control_plane.errors import ControlPlaneError, StoreUnavailableError
from control_plane.installed import OpenStores
from control_plane.settings import Settings

SERVICE = "remoteapp"  # the account, the group and the unit
ENGINE_SECONDS = 5.0
T = TypeVar("T")


def _named_settings() -> Path:
    return Path(os.environ.get("REMOTEAPP_SETTINGS") or settings_module.DEFAULT_FILE)


def _secret() -> Path:
    return Path(os.environ.get("CREDENTIALS_DIRECTORY") or "/etc/remoteapp") / "secret"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts lie that no setting names, and whom the service runs as."""

    account: str = SERVICE
    engine_account: str = f"{SERVICE}-engine"
    forwarder_account: str = f"{SERVICE}-forwarder"
    pam_account: str = f"{SERVICE}-pam"

    settings: Path = field(default_factory=_named_settings)
    secret: Path = field(default_factory=_secret)
    certificates: Path = Path("/etc/remoteapp/tls")
    rules: Path = Path("/etc/remoteapp/engine.toml")
    socket: Path = Path("/run/remoteapp/control-plane.sock")
    engine_socket: Path = Path("/run/remoteapp/engine.sock")
    pam_socket: Path = Path("/run/remoteapp/pam.sock")
    forwarder_socket: Path = Path("/run/remoteapp/forwarder.sock")
    forwarder_control: Path = Path("/run/remoteapp/forwarder-control.sock")
    nginx: Path = Path("/etc/nginx/remoteapp")
    nginx_program: Path = Path("/usr/sbin/nginx")
    nginx_config: Path = Path("/etc/nginx/nginx.conf")
    pam: Path = Path("/etc/pam.d")
    shadow: Path = Path("/etc/shadow")


class _Once(Generic[T]):
    """Asks once, and answers alike for ever: with the same error, too."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._answer: list[T] = []
        self._error: ControlPlaneError | None = None

    def __call__(self) -> T:
        if self._error:
            raise self._error
        if not self._answer:
            try:
                self._answer.append(self._ask())
            except ControlPlaneError as error:
                self._error = error
                raise
        return self._answer[0]


class Installation:
    """What there is to look at; close it in the end."""

    def __init__(self, places: Places, load: Callable[[], Settings] = settings_module.load) -> None:
        """Look at nothing yet; `load` gives the settings, SettingsError."""
        self.places = places
        self._settings = _Once(load)
        self._facts = _Once(self._ask_engine)
        self._images = _Once(self._ask_images)
        self._health = _Once(self._look_at_database)
        self._stores = _Once(self._open_stores)
        self._opened: list[OpenStores] = []

    @property
    def settings(self) -> Settings:
        """The settings; SettingsError."""
        return self._settings()

    @property
    def state(self) -> Path:
        """Where the databases and the routes lie, which no setting moves."""
        return Settings.model_construct().state_directory

    @property
    def is_apart(self) -> bool:
        """Whether engine and passwords are behind doors of their own, as on a host with units."""
        return self.places.rules.exists() or host_programs.has_systemd()

    @property
    def engine_place(self) -> EnginePlace:
        """Where the engine is; SettingsError."""
        return installed.engine_place(self.settings)

    @property
    def facts(self) -> Facts:
        """What the engine says of itself; EngineUnavailableError says why it does not."""
        return self._facts()

    @property
    def containers(self) -> tuple[Container, ...]:
        """This realm's containers, as they are now."""
        with self._engine() as engine:
            return tuple(engine.containers())

    @property
    def images(self) -> dict[str, Image]:
        """What the engine has, by each name."""
        return self._images()

    @property
    def health(self) -> tuple[Health, ...]:
        """How the databases are, accounting's and records'."""
        return self._health()

    @property
    def stores(self) -> OpenStores:
        """Accounting and records, for use `as_service`; StoreUnavailableError for old ones."""
        return self._stores()

    def grants(self) -> Sequence[Grant]:
        """Return what is granted; StoreUnavailableError as `stores`."""
        with self.as_service():
            return self.stores.accounting.grants()

    def users(self) -> Sequence[User]:
        """Return who may sign in; StoreUnavailableError as `stores`."""
        with self.as_service():
            return self.stores.accounting.users()

    def open_sessions(self) -> Sequence[Session]:
        """Return the sessions that are not over; StoreUnavailableError as `stores`."""
        with self.as_service():
            return self.stores.records.open_sessions()

    @contextmanager
    def as_service(self) -> Iterator[None]:
        """Act as the account whose state it is: root opens none of its databases."""
        with acting_as_owner(self.state / "remoteapp.db"):
            yield

    def close(self) -> None:
        """Close what was opened."""
        with self.as_service():
            for one in self._opened:
                one.close()

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        self._facts()  # which an engine that hangs has failed already
        if door := installed.engine_door():
            yield EngineClient(door, ENGINE_SECONDS)
            return
        # Not above: the service, which is told of the door, does without the SDK.
        from control_plane.adapters.engine import DockerEngine  # noqa: PLC0415 - as said

        place, seconds = self.engine_place, ENGINE_SECONDS
        with closing(DockerEngine(self.settings.realm, place, timeout=seconds)) as engine:
            yield engine

    def _ask_images(self) -> dict[str, Image]:
        with self._engine() as engine:
            return dict(engine.images())

    def _ask_engine(self) -> Facts:
        if door := installed.engine_door():
            return ConditionClient(door, 2 * ENGINE_SECONDS).facts()
        from control_plane.adapters import engine_facts  # noqa: PLC0415 - as for `_engine`

        return engine_facts.ask(self.engine_place, self.settings.realm, ENGINE_SECONDS)

    def _look_at_database(self) -> tuple[Health, ...]:
        found = self.settings
        parts = {"records": (found.records_url, found.records.password_file)}
        if not (found.accounting.class_ or found.accounting_file):
            parts["accounting"] = (found.accounting_url, found.accounting.password_file)
        with self.as_service():
            return tuple(
                database_health.look(part, url, password_file)
                for part, (url, password_file) in sorted(parts.items())
            )

    def _open_stores(self) -> OpenStores:
        # Opening would bring them up to date, which is the service's to do, with a backup.
        if not all(one.is_current for one in self.health):
            raise StoreUnavailableError("The database is not ready for this version.")
        opened = installed.open_stores(self.settings, PamHost(self.settings.auth.pam_service))
        self._opened.append(opened)
        return opened
