"""Whole hosts to provision: containers that boot systemd, reached by ssh as an operator does.

Invariant: what a host has, its disk too, is gone with it; nothing of this machine is changed.
"""

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from deploy import host_image
from portal import LikeABrowser

from control_plane.trial.places import CLONE, command

LABEL = "remoteapp-test-host"
DOMAIN = "portal.example.test"
# As a host's root has them: all that the engine knows, but for the four that this kind of machine
# (SYS_RESOURCE, BPF, PERFMON, CHECKPOINT_RESTORE) does not give.
CAPABILITIES = (
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
)
# The machine has the older control groups only.
ENVIRONMENT = {
    "trixie": {
        "SYSTEMD_PROC_CMDLINE": (
            "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0"
        )
    }
}
BOOT_SECONDS = 90
RECAP = re.compile(r"^\S+\s+: ok=\d+\s.*$", re.MULTILINE)
COUNT = re.compile(r"(\w+)=(\d+)")


@dataclass(frozen=True, slots=True)
class Play:
    """How a playbook went: exit status, output, and the numbers of its recap."""

    status: int
    output: str
    seconds: float
    counts: Mapping[str, int]

    @property
    def changed(self) -> int:
        return self.counts["changed"]


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the tests; `directory` holds its inventory, key and what is fetched from it."""

    name: str
    release: str
    container: str
    directory: Path

    @property
    def fqdn(self) -> str:
        return f"{self.name}.{DOMAIN}"

    @property
    def url(self) -> str:
        return f"https://{self.fqdn}"

    @property
    def address(self) -> str:
        found = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.container)
        return found.stdout.strip()

    @property
    def inventory(self) -> Path:
        return self.directory / "inventory"

    def run(
        self, line: str, *, check: bool = True, user: str = "root", given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line on the host; what it printed is in the error when it fails."""
        words = ["exec", *(("-i",) if given is not None else ()), "--user", user, self.container]
        done = docker(*words, "sh", "-c", line, check=False, given=given)
        if check and done.returncode:
            raise AssertionError(f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def out(self, line: str, *, user: str = "root") -> str:
        """Return what a shell line prints, without the end of the last line."""
        return self.run(line, user=user).stdout.rstrip("\n")

    def put(self, path: str, text: str, mode: str = "0644") -> None:
        """Write a file of root's."""
        self.run(f"umask 077; cat >{path}; chmod {mode} {path}", given=text)

    def load(self, *images: str) -> None:
        """Give images of this machine's engine to the host's own, which must run."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "exec", "-i", self.container, "docker", "load"],
                stdin=saved.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )

    def playbook(
        self, name: str = "site.yml", *words: str, check: bool = True, **variables: Any
    ) -> Play:
        """Run a playbook of ours as an operator does: ansible-playbook on this machine, by ssh."""
        return self.play(CLONE, name, *words, check=check, variables=variables)

    def play(
        self,
        sources: Path,
        name: str,
        *words: str,
        check: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> Play:
        """Run a playbook of these sources."""
        begun = time.monotonic()
        given = json.dumps({"remoteapp_public_url": self.url, **(variables or {})})
        done = subprocess.run(
            [
                *(command("ansible-playbook"), "-i", str(self.inventory), f"ansible/{name}"),
                *("--extra-vars", given, *words),
            ],
            cwd=sources,
            env=_environment(self.directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        recap = RECAP.search(output)
        counts = {key: int(value) for key, value in COUNT.findall(recap[0])} if recap else {}
        if check and done.returncode:
            raise AssertionError(f"{name}: exit {done.returncode}\n{output[-6000:]}")
        return Play(done.returncode, output, time.monotonic() - begun, counts)

    def reboot(self) -> None:
        """Shut the host down in order and boot it again; its address may be another then."""
        docker("stop", "--time", "60", self.container)
        docker("start", self.container)
        _await_boot(self)
        _write_inventory(self)

    @property
    def authority(self) -> Path:
        """The certificate of the host's own authority, fetched as an operator hands it out."""
        text = self.out("cat /etc/remoteapp/tls/ca.pem")
        path = self.directory / f"ca-{hashlib.sha256(text.encode()).hexdigest()[:12]}.pem"
        fresh = path.with_suffix(f".{threading.get_ident()}")
        fresh.write_text(text)
        return fresh.rename(path)

    def client(self, **headers: str) -> httpx.Client:
        """Return a client that finds the host by its name, and trusts its authority alone."""
        return self.clients()(**headers)

    def clients(self) -> Callable[..., httpx.Client]:
        """Return what makes such clients of an address and an authority that are asked for once."""
        address, trust = self.address, ssl.create_default_context(cafile=self.authority)

        def client(**headers: str) -> httpx.Client:
            return httpx.Client(
                base_url=self.url,
                transport=_ByAddress(address, trust),
                headers=headers,
                trust_env=False,
                timeout=60,
            )

        return client


class _ByAddress(LikeABrowser):
    """Goes to one address whatever the name: no resolver of this machine knows the hosts."""

    def __init__(self, address: str, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        self._address = address

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=self._address)
        return super().handle_request(request)


@contextmanager
def running(name: str, release: str = "bookworm", *, keep: bool = False) -> Iterator[Host]:
    """Boot a bare host; it is removed in the end, with all it had, unless it is to be kept."""
    directory = Path(tempfile.mkdtemp(prefix=f"remoteapp-host-{name}-"))
    container = f"remoteapp-host-{name}-{os.getpid()}" if not keep else f"remoteapp-host-{name}"
    host = Host(name, release, container, directory)
    try:
        _boot(host)
        yield host
    finally:
        if not keep:
            remove(host)


def remove(host: Host) -> None:
    """Remove a host with its disk."""
    docker("rm", "--force", "--volumes", host.container, check=False)
    shutil.rmtree(host.directory, ignore_errors=True)


def docker(
    *words: str, check: bool = True, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the docker command."""
    return subprocess.run(
        ["docker", *words], input=given, capture_output=True, text=True, check=check
    )


def until(true: Callable[[], object], seconds: float = 60, why: str = "") -> None:
    """Wait for something to come to pass."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why or "it did not come to pass"
        time.sleep(0.2)


def _boot(host: Host) -> None:
    image = host_image.provided(host.release)
    variables = ENVIRONMENT.get(host.release, {})
    docker(
        *("run", "--detach", "--name", host.container, "--hostname", host.fqdn),
        *("--label", LABEL, "--cap-drop", "ALL"),
        *(f"--cap-add={one}" for one in CAPABILITIES),
        *(
            "--stop-signal",
            "SIGRTMIN+3",
            "--security-opt",
            "seccomp=unconfined",
            "--cgroupns",
            "host",
        ),
        *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
        *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--volume", "/var/lib/docker"),
        *(f"--env={name}={value}" for name, value in variables.items()),
        image,
        "/lib/systemd/systemd",
    )
    _await_boot(host)
    _let_operator_in(host)
    _write_inventory(host)


def _await_boot(host: Host) -> None:
    def booted() -> bool:
        done = host.run("systemctl is-system-running", check=False)
        return done.stdout.strip() in ("running", "degraded")

    until(booted, BOOT_SECONDS, f"{host.name} does not boot")
    until(lambda: host.run("ss -Hltn sport = :22", check=False).stdout, why="no sshd")


def _let_operator_in(host: Host) -> None:
    key = host.directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    home = f"/home/{host_image.OPERATOR}/.ssh"
    host.run(f"install -d -m 0700 -o {host_image.OPERATOR} {home}")
    host.put(f"{home}/authorized_keys", key.with_suffix(".pub").read_text())
    host.run(f"chown {host_image.OPERATOR} {home}/authorized_keys")


def _write_inventory(host: Host) -> None:
    known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    (host.directory / "ansible.cfg").touch()
    host.inventory.write_text(
        f"[portal]\n{host.fqdn} ansible_host={host.address} ansible_user={host_image.OPERATOR}"
        f" ansible_ssh_private_key_file={host.directory / 'key'}"
        f' ansible_ssh_common_args="{known}"\n'
        "[portal:vars]\n"
        f"remoteapp_public_url={host.url}\n"
    )


def _environment(directory: Path) -> dict[str, str]:
    """Return what ansible-playbook is given: nothing of this machine's own configuration."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOLOR": "1",
        # A socket's path has to be short.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(directory / "cp"),
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }
