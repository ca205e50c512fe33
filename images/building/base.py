"""The Debian base of all images: a registry's, or made from the Debian mirror."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path

from building.programs import docker, fail, follow, say, start

BASE = "debian"
BASE_FROM_REGISTRY = "debian:bookworm-slim"
REGISTRY_PATIENCE = 8.0  # seconds until a registry that says nothing counts as away
APT_SETTINGS = (
    'Dir::Cache { pkgcache ""; srcpkgcache ""; }; '
    'APT::Keep-Downloaded-Packages "false"; Acquire::Languages "none";'
)
# As the registry's slim image: no documentation, no translations, no caches of apt.
BASE_FROM_MIRROR = (
    *("mmdebstrap", "--variant=minbase", "--include=ca-certificates,usr-is-merged"),
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",  # else usrmerge, and all of Perl with it
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
    *("--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=force-unsafe-io"),
    f"--customize-hook=echo '{APT_SETTINGS}' > $1/etc/apt/apt.conf.d/small",
    "--customize-hook=rm -f $1/var/cache/apt/*.bin",
    "bookworm",
)


def build_base(tag: str) -> None:
    """Take the Debian base from a registry, or make it from the Debian mirror."""
    if pull(BASE_FROM_REGISTRY):
        docker("tag", BASE_FROM_REGISTRY, tag)
        return
    say(
        BASE,
        time.monotonic(),
        "no registry answers: making it from the Debian mirror, about half a minute",
    )
    if not shutil.which(BASE_FROM_MIRROR[0]):
        fail("no registry answers, and no mmdebstrap can make the base image: install mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "base.tar"
        follow(BASE, [*BASE_FROM_MIRROR, str(archive)])
        follow(BASE, ["docker", "import", "--change", 'CMD ["bash"]', str(archive), tag])


def pull(image: str) -> bool:
    """Pull the image; False if the registry refuses, or says nothing for REGISTRY_PATIENCE."""
    begin = time.monotonic()
    with start(["docker", "pull", image]) as child:
        timer = threading.Timer(REGISTRY_PATIENCE, child.terminate)
        timer.start()
        for line in child.stdout or ():
            timer.cancel()
            say(BASE, begin, line.strip())
        timer.cancel()
    return child.returncode == 0
