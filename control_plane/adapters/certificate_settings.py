"""Where the host's certificate comes from: what stands in `certificate.toml`.

Invariant: no secret stands in it; keys and accounts are files of root's.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from control_plane.errors import SettingsError

_CHALLENGES = "http-01 proves a name; a wildcard needs dns-01, with auth_hook"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Files(_Section):
    """A certificate that the operator provides, both in PEM."""

    chain: Path
    key: Path


class Acme(_Section):
    """How certbot gets one; `options` is a file of its own syntax, for an external account."""

    directory_url: str
    email: str = ""
    ca_bundle: Path | None = None
    challenge: Literal["http-01", "dns-01"] = "http-01"
    webroot: Path = Path("/run/remoteapp-acme")
    auth_hook: Path | None = None
    cleanup_hook: Path | None = None
    options: Path | None = None
    state: Path = Path("/etc/remoteapp/acme")
    certbot: str = "/usr/bin/certbot"


class Nginx(_Section):
    """Whom to reload, and where to look at what it shows, for how many seconds at most."""

    address: str = "127.0.0.1"
    port: int = 443
    patience: float = 30
    pid: Path = Path("/run/nginx.pid")
    config: Path = Path("/etc/nginx/nginx.conf")
    program: str = "/usr/sbin/nginx"


class CertificateSettings(_Section):
    """One host's certificate."""

    mode: Literal["self-signed", "files", "acme"]
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    directory: Path = Path("/etc/remoteapp/tls")
    nginx: Nginx = Nginx()
    files: Files | None = None
    acme: Acme | None = None


def load(path: Path) -> CertificateSettings:
    """Read the file; SettingsError names the key and what is allowed."""
    try:
        found = CertificateSettings(**tomllib.loads(path.read_text()))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {key}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if found.mode != "self-signed" and getattr(found, found.mode) is None:
        raise SettingsError(f"{path}: mode = {found.mode!r} needs a section [{found.mode}]")
    if found.mode == "acme" and found.acme is not None:
        _check(path, found.acme, found.names)
    return found


def _check(path: Path, acme: Acme, names: tuple[str, ...]) -> None:
    has_wildcard = any(one.startswith("*.") for one in names)
    if (has_wildcard and acme.challenge != "dns-01") or (
        acme.challenge == "dns-01" and acme.auth_hook is None
    ):
        raise SettingsError(f"{path}: acme.challenge = {acme.challenge!r}: {_CHALLENGES}")
