"""Where remoteapprest keeps who is signed in where: one token a profile, never a password.

Invariant: the file is its owner's alone from the first byte on, and whole at any moment.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from control_plane.errors import ControlPlaneError


@dataclass(frozen=True, slots=True)
class Profile:
    """A sign-in at one portal; `token_id` is empty where the token was issued elsewhere."""

    url: str
    token: str
    user: str
    ca: str | None = None
    token_id: str = ""


def load(name: str) -> Profile | None:
    """Return the profile of that name."""
    found = _read().get(name)
    try:
        return None if found is None else Profile(**found)
    except TypeError as error:
        raise _unreadable(str(error)) from error


def save(name: str, profile: Profile) -> None:
    """Write a profile, over one of the same name."""
    _write({**_read(), name: asdict(profile)})


def forget(name: str) -> None:
    """Remove a profile; an unknown one is no error."""
    _write({key: one for key, one in _read().items() if key != name})


def place() -> Path:
    """Return where the profiles lie."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "remoteapp" / "profiles.json"


def _read() -> Mapping[str, Any]:
    try:
        found = json.loads(place().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable(str(error)) from error
    if not isinstance(found, dict):
        raise _unreadable("it holds no object")
    return found


def _write(profiles: Mapping[str, Any]) -> None:
    path = place()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        _replace(path, json.dumps(profiles, indent=2) + "\n")
    except OSError as error:
        raise ControlPlaneError(
            f"The profiles in {path} cannot be written: {error.strerror}.",
            "Name another directory in XDG_CONFIG_HOME.",
        ) from error


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # 0600 from the start
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unreadable(why: str) -> ControlPlaneError:
    return ControlPlaneError(
        f"The profiles in {place()} cannot be read: {why}.", "Mend the file or remove it."
    )
