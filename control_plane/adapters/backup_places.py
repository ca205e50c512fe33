"""Where the parts of an installation lie that a backup holds, and how each is called in it.

Invariant: a name leads to a place of this installation or nowhere: an archive chooses no path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from control_plane.adapters.backup_archive import broken
from control_plane.domain.names import shown

_TLS, _NAMED = "tls/", "named/"
SETTINGS = "settings.toml"


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one installation.

    `databases` are the SQLite files by set of tables, `named` the files below `configuration`
    that the settings name, `elsewhere` what others keep: servers' databases, files outside.
    `pam` is None where the PAM service is not ours.
    """

    configuration: Path
    settings: Path
    secret: Path
    pam: Path | None
    state: Path
    databases: Mapping[str, Path]
    named: tuple[Path, ...]
    elsewhere: tuple[str, ...]

    @property
    def tls(self) -> Path:
        """The directory of the certificate."""
        return self.configuration / "tls"

    def files(self, *, tls: bool) -> dict[str, Path]:
        """Return the files of this host that are there, by name."""
        found = self._fixed()
        if tls and self.tls.is_dir():
            found |= {_TLS + one.name: one for one in sorted(self.tls.iterdir())}
        named = {str(one.relative_to(self.configuration)): one for one in self.named}
        inside = {_NAMED + name: one for name, one in named.items() if one not in found.values()}
        return {name: one for name, one in (found | inside).items() if one.is_file()}

    def path_of(self, name: str) -> Path | None:
        """Return where a file belongs here, None where it has no place.

        ControlPlaneError for a name that would lead astray.
        """
        fixed = self._fixed()
        if name in ("pam", *fixed):
            return fixed.get(name)
        named = {_NAMED + str(one.relative_to(self.configuration)): one for one in self.named}
        if name in named:
            return named[name]
        inside = PurePosixPath(name.removeprefix(_TLS))
        if name.startswith(_TLS) and len(inside.parts) == 1 and inside.name not in ("", ".."):
            return self.tls / inside
        raise broken(f"{shown(name)} is no file of a portal")

    def _fixed(self) -> dict[str, Path]:
        found = {
            SETTINGS: self.settings,
            "secret": self.secret,
            "host.env": self.configuration / "host.env",
            "engine.toml": self.configuration / "engine.toml",
        }
        return found | ({"pam": self.pam} if self.pam else {})
