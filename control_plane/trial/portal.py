"""One whole portal on this machine: control plane, nginx in front, routes installed between them.

Invariant: after `stop` no process, socket, container or network of the realm is left; homes are.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from control_plane.adapters import certificates
from control_plane.adapters.engine import DockerEngine
from control_plane.trial import engine_process, gateway, leftovers, processes
from control_plane.trial.account import FORWARDER, PAM, Account, beside, environment, worker_gid
from control_plane.trial.places import Places, PortalOptions, command
from control_plane.trial.spool import SpoolWatch
from control_plane.trial.supervised import Command, Supervised, failed

_NAMES = ("localhost", "127.0.0.1", "::1")
_READY_SECONDS = 30.0
_POLL = 0.05
_BACKLOG = 1024


class Portal:
    """A portal that runs between `start` and `stop`, or inside a `with`."""

    def __init__(self, options: PortalOptions) -> None:
        """Prepare; nothing is made before `start`."""
        self.options = options
        self.places = Places(options.directory, Path(f"/run/remoteapp-{options.realm}"))
        self.url = f"https://{options.apps_domain or _NAMES[0]}:{options.port}"
        self._stack = ExitStack()

    @property
    def authority(self) -> Path:
        """The certificate that a client is told to trust."""
        return self.places.certificates / "ca.pem"

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def prepare(self) -> None:
        """Make the directories, settings, secret and certificates that lack."""
        _make_directories(self.places, self.options.account)
        self.places.settings.write_text(_settings_text(self.options, self.url))
        _make_secret(self.places.credentials / "secret", self.options.account)
        names = _names(self.options)
        engine_process.prepare(self.places, self.options)
        certificates.provided(self.places.certificates, names, "Remoteapp trial authority")

    def start(self) -> None:
        """Start everything and wait until it answers; on an error nothing is left."""
        with self._stack as undo:
            self.prepare()
            mend(self.places.run)
            leftovers.sweep(self.options.realm)
            self._start_parts(undo)
            self.wait_until_ready()
            self._stack = undo.pop_all()

    def stop(self) -> None:
        """Stop everything and remove what the realm has in the engine, but for the homes."""
        self._stack.close()

    def kill_control_plane(self, number: int = signal.SIGKILL) -> None:
        """Kill it; it comes back by itself if `restart` says so."""
        self._control_plane.kill(number)

    def start_control_plane(self) -> None:
        """Start it again where it does not come back by itself."""
        self._control_plane.start()

    def kill_forwarder(self, number: int = signal.SIGKILL) -> None:
        """Kill it; it comes back by itself if `restart` says so."""
        self._forwarder.kill(number)

    def start_forwarder(self) -> None:
        """Start it again where it does not come back by itself."""
        self._forwarder.start()

    def kill_engine(self, number: int = signal.SIGKILL) -> None:
        """Kill the engine's door; it comes back by itself if `restart` says so."""
        self._engine.kill(number)

    def start_engine(self) -> None:
        """Start it again where it does not come back by itself."""
        self._engine.start()

    def kill_nginx(self, number: int = signal.SIGKILL) -> None:
        """Kill it with its workers; it comes back by itself if `restart` says so."""
        self._nginx.kill(number)

    def start_nginx(self) -> None:
        """Start it again where it does not come back by itself."""
        self._nginx.start()

    @property
    def control_plane_pid(self) -> int | None:
        """The control plane's process now; None while there is none."""
        return self._control_plane.pid

    @property
    def forwarder_pid(self) -> int | None:
        """The forwarder's process now; None while there is none."""
        return self._forwarder.pid

    @property
    def engine_pid(self) -> int | None:
        """The process of the engine's door now; None while there is none."""
        return self._engine.pid

    @property
    def nginx_pid(self) -> int | None:
        """The process of nginx's master now; None while there is none."""
        return self._nginx.pid

    def wait_until_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Return when the portal says it is ready; ControlPlaneError after that many seconds."""
        trust = ssl.create_default_context(cafile=self.authority)
        deadline = time.monotonic() + seconds
        # Browsers know that what ends with .localhost is this machine, and few other programs do.
        here, host = f"https://localhost:{self.options.port}", self.url.removeprefix("https://")
        told = {"Host": host}
        with httpx.Client(base_url=here, headers=told, verify=trust, trust_env=False) as client:
            while not _is_ready(client):
                if time.monotonic() > deadline:
                    raise failed("The portal is not ready", self._least_ready_log(client))
                time.sleep(_POLL)

    def _start_parts(self, undo: ExitStack) -> None:
        places, options = self.places, self.options
        undo.callback(shutil.rmtree, places.run, ignore_errors=True)
        places.run.mkdir(mode=0o755)
        places.boot_marker.touch()
        undo.callback(leftovers.sweep, options.realm)
        session_range = options.session_range or DockerEngine(options.realm).session_range()
        listener = undo.enter_context(listening(places.socket, options.account))
        public = undo.enter_context(listening(places.forwarder_socket, options.account))
        control = undo.enter_context(listening(places.forwarder_control, options.account, 0o600))
        self._forwarder = self._supervised(_forwarder(places, options, public, control))
        self._start_pam(undo)
        self._start_engine(undo)
        self._control_plane = self._supervised(_control_plane(places, options, listener))
        self._nginx = self._supervised(gateway.nginx(places, self.url, options, session_range))
        spool = SpoolWatch(
            places.spool,
            gateway.install(places, options, session_range),
            places.logs / "routes.log",
            environment(),
        )
        undo.callback(spool.stop)
        undo.callback(self._control_plane.stop, 7)
        undo.callback(self._forwarder.stop, 5)
        undo.callback(self._nginx.stop, 5)
        self._forwarder.start()
        self._control_plane.start()
        self._nginx.start()
        spool.start()

    def _start_pam(self, undo: ExitStack) -> None:
        place, account = self.places.pam_socket, self.options.account
        listener = undo.enter_context(listening(place, account, 0o600))
        process = self._supervised(_pam(self.places, self.options, listener))
        undo.callback(process.stop, 2)
        process.start()

    def _start_engine(self, undo: ExitStack) -> None:
        place, account = self.places.engine_socket, self.options.account
        listener = undo.enter_context(listening(place, account, 0o600))
        self._engine = self._supervised(engine_process.process(self.places, self.options, listener))
        undo.callback(self._engine.stop, 7)
        self._engine.start()

    def _supervised(self, wanted: Command) -> Supervised:
        pid_file = self.places.run / f"{wanted.name}.process"
        return Supervised(wanted, pid_file, restart=self.options.restart)

    def _least_ready_log(self, client: httpx.Client) -> Path:
        try:
            client.get("/healthz").raise_for_status()
        except httpx.TransportError:
            return self._nginx.command.log
        except httpx.HTTPStatusError:
            return self._control_plane.command.log
        return self.places.logs / "routes.log"


def mend(run: Path) -> None:
    """End the processes that a killed launcher left, and remove what they lived on."""
    for path in run.glob("*.process"):
        if leader := processes.recall(path):
            processes.end(leader, 5)
    shutil.rmtree(run, ignore_errors=True)


def listening(path: Path, account: Account, mode: int = 0o660) -> socket.socket:
    """Bind what outlives every restart of who serves it, so that none refuses a request."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(mode)
    os.chown(path, account.uid, worker_gid())
    listener.listen(_BACKLOG)
    return listener


