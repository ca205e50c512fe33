"""Images and the folders that they are made from.

Invariant: the tag of an image is the hash of its folder and of its parents' tags, on any machine.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from building.base import BASE, BASE_FROM_MIRROR, BASE_FROM_REGISTRY
from building.programs import fail

IMAGES = Path(__file__).resolve().parents[1]
PROJECT = IMAGES.parent
RECIPE = "2"  # another one when images/build makes something else of the same folder


@dataclass(frozen=True, slots=True)
class Image:
    """An image and the folder that it is made from; the base alone has none."""

    repository: str
    folder: Path | None

    @property
    def name(self) -> str:
        """Return the last part of the repository: the folder's name."""
        return self.repository.split("/")[1]


def known_images() -> list[str]:
    """Return the names of all images here, sorted."""
    return sorted([BASE, *(path.parent.name for path in IMAGES.glob("*/Dockerfile"))])


def found(name: str, wanting: str = "") -> Image:
    """Return the image of a name, or of the path of a folder: anything with a slash.

    What fails begins with who is `wanting` it.
    """
    folder = Path(name).resolve()
    if "/" in name and folder.parent != IMAGES:
        if not (folder / "Dockerfile").is_file():
            fail(f"{wanting}there is no Dockerfile in {name}")
        return Image(f"remoteapp-test/{folder.name}", folder)
    if folder.name not in known_images():
        fail(f"{wanting}no image named {name}: there are {', '.join(known_images())}")
    return Image(f"remoteapp/{folder.name}", None if folder.name == BASE else IMAGES / folder.name)


def stages(image: Image) -> list[Image]:
    """Return what each stage of the Dockerfile starts from, as far as it is ours.

    `remoteapp/NAME` is a folder here, `remoteapp-test/NAME` one beside the image's own.
    """
    if image.folder is None:
        return []
    text = (image.folder / "Dockerfile").read_text()
    names = re.findall(r"^FROM (remoteapp(?:-test)?)/([\w.-]+)", text, re.MULTILINE)
    return [
        found(name if ours == "remoteapp" else str(image.folder.parent / name), f"{image.name}: ")
        for ours, name in names
    ]


def parents(image: Image) -> list[Image]:
    """Return the images of ours that it is built from, each once."""
    return list(dict.fromkeys(stages(image)))


def lineage(image: Image) -> list[Image]:
    """Return the image and what it stands on: the image of its last stage, and so on."""
    below = stages(image)[-1:]
    return [image, *(one for parent in below for one in lineage(parent))]


def with_parents(images: list[Image]) -> list[Image]:
    """Return the images and all that they build on, each once, parents first."""
    order: dict[Image, None] = {}
    for image in images:
        order |= dict.fromkeys([*with_parents(parents(image)), image])
    return list(order)


def tag_of(image: Image) -> str:
    """Return the name and tag under which the engine holds exactly this content."""
    return f"{image.repository}:{digest(image)}"


def digest(image: Image) -> str:
    """Return a hash of what is built (names, modes, contents) and of the parents' hashes."""
    content = hashlib.sha256()
    if image.folder is None:
        content.update(repr((BASE_FROM_REGISTRY, BASE_FROM_MIRROR)).encode())
        return content.hexdigest()[:12]
    content.update(RECIPE.encode())
    for parent in parents(image):
        content.update(digest(parent).encode())
    for place, path in files(image.folder).items():
        line = (
            f"{image.name}/{place}",
            os.access(path, os.X_OK),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        content.update(repr(line).encode())
    return content.hexdigest()[:12]


def files(folder: Path) -> dict[str, Path]:
    """Return what an image is built from, sorted: the place in the build, the place here.

    These are the files of its folder and, below `project/`, what its file `sources` names of ours.
    """
    own = {path.relative_to(folder): path for path in sorted(_below(folder))}
    listed = folder / "sources"
    names = listed.read_text().split() if listed.exists() else []
    ours = sorted(path for name in names for path in _below(PROJECT / name))
    own |= {"project" / path.relative_to(PROJECT): path for path in ours}
    return {str(place): path for place, path in own.items()}


def _below(top: Path) -> list[Path]:
    found = [path for path in (top, *top.rglob("*")) if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]
