"""A whole portal of the tests' own, and the people who use it."""

import fcntl
import os
import pwd
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import openapi_check

from control_plane.domain.entities import SCOPES
from control_plane.domain.origins import Origins
from control_plane.errors import ControlPlaneError
from control_plane.trial import fit, host, leftovers, programs
from control_plane.trial.account import environment
from control_plane.trial.places import CLONE, PortalOptions, command
from control_plane.trial.portal import Portal
from control_plane.web import openapi
from control_plane.web.app import API

# Everyone's password is the name, and more; dora is an account of this machine, known through PAM.
CAST = ("alice", "bob", "charlie", "admin", "dora")
HELLO, TERMINAL, JUPYTER = (f"remoteapp/{name}:latest" for name in ("hello", "terminal", "jupyter"))
GRANTED = {"alice": (HELLO, TERMINAL, JUPYTER), "bob": (HELLO, TERMINAL), "dora": (HELLO, TERMINAL)}
OWN_SCOPES = ("sessions:read", "sessions:write", "shares:write")
LOGS = CLONE / "var" / "test-log"
KEPT_LOGS = 20
# What ends somebody's tokens, those of the tests too.
ENDING = {("user", verb) for verb in ("password", "remove")}


class LikeABrowser(httpx.HTTPTransport):
    """Knows that what ends with .localhost is this machine, which few other programs do.

    Asks once more where a kept connection ends unanswered, as nginx's do at a reload.
    """

    def handle_request(self, asked: httpx.Request) -> httpx.Response:
        request = _of_this_machine(asked)
        try:
            return super().handle_request(request)
        except httpx.RemoteProtocolError as error:
            if "without sending a response" not in str(error):
                raise
            return super().handle_request(request)


