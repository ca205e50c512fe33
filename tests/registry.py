"""A registry of images on loopback, and small images to put into it."""

import io
import secrets
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import httpx
from portal import free_port

_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {directory}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True)
class Registry:
    """Where it is, as it stands in references."""

    host: str

    def push(self, name: str, tag: str = "1", labels: Mapping[str, str] | None = None) -> str:
        """Make a small image and push it; the engine keeps nothing of it. Return its reference."""
        whole = f"{self.host}/{name}:{tag}"
        with made_image(whole, labels), closing(docker.APIClient(version="auto")) as api:
            told = list(api.push(whole, stream=True, decode=True))
        assert not [line for line in told if "error" in line], told
        return whole


@contextmanager
def registry() -> Iterator[Registry]:
    """Run one until the end."""
    port = free_port()
    with TemporaryDirectory() as directory:
        config = Path(directory) / "config.yml"
        config.write_text(_CONFIG.format(directory=directory, port=port))
        process = subprocess.Popen(["/usr/bin/docker-registry", "serve", str(config)])
        try:
            _until_up(f"http://127.0.0.1:{port}/v2/")
            yield Registry(f"localhost:{port}")
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def made_image(name: str, labels: Mapping[str, str] | None = None) -> Iterator[str]:
    """Have an image of a megabyte of chance under this name; yield its id."""
    changes = [f"LABEL {key}={value!r}" for key, value in (labels or {}).items()]
    with closing(docker.APIClient(version="auto")) as api:
        repository, _, tag = name.rpartition(":")
        api.import_image_from_data(_tar(), repository=repository, tag=tag, changes=changes)
        try:
            yield str(api.inspect_image(name)["Id"])
        finally:
            forget(name)


def forget(name: str) -> None:
    """Take a name off the engine's images, if it is there."""
    with (
        closing(docker.APIClient(version="auto")) as api,
        suppress(docker.errors.ImageNotFound),
    ):
        api.remove_image(name, force=True)


def saved(*names: str) -> bytes:
    """Return what `docker save` writes."""
    done = subprocess.run(["docker", "save", *names], check=True, capture_output=True)
    return done.stdout


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("chance")
        entry.size = 1024**2
        tar.addfile(entry, io.BytesIO(secrets.token_bytes(entry.size)))
    return out.getvalue()


def _until_up(url: str) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            httpx.get(url, timeout=1, trust_env=False)
        except httpx.HTTPError:
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.05)
        else:
            return
