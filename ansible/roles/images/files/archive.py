"""Print what an archive of `docker save` holds, as JSON: the id of each image by its name."""
# ruff: noqa: T201 (it prints)

from __future__ import annotations

import json
import pathlib
import sys
import tarfile


def images(path: str) -> dict[str, str]:
    """Return the ids by name; an image that was saved without one has its id for a name."""
    with tarfile.open(path) as archive:
        manifest = archive.extractfile("manifest.json")
        if not manifest:
            raise ValueError("manifest.json is no file")
        listed = json.load(manifest)
    found: dict[str, str] = {}
    for image in listed:
        identity = "sha256:" + pathlib.PurePath(image["Config"]).name.replace(".json", "")
        found.update(dict.fromkeys(image["RepoTags"] or [identity], identity))
    return found


if __name__ == "__main__":
    try:
        print(json.dumps(images(sys.argv[1])))
    except (OSError, KeyError, ValueError, TypeError, tarfile.TarError) as error:
        sys.exit(f"{sys.argv[1]} is no archive of docker save: {error}")
