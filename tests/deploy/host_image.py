"""Images of whole hosts: Debian with systemd, sshd and nothing of ours, made from its mirror.

Invariant: an image is named by what it is made from, so what the engine has is never made again.
"""

import fcntl
import hashlib
import shlex
import subprocess
import tempfile
from pathlib import Path

from control_plane.trial.places import CLONE

RELEASES = ("bookworm", "trixie")
OPERATOR = "ops"
# What a minimal installation of a server has; the operator comes by ssh and has sudo.
INSTALLED = (
    *("systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo", "python3", "python3-apt"),
    *("ca-certificates", "iproute2", "procps", "passwd", "cron", "kmod", "curl", "openssl"),
)
# Downloaded but not installed: a playbook's run is not about the speed of a mirror.
_EVERYWHERE = (
    *("docker.io", "iptables", "nftables", "nginx", "python3-venv", "certbot", "pebble", "zstd"),
)
CACHED = {"bookworm": _EVERYWHERE, "trixie": (*_EVERYWHERE, "docker-cli")}
# Faults of the testbed, not of hosts: a container's mounts are private, so LoadCredential= would
# give an empty directory, and nested engines of Debian 13 find the IPv6 switch read-only.
MOUNTS = """\
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/mount --make-rshared /
[Install]
WantedBy=sysinit.target
"""
ENGINE = """\
[Service]
Environment=DOCKER_ALLOW_IPV6_ON_IPV4_INTERFACE=1
"""


def provided(release: str) -> str:
    """Return the name of the image, which is made where the engine lacks it: about a minute."""
    words = _mmdebstrap(release, "-")
    digest = hashlib.sha256("\0".join([*words, MOUNTS, ENGINE]).encode()).hexdigest()[:12]
    name = f"remoteapp-test/host-{release}:{digest}"
    lock = CLONE / "var" / f"host-{release}.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if subprocess.run(
            ["docker", "image", "inspect", name], capture_output=True, check=False
        ).returncode:
            _make(release, name)
    return name


def _make(release: str, name: str) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        archive = Path(folder) / "host.tar"
        made = subprocess.run(
            _mmdebstrap(release, str(archive)), capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise AssertionError(f"mmdebstrap: exit {made.returncode}\n{made.stderr[-3000:]}")
        start = 'CMD ["/lib/systemd/systemd"]'
        subprocess.run(
            [
                *("docker", "import", "--change", start),
                *(str(archive), name),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _mmdebstrap(release: str, target: str) -> list[str]:
    hooks = [
        _file("etc/systemd/system/testbed-mounts.service", MOUNTS),
        _file("etc/systemd/system/docker.service.d/testbed.conf", ENGINE),
        _file(f"etc/sudoers.d/{OPERATOR}", f"{OPERATOR} ALL=(ALL) NOPASSWD: ALL\n"),
        'chroot "$1" systemctl enable testbed-mounts.service ssh.service',
        f'chroot "$1" useradd --create-home --shell /bin/bash {OPERATOR}',
        # Nothing of the machine that makes it stays: no host keys, no identity.
        'rm -f "$1"/etc/ssh/ssh_host_*; : >"$1/etc/machine-id"',
        # A container has neither a console to log in at nor devices to wait for.
        'chroot "$1" systemctl mask getty.target console-getty.service systemd-udevd.service',
        'chroot "$1" apt-get install --download-only --no-install-recommends -y '
        + " ".join(CACHED[release]),
        _file(
            "etc/systemd/system/ssh.service.d/keys.conf",
            "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\n",
        ),
    ]
    return [
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(INSTALLED)}"),
        *("--skip=cleanup/apt", "--dpkgopt=force-unsafe-io", "--components=main"),
        *(f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in ("doc", "info", "locale", "man")),
        *(f"--customize-hook={hook}" for hook in hooks),
        *(release, target),
        *(
            f"deb http://deb.debian.org/debian {suite} main"
            for suite in (release, f"{release}-updates")
        ),
        f"deb http://deb.debian.org/debian-security {release}-security main",
    ]


def _file(path: str, text: str) -> str:
    """Return the hook that writes a file of the host."""
    where = f'"$1/{path}"'
    return f'mkdir -p "$(dirname {where})" && printf %s {shlex.quote(text)} >{where}'
