"""Images that a host's engine is given: pulled, loaded, built."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deploy.hosts import Host, Play
from deploy.people import HELLO, Site
from registry import made_image, registry, saved

from control_plane.trial.places import CLONE

NAME = "remoteapp-test/given:1"


def provision(host: Host, *words: str, check: bool = True, **variables: Any) -> Play:
    return host.playbook("site.yml", "--tags", "images", *words, check=check, **variables)


def identity(host: Host, name: str) -> str:
    return host.out(f"docker image inspect --format '{{{{.Id}}}}' {name} 2>/dev/null || :")


@pytest.fixture
def host(bookworm: Site) -> Iterator[Host]:
    """The host, without what a test brought."""
    record = "/etc/remoteapp/images"
    yield bookworm.host
    lines = bookworm.host.out(f"cat {record} 2>/dev/null || :").splitlines()
    for name in [one for one in lines if one != HELLO]:
        bookworm.host.run(f"docker image rm {name}", check=False)
    bookworm.host.run(f"rm -rf {record} /var/cache/remoteapp-images")


@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.variant
def test_an_archive_is_loaded_once(host: Host, tmp_path: Path, *, on_host: bool) -> None:
    archive = tmp_path / "given.tar"
    with made_image(NAME) as made:
        archive.write_bytes(saved(NAME))
    place = "/root/given.tar" if on_host else str(archive)
    if on_host:
        subprocess.run(["docker", "cp", str(archive), f"{host.container}:{place}"], check=True)
    images = [{"archive": place, "on_host": on_host}]
    assert provision(host, "--check", "--diff", remoteapp_images=images).changed > 0
    assert identity(host, NAME) == ""
    assert provision(host, remoteapp_images=images).changed > 0
    assert identity(host, NAME) == made
    assert provision(host, remoteapp_images=images).changed == 0
    host.run(f"rm -f {place}; test ! -e /var/cache/remoteapp-images/archive.tar")


def test_an_archive_that_is_none_stops_the_run(host: Host, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.tar"
    wrong.write_text("this is no archive")
    play = provision(host, check=False, remoteapp_images=[{"archive": str(wrong)}])
    assert play.counts["failed"] == 1
    assert f"{wrong} is no archive of docker save" in play.output


@pytest.mark.variant
def test_an_image_of_a_registry_is_pulled_and_pulled_again_when_asked(host: Host) -> None:
    with registry() as one, reached(host, one.host):
        name = one.push("given")
        images = [{"name": name}]
        assert provision(host, remoteapp_images=images).changed > 0
        first = identity(host, name)
        assert first
        one.push("given")
        assert provision(host, remoteapp_images=images).changed == 0
        assert identity(host, name) == first
        play = provision(host, remoteapp_images=images, remoteapp_images_pull="always")
        assert play.changed > 0
        assert identity(host, name) != first


def test_a_registry_s_password_stands_in_no_output(host: Host) -> None:
    secret = {"registry": "localhost:9", "username": "portal", "password": "very-secret-word"}
    variables: dict[str, Any] = {"remoteapp_images": [{"name": "localhost:9/x:1"}]}
    signed_in: dict[str, Any] = {"remoteapp_images_registries": [secret]}
    play = provision(host, "--diff", "-vvv", check=False, **variables, **signed_in)
    assert play.counts["failed"] == 1
    # -vvv prints what was asked for on the command line, and that alone.
    told = [line for line in play.output.splitlines() if "very-secret-word" in line]
    assert [line for line in told if "extra-vars" not in line] == []
    assert host.out("ls -d /tmp/remoteapp-images-* 2>/dev/null || :") == ""


@pytest.mark.variant
def test_a_folder_is_built_on_the_host(host: Host, host_images: None) -> None:  # noqa: ARG001 - it has to be there
    base = tags("debian", "builder")
    host.load(*base)
    images: dict[str, Any] = {"remoteapp_images": [{"build": "hello"}]}
    host.run(f"docker image rm --force {HELLO} {tags('hello')[0]}", check=False)
    assert provision(host, **images).changed > 0
    assert identity(host, tags("hello")[0]) == identity(host, HELLO) != ""
    assert provision(host, **images).changed == 0
    recorded = host.out("cat /etc/remoteapp/images").splitlines()
    assert {*base, *tags("hello"), HELLO} <= {*recorded}


@pytest.mark.variant
def test_a_folder_is_built_on_the_controller_and_copied(
    host: Host,
    host_images: None,  # noqa: ARG001 - it has to be there
) -> None:
    images: dict[str, Any] = {"remoteapp_images": [{"build": "hello"}]}
    images["remoteapp_images_build_on"] = "controller"
    host.run(f"docker image rm --force {HELLO}", check=False)
    assert provision(host, **images).changed > 0
    here = subprocess.run(
        ["docker", "image", "inspect", HELLO], check=True, capture_output=True, text=True
    )
    assert identity(host, HELLO) == json.loads(here.stdout)[0]["Id"]
    assert provision(host, **images).changed == 0


def tags(*names: str) -> list[str]:
    """Return the tags under which the images of these names stand in the engine."""
    listed = subprocess.run(
        [sys.executable, str(CLONE / "images" / "build"), "--list"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = [line.split()[0] for line in listed.stdout.splitlines()]
    return [tag for name in names for tag in found if tag.startswith(f"remoteapp/{name}:")]


@contextmanager
def reached(host: Host, registry_host: str) -> Iterator[None]:
    """Let the host reach a port of this machine's loopback under the same name, by ssh."""
    port = registry_host.rpartition(":")[2]
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    words = ["-i", str(host.directory / "key"), *options, "-o", "ExitOnForwardFailure=yes"]
    process = subprocess.Popen(
        [
            *("ssh", "-N", "-q", *words, "-R", f"127.0.0.1:{port}:127.0.0.1:{port}"),
            f"ops@{host.address}",
        ]
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)
