"""A database for remoteappdb; for remoteapprest the plane of the use cases' tests."""

from cli.remoteappdb_site import cast, site
from usecases.conftest import alice, application, charlie, clock, engine, gateway, loop, plane

__all__ = [
    "alice",
    "application",
    "cast",
    "charlie",
    "clock",
    "engine",
    "gateway",
    "loop",
    "plane",
    "site",
]
