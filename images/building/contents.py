"""The list of what an image is made of (a CycloneDX SBOM): its Debian, Python and npm packages.

Invariant: the list is made from the image itself and from the files that its build was given, and
an image's list is always the same.
"""
# ruff: noqa: S603 (it runs debsbom)

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from building.fetched import packages
from building.folders import Image, lineage
from building.programs import docker, fail

NAMESPACE = uuid.UUID("0b1f3c52-5d0e-4c57-9d4b-0d6c3a1f7e11")
DPKG = "var/lib/dpkg/status"


def write_list(image: Image, tag: str, path: Path) -> None:
    """Write the list of the image that the engine has under the tag."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copy_from(tag, root)
        bill = debian(tag, root)
    whole = bill.metadata.component
    added = [one for below in lineage(image) if below.folder for one in fetched(below.folder)]
    bill.components.update(added)
    if whole:
        whole.type = ComponentType.CONTAINER
        bill.register_dependency(whole, added)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(JsonV1Dot6(bill).output_as_string(indent=1))
    partial.replace(path)


def copy_from(tag: str, root: Path) -> None:
    """Copy dpkg's records from the image, which need not run for it."""
    (root / DPKG).parent.mkdir(parents=True)
    made = docker("create", "--network=none", tag, "true")
    container = made.stdout.strip()
    copied = docker("cp", f"{container}:/{DPKG}", str(root / DPKG))
    docker("rm", container)
    if made.returncode or copied.returncode:
        fail(f"{tag}: cannot read /{DPKG}: {made.stderr or copied.stderr}".strip())


def debian(tag: str, root: Path) -> Bom:
    """Return the list of the Debian packages and their sources, as debsbom reads them."""
    name, _, version = tag.rpartition(":")
    created = docker("image", "inspect", "--format", "{{.Created}}", tag).stdout.strip()
    words = [sys.executable, "-m", "debsbom.cli", "generate", "--root", str(root), "--out", "-"]
    words += ["--sbom-type=cdx", "--cdx-schema-version=1.6"]
    words += ["--distro-name", name, "--distro-version", version]
    words += ["--cdx-serialnumber", str(uuid.uuid5(NAMESPACE, tag)), "--timestamp", created]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode:
        fail(f"{tag}: debsbom ended with status {answer.returncode}: {answer.stderr}")
    bill: Bom = Bom.from_json(json.loads(answer.stdout))  # type: ignore[attr-defined]
    return bill


def fetched(folder: Path) -> Iterator[Component]:
    """Yield the Python and npm packages that the image's folder locks."""
    places = packages(folder)
    if "wheels" in places:
        yield from map(of_wheel, sorted(places["wheels"].iterdir()))
    if "node_modules" in places:
        yield from of_node_modules(places["node_modules"])


def of_wheel(wheel: Path) -> Component:
    """Return a wheel's name, version and hash."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        facts = HeaderParser().parsestr(archive.read(name).decode())
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return component(
        PackageURL("pypi", name=facts["Name"], version=facts["Version"]),
        HashType(alg=HashAlgorithm.SHA_256, content=checksum),
    )


def of_node_modules(folder: Path) -> Iterator[Component]:
    """Yield the packages that npm says it has put there."""
    installed = json.loads((folder / ".package-lock.json").read_text())["packages"]
    for place, facts in installed.items():
        scope, _, name = place.rpartition("node_modules/")[2].rpartition("/")
        yield component(
            PackageURL("npm", scope or None, name, facts["version"]),
            *map(of_integrity, facts.get("integrity", "").split()),  # none: inside another package
        )


def of_integrity(text: str) -> HashType:
    """Return the hash that npm writes as `sha512-<base64>`."""
    algorithm, _, checksum = text.partition("-")
    return HashType(
        alg=HashAlgorithm[algorithm.upper().replace("SHA", "SHA_")],
        content=base64.b64decode(checksum).hex(),
    )


def component(url: PackageURL, *hashes: HashType) -> Component:
    """Return one entry of the list."""
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        group=url.namespace,
        name=url.name,
        version=url.version,
        hashes=hashes,
    )
