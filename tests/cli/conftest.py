"""A database for remoteappdb; for remoteapprest the plane of the use cases' tests."""

from cli.remoteappdb_site import cast, site
from cli.remoteapprest_desk import admins, alices, desk, engine, portal
from usecases.conftest import alice, application, charlie, clock, gateway, homes, loop, plane, root

__all__ = [
    "admins",
    "alice",
    "alices",
    "application",
    "cast",
    "charlie",
    "clock",
    "desk",
    "engine",
    "gateway",
    "homes",
    "loop",
    "plane",
    "portal",
    "root",
    "site",
]
