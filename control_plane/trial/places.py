"""What one portal is told, and where its parts lie: what is kept, what lives while it runs."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.trial.account import Account

CLONE = Path(__file__).resolve().parents[2]
TEMPLATES = CLONE / "nginx"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalOptions:
    """What sets one portal apart from another on this machine.

    `serve` is how the control plane is started, `door` how the engine's door is: the own command,
    or what stands in for it.
    `settings` are lines for the settings file besides realm and address, by section: `{"limits":
    {"cpus": 1}}`. `restart`: whether what dies is started again. `signin_rate` is nginx's.
    Applications live on `apps_port`; with an `apps_domain` the portal is that name and each session
    a host below it; with neither all is one origin.
    `session_range` is what holds the sessions' addresses; empty: what the engine here says.
    `engine_rules` are keys for the file of the engine's door beside those that follow from the
    settings.
    """

    directory: Path
    realm: str
    port: int
    account: Account
    apps_port: int = 0
    apps_domain: str = ""
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    restart: bool = True
    signin_rate: str = "2r/s"
    serve: tuple[str, ...] = ()
    door: tuple[str, ...] = ()
    session_range: str = ""
    engine_rules: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one portal.

    `directory` is kept. `run` holds what nginx's workers must reach: they may not be able to enter
    the clone, and a socket's path has to be short.
    """

    directory: Path
    run: Path

    @property
    def state(self) -> Path:
        """The control plane's own: databases, spool."""
        return self.directory / "state"

    @property
    def database(self) -> Path:
        """Accounting and records."""
        return self.state / "remoteapp.db"

    @property
    def engine_rules(self) -> Path:
        """What the engine's door lets through: root's own."""
        return self.directory / "engine.toml"

    @property
    def engine_state(self) -> Path:
        """The own directory of the engine's door."""
        return self.directory / "engine"

    @property
    def engine_socket(self) -> Path:
        """Where the control plane reaches the engine's door."""
        return self.run / "engine.sock"

    @property
    def spool(self) -> Path:
        """Where the control plane hands over its routes."""
        return self.state / "routes" / "spool"

    @property
    def credentials(self) -> Path:
        """The secret that signs cookies."""
        return self.directory / "credentials"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.directory / "settings.toml"

    @property
    def certificates(self) -> Path:
        """The authority and the portal's certificate."""
        return self.directory / "tls"

    @property
    def nginx(self) -> Path:
        """The rendered configuration, and the routes that are installed."""
        return self.directory / "nginx"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.directory / "log"

    @property
    def routes_status(self) -> Path:
        """What the routes one-shot reports; beyond the reach of the control plane."""
        return self.run / "routes-status.json"

    @property
    def boot_marker(self) -> Path:
        """Says that the host has not restarted: a trial ends its own sessions when it starts."""
        return self.run / "booted"

    @property
    def socket(self) -> Path:
        """Where nginx reaches the control plane."""
        return self.run / "control-plane.sock"

    @property
    def forwarder_socket(self) -> Path:
        """Where nginx reaches the forwarder."""
        return self.run / "forwarder.sock"

    @property
    def forwarder_control(self) -> Path:
        """Where the control plane reaches the forwarder."""
        return self.run / "forwarder-control.sock"

    @property
    def pam_socket(self) -> Path:
        """Where the control plane asks whether a password is right."""
        return self.run / "pam.sock"


def command(name: str) -> str:
    """Return the path of one of our commands, beside the Python that runs."""
    return str(Path(sys.executable).parent / name)
