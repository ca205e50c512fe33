"""What an archive of a portal says of itself: its manifest.

Invariant: what is read back has exactly the form that was written, or it is refused.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stored(_Part):
    """One member of the archive: `size` and `sha256` are of the bytes as they stand in it."""

    member: str
    size: int
    sha256: Hash


class File(_Part):
    """A file of the host, by the name that `Places` knows it under."""

    name: str
    owner: str
    group: str
    mode: int
    stored: Stored


class DatabaseCopy(_Part):
    """An SQLite file, and the sets of tables that it holds."""

    sets: tuple[str, ...]
    stored: Stored


class Home(_Part):
    """A volume of the engine: `name` without the realm's prefix, its tar's only root directory."""

    name: Annotated[str, Field(pattern=r"^(home|apart)-[0-9]+$")]
    owner: str
    root: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    stored: Stored


class Manifest(_Part):
    """The whole archive.

    `schema_versions` has the last migration of each set of tables that is in it, `elsewhere` what
    is kept outside the portal and so not in it, `left_out` the homes that could not be read.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    release: str
    made_at: datetime
    realm: str
    schema_versions: dict[str, str]
    elsewhere: tuple[str, ...]
    left_out: tuple[str, ...]
    files: tuple[File, ...]
    databases: tuple[DatabaseCopy, ...]
    homes: tuple[Home, ...]

    def contents(self) -> list[Stored]:
        """Return every member that it lists."""
        parts: tuple[File | DatabaseCopy | Home, ...] = (*self.files, *self.databases, *self.homes)
        return [one.stored for one in parts]