def _of_this_machine(request: httpx.Request) -> httpx.Request:
    if not request.url.host.endswith(".localhost"):
        return request
    return httpx.Request(
        request.method,
        request.url.copy_with(host="localhost"),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


@dataclass
class RunningPortal:
    """The portal under test; `dora` is the name of the system user."""

    portal: Portal
    dora: str
    volumes: Path
    grants: dict[tuple[str, str], str] = field(default_factory=dict)
    _clients: ExitStack = field(default_factory=ExitStack)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.portal.url

    def home(self, session_id: str) -> str:
        """Return the origin that a session's application lives on."""
        options = self.portal.options
        return Origins(self.url, options.apps_domain, options.apps_port).of(session_id)

    @property
    def realm(self) -> str:
        return self.portal.options.realm

    @property
    def ca(self) -> Path:
        return self.portal.authority

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """What a client of the tests believes: the portal's authority, and nobody else."""
        return ssl.create_default_context(cafile=self.ca)

    @cached_property
    def judged(self) -> Callable[[openapi_check.AnyResponse], None]:
        """What judges every answer by the portal's own OpenAPI document."""
        return openapi_check.hook(openapi.build(API))

    def sign_in_name(self, name: str) -> str:
        return self.dora if name == "dora" else name

    def password(self, name: str) -> str:
        return f"{name}-has-a-long-password"

    def guest(self, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """Return a client that nobody has signed in with, coming from a loopback address."""
        transport = LikeABrowser(verify=self.trust, local_address=address)
        client = httpx.Client(
            base_url=self.url,
            transport=transport,
            headers=headers,
            trust_env=False,
            timeout=30,
            event_hooks={"response": [self.judged]},
        )
        return self._clients.enter_context(client)

    def client(self, name: str) -> httpx.Client:
        """Return a client that is signed in by the form, as a browser is."""
        client = self.guest(Origin=self.url)
        form = {"name": self.sign_in_name(name), "password": self.password(name)}
        answer = client.post("/login", data=form)
        assert answer.status_code == 303, answer.text
        return client

    def api(self, name: str) -> httpx.Client:
        """Return a client that brings a token for everything the person may do."""
        return self.guest(Authorization=f"Bearer {self.token(name)}")

    def token(self, name: str) -> str:
        """Return a token for one's own sessions, an administrator's for all; one a person."""
        if name not in self._tokens:
            credentials = (self.sign_in_name(name), self.password(name))
            scopes = SCOPES if name == "admin" else OWN_SCOPES
            body = {"name": "tests", "scopes": list(scopes)}
            answer = self.guest().post("/api/v1/tokens", json=body, auth=credentials)
            assert answer.status_code == 201, answer.text
            self._tokens[name] = answer.json()["token"]
        return self._tokens[name]

    def forget_token(self, name: str) -> None:
        """Have the next token of someone's made anew: this one has ended."""
        self._tokens.pop(name, None)

    def remoteappdb(self, *words: str, line: str = "") -> str:
        """Run a verb with the portal's own settings; return what it prints."""
        if words[:2] in ENDING:
            self._tokens.pop(words[2], None)
        places = self.portal.places
        own = environment(
            REMOTEAPP_SETTINGS=str(places.settings),
            STATE_DIRECTORY=str(places.state),
            CREDENTIALS_DIRECTORY=str(places.credentials),
        )
        return programs.must([command("remoteappdb"), *words], line=line, environment=own)

    def start(self, name: str, image: str = HELLO, **options: str) -> dict[str, Any]:
        """Start an application and wait until it is ready; return the session."""
        api = self.api(name)
        body = {"grant_id": self.grants[name, image], "options": options}
        answer = api.post("/api/v1/sessions", json=body)
        assert answer.status_code == 202, answer.text
        return self.wait_for(api, answer.json()["id"], "ready")

    def stop(self, name: str, session_id: str) -> None:
        """Stop a session and wait until its container is gone."""
        answer = self.api(name).delete(f"/api/v1/sessions/{session_id}")
        assert answer.status_code == 204, answer.text

    def stop_all(self) -> None:
        """Stop every session of the cast."""
        for name in GRANTED:
            for session in self.api(name).get("/api/v1/sessions").json()["items"]:
                self.stop(name, session["id"])

    @contextmanager
    def allowing(self, name: str, image: str = HELLO, **limits: Any) -> Iterator[None]:
        """Have other limits in the policy of someone's grant; those of before hold afterwards."""
        address = f"/api/v1/admin/grants/{self.grants[name, image]}"
        before = self.api("admin").get(address).json()["policy"]
        self._limit(address, limits)
        try:
            yield
        finally:
            self._limit(address, {key: before[key] for key in limits})

    def _limit(self, address: str, limits: dict[str, Any]) -> None:
        answer = self.api("admin").patch(address, json={"policy": limits})
        assert answer.status_code == 200, answer.text

    def wait_for(
        self, api: httpx.Client, session_id: str, state: str, seconds: float = 60
    ) -> dict[str, Any]:
        """Return the session once it is in that state."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = api.get(f"/api/v1/sessions/{session_id}").json()
            if found["state"] == state:
                return found
            assert found["state"] != "failed", found["failure"]
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def mend(self) -> None:
        """Start what a test has killed."""
        self.portal.start_engine()
        self.portal.start_control_plane()
        self.portal.start_forwarder()
        self.portal.start_nginx()
        self.portal.wait_until_ready()

    def close(self) -> None:
        """Close the clients."""
        self._clients.close()


@contextmanager
def running(**options: Any) -> Iterator[RunningPortal]:
    """Run a portal with the whole cast until the end; nothing of it is left then.

    `options` are those of `PortalOptions`. What it logged stays in var/test-log/<realm>.
    """
    with ExitStack() as undo:
        undo.enter_context(service_account())
        dora = undo.enter_context(system_user("dora-has-a-long-password"))
        undo.enter_context(host.pam_service())
        volumes = undo.enter_context(mountable())
        portal = Portal(_options(undo, options, volumes))
        undo.callback(leftovers.sweep, portal.options.realm, volumes=True)
        portal.prepare()
        live = RunningPortal(portal, dora, volumes)
        _people(live)
        undo.callback(_keep_logs, portal)
        undo.enter_context(portal)
        undo.callback(live.close)
        yield live


@contextmanager
def service_account() -> Iterator[None]:
    """Have the accounts of our processes; the last who has them removes what was made here."""
    with host.ACCOUNTS.open("a+") as made:
        fcntl.flock(made, fcntl.LOCK_SH)
        made.writelines(f"{name}\n" for name in host.provide_users())
        made.flush()
        try:
            yield
        finally:
            # A trial or another portal of the tests may use them still.
            with suppress(BlockingIOError, ControlPlaneError):
                fcntl.flock(made, fcntl.LOCK_EX | fcntl.LOCK_NB)
                made.seek(0)
                host.remove_users(set(made.read().split()))
                made.truncate(0)


@contextmanager
def system_user(password: str) -> Iterator[str]:
    """Make an account of this machine with a home; yield its name."""
    name = f"dora{secrets.token_hex(3)}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True)
        yield pwd.getpwnam(name).pw_name
    finally:
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


@contextmanager
def mountable() -> Iterator[Path]:
    """Make a directory that grants may mount from: root's alone, all the way up."""
    with tempfile.TemporaryDirectory(prefix="remoteapp-test-", dir="/srv") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _options(undo: ExitStack, options: dict[str, Any], volumes: Path) -> PortalOptions:
    account, obstacle = fit.chosen()
    assert not obstacle, f"the service's account cannot run the control plane: {obstacle}"
    # Not pytest's own directory: the service's account could not enter it.
    directory = Path(tempfile.mkdtemp(prefix="remoteapp-test-", dir="/var/tmp"))
    undo.callback(shutil.rmtree, directory)
    directory.chmod(0o755)
    own: dict[str, Any] = {
        "directory": directory,
        "realm": f"test-{secrets.token_hex(4)}",
        "port": free_port(),
        "apps_port": free_port(),
        "account": account,
        "restart": False,
        "signin_rate": "",
        # What these allow is seen here; that the host has to allow it, in tests/engine_door.
        "engine_rules": {"allow_legacy_home": True, "allow_powerful_homes": True},
    }
    fixed = {"engine": {"start_timeout": 20}, "sharing": {"guests": True}}
    settings = fixed | options.pop("settings", {})
    settings.setdefault("volumes", {"roots": [str(volumes)]})
    return PortalOptions(**own | options, settings=settings)


def _people(live: RunningPortal) -> None:
    live.remoteappdb("init")
    for image in (HELLO, TERMINAL, JUPYTER):
        live.remoteappdb("app", "create", image)
    for name in CAST:
        kind = ["--kind", "system"] if name == "dora" else []
        role = ["--admin"] if name == "admin" else []
        live.remoteappdb("user", "create", live.sign_in_name(name), *kind, *role)
        if name != "dora":
            live.remoteappdb("user", "password", name, "--stdin", line=live.password(name))
        for image in GRANTED.get(name, ()):
            words = ("app", "grant", image, live.sign_in_name(name), "--allow-home")
            live.grants[name, image] = live.remoteappdb(*words)


def _keep_logs(portal: Portal) -> None:
    target = LOGS / portal.options.realm
    shutil.copytree(portal.places.logs, target)
    os.utime(target)
    for old in sorted(LOGS.iterdir(), key=lambda one: one.stat().st_mtime)[:-KEPT_LOGS]:
        shutil.rmtree(old, ignore_errors=True)
