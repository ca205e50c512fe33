"""The images of tests/images as applications of a portal: names, how they are built and granted."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from portal import RunningPortal

from control_plane.trial.places import CLONE

OLDER = "remoteapp-test/older:latest"
GREEDY = "remoteapp-test/greedy:latest"
GREEDY_OLDER = "remoteapp-test/greedy-older:latest"


def built(image: str) -> str:
    """Build one of these images from its folder and return its name; what is there stays."""
    folder = CLONE / "tests" / "images" / image.split("/")[1].removesuffix(":latest")
    subprocess.run([sys.executable, str(CLONE / "images" / "build"), str(folder)], check=True)
    return image


@contextmanager
def application(live: RunningPortal, image: str, *words: str) -> Iterator[str]:
    """Make an application of the image while the block runs; `words` are flags of `app create`."""
    live.remoteappdb("app", "create", image, *words)
    try:
        yield image
    finally:
        live.remoteappdb("app", "remove", image)


@contextmanager
def granted(live: RunningPortal, image: str, name: str, *words: str) -> Iterator[str]:
    """Grant it while the block runs, so that `live.start(name, image)` starts it."""
    grantee = live.sign_in_name(name)
    live.grants[name, image] = live.remoteappdb("app", "grant", image, grantee, *words)
    try:
        yield live.grants[name, image]
    finally:
        live.remoteappdb("app", "revoke", image, grantee, "--revoke-all")
        del live.grants[name, image]
