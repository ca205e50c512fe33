"""A real OpenID Connect provider on this machine, and the people who have accounts there."""

import hashlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from control_plane.trial.places import CLONE

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "server.mjs")
CLIENT_ID = "remoteapp"
CLIENT_SECRET = "the secret that the provider knows"


@dataclass
class OidcServer:
    """The provider; who comes is signed in as `who`."""

    directory: Path
    port: int
    callbacks: list[str]
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def secret_file(self) -> Path:
        return self.directory / "client-secret"

    def be(self, who: str, **claims: Any) -> None:
        """Sign in whoever comes as this account, with these claims; the empty one cancels."""
        people = {"who": who, "accounts": {who: claims}}
        fresh = self.directory / "people.new"
        fresh.write_text(json.dumps(people))
        fresh.replace(self.directory / "people.json")

    def start(self) -> None:
        """Start it and wait until it listens."""
        log = (self.directory / "log").open("ab")
        words = ["node", str(_installed() / "server.mjs"), str(self.directory / "settings.json")]
        with log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._listens():
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, "the provider does not listen"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def oidc_server(*callbacks: str) -> Iterator[OidcServer]:
    """Run a provider that leads back to these addresses, until the context ends."""
    with tempfile.TemporaryDirectory(prefix="remoteapp-oidc-", dir="/var/tmp") as made:
        server = OidcServer(Path(made), _free_port(), list(callbacks))
        _write(server)
        server.be("")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _write(server: OidcServer) -> None:
    directory = server.directory
    directory.chmod(0o755)  # the control plane's account reads the authority and the secret
    authority = trustme.CA()
    authority.cert_pem.write_to_path(server.ca)
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    server.secret_file.write_text(f"{CLIENT_SECRET}\n")
    settings = {
        "issuer": server.issuer,
        "port": server.port,
        "key": str(directory / "key.pem"),
        "certificate": str(directory / "cert.pem"),
        "people": str(directory / "people.json"),
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "callbacks": server.callbacks,
    }
    (directory / "settings.json").write_text(json.dumps(settings))


def _installed() -> Path:
    """Install what the lock names, once for each state of these files."""
    state = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()
    place = CLONE / "var" / "cache" / f"oidc-{state[:16]}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=place.parent))
        for name in FILES:
            shutil.copy(HERE / name, fresh)
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(words, cwd=fresh, check=True)
        fresh.replace(place)
    return place


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