def _names(options: PortalOptions) -> tuple[str, ...]:
    domain = options.apps_domain
    return (*([domain, f"*.{domain}"] if domain else []), *_NAMES)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _control_plane(places: Places, options: PortalOptions, listener: socket.socket) -> Command:
    return Command(
        name="control-plane",
        words=options.serve or (command("control-plane"), "serve"),
        log=places.logs / "control-plane.log",
        environment=environment(
            REMOTEAPP_SETTINGS=str(places.settings),
            STATE_DIRECTORY=str(places.state),
            RUNTIME_DIRECTORY=str(places.run),
            ROUTES_STATUS=str(places.routes_status),
            CREDENTIALS_DIRECTORY=str(places.credentials),
            FORWARDER_SOCKET=str(places.forwarder_control),
            PAM_SOCKET=str(places.pam_socket),
            ENGINE_SOCKET=str(places.engine_socket),
            HOME=str(places.state),
        ),
        account=options.account,
        listener=listener,
    )


def _forwarder(
    places: Places, options: PortalOptions, public: socket.socket, control: socket.socket
) -> Command:
    return Command(
        name="forwarder",
        words=(command("control-plane"), "forward"),
        log=places.logs / "forwarder.log",
        environment=environment(),
        account=beside(options.account, FORWARDER),
        listener=public,
        control=control,
    )


def _pam(places: Places, options: PortalOptions, listener: socket.socket) -> Command:
    return Command(
        name="pam",
        words=(command("control-plane"), "pam", "--account", options.account.name),
        log=places.logs / "pam.log",
        environment=environment(),
        account=beside(options.account, PAM),
        listener=listener,
    )


def _make_directories(places: Places, account: Account) -> None:
    for path in (places.directory, places.logs, places.nginx):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    for path in (places.state, places.spool.parent, places.spool, places.credentials):
        path.mkdir(mode=0o700, exist_ok=True)
    for own in (places.state, places.credentials):
        for path in (own, *own.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _make_secret(path: Path, account: Account) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
        os.chown(path, account.uid, account.gid)


def _settings_text(options: PortalOptions, url: str) -> str:
    lines = [
        f"realm = {json.dumps(options.realm)}",
        f"public_url = {json.dumps(url)}",
        f"apps_domain = {json.dumps(options.apps_domain)}",
        f"apps_port = {options.apps_port}",
    ]
    for section, keys in options.settings.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"
