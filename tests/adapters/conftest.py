"""The databases that the adapters' tests share, each started when the first test asks for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adapters.databases import Databases, Files, Mariadb, Postgresql, Server

from control_plane.adapters.migrations import migrate

DIALECTS = ("sqlite", "postgresql", "mariadb")
Fresh = Callable[[str], str]


def running(server: Server) -> Iterator[Server]:
    """Install the server, lend it, and take it away again whatever happens."""
    try:
        server.install()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One PostgreSQL for the whole run."""
    yield from running(Postgresql())


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """One MariaDB for the whole run."""
    yield from running(Mariadb())


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file without rows, for copies of it."""
    path = tmp_path_factory.mktemp("migrated") / "remoteapp.db"
    migrate(str(path))
    return path


@pytest.fixture
def sqlite(tmp_path: Path, migrated_file: Path) -> Databases:
    """SQLite files of this test."""
    return Files(tmp_path, migrated_file)


@pytest.fixture(params=DIALECTS)
def databases(request: pytest.FixtureRequest) -> Databases:
    """Each dialect's databases in turn."""
    found: Databases = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Fresh:
    """Return the URL of a migrated database of that dialect, without rows."""

    def made(dialect: str) -> str:
        found: Databases = request.getfixturevalue(dialect)
        return found.fresh()

    return made
