"""A second host with nothing but an engine, which shows its certificate and asks for ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from deploy import hosts
from deploy.hosts import Host
from portal import HELLO, JUPYTER, TERMINAL

from control_plane.trial.places import CLONE

PORT = 2376
GUIDE = CLONE / "control_plane" / "README.md"
TLS = "/etc/docker/tls"


@dataclass(frozen=True)
class RemoteEngine:
    """The host, and the settings of a portal on this machine that uses its engine."""

    host: Host
    authority: trustme.CA

    @property
    def address(self) -> str:
        return self.host.address

    def settings(self, directory: Path, *, trusted: trustme.CA | None = None) -> dict[str, str]:
        """Write what a portal proves itself with; return its `[engine]` section."""
        paths = {name: directory / f"{name}.pem" for name in ("ca", "cert", "key")}
        ours = self.authority.issue_cert("portal.example.test")
        (trusted or self.authority).cert_pem.write_to_path(paths["ca"])
        ours.cert_chain_pems[0].write_to_path(paths["cert"])
        paths["key"].touch(mode=0o600)
        ours.private_key_pem.write_to_path(paths["key"])
        files = {f"tls_{name}": str(path) for name, path in paths.items()}
        return {"host": f"tcp://{self.address}:{PORT}", "reach": "loopback", **files}

    def stop(self) -> None:
        """Stop the engine as a fault does: its containers end, too."""
        self.host.run("systemctl stop docker.socket docker.service")

    def start(self) -> None:
        """Start it again."""
        self.host.run("systemctl start docker.service")

    def close_ports(self, portal: str) -> None:
        """Load the rules that the guide gives an operator of such a host."""
        (rules,) = re.findall(r"```nft\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        self.host.put("/etc/remoteapp-engine.nft", rules.replace("192.0.2.10", portal))
        self.host.run("nft --file /etc/remoteapp-engine.nft")

    def open_ports(self) -> None:
        """Take the rules away again."""
        self.host.run("nft delete table inet remoteapp_engine")


@contextmanager
def running() -> Iterator[RemoteEngine]:
    """Boot the host and start its engine, with the images that the cast is granted."""
    with hosts.running("engine", "bookworm") as host:
        host.run("apt-get install -y --no-install-recommends docker.io iptables nftables")
        found = RemoteEngine(host, trustme.CA())
        _listen(found)
        host.load(HELLO, TERMINAL)
        host.run(f"docker tag {HELLO} {JUPYTER}")  # granted, and never started there
        yield found


def _listen(engine: RemoteEngine) -> None:
    shown = engine.authority.issue_cert(engine.address)
    files = {
        "ca": engine.authority.cert_pem,
        "cert": shown.cert_chain_pems[0],
        "key": shown.private_key_pem,
    }
    engine.host.run(f"install -d -m 0700 {TLS}")
    for name, pem in files.items():
        engine.host.put(f"{TLS}/{name}.pem", pem.bytes().decode(), "0600")
    options = [
        f"--host=tcp://0.0.0.0:{PORT} --tlsverify",
        *(f"--tls{flag}={TLS}/{name}.pem" for flag, name in _FLAGS.items()),
    ]
    engine.host.put("/etc/default/docker", f'DOCKER_OPTS="{" ".join(options)}"\n')
    # The tests stop and start it more often than a fault does.
    limits = "/etc/systemd/system/docker.service.d/limits.conf"
    engine.host.run(f"mkdir -p {Path(limits).parent}")
    engine.host.put(limits, "[Unit]\nStartLimitIntervalSec=0\n")
    engine.host.run("systemctl daemon-reload && systemctl restart docker.service")
    hosts.until(lambda: engine.host.run("docker info", check=False).returncode == 0)


_FLAGS = {"cacert": "ca", "cert": "cert", "key": "key"}
