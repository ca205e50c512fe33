"""A plane of real parts where they are cheap (SQLite, jobs, events) and fakes elsewhere."""

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO, FakeEngine, FakeFiles, FakeHomes, FakeLibrary
from adapters.fakes_forwarder import FakeForwarder
from adapters.fakes_gateway import FakeGateway

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database, make_file
from control_plane.adapters.disk import StateDisk
from control_plane.adapters.events import EventHub
from control_plane.adapters.folders import HostFolders
from control_plane.adapters.image_checks import ProcessChecks
from control_plane.adapters.jobs import LoopJobs
from control_plane.adapters.migrations import migrate
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.records import PeeweeRecords
from control_plane.adapters.stores import PeeweeStores
from control_plane.domain.access import Access, Caller
from control_plane.domain.entities import SCOPES, Application, Grantee, Person, Policy, User
from control_plane.domain.ports import Limits, Plane, Site

MIB = 1024**2
APPLICATION = "a" * 32
# Says of every image that it is told to check what the real one might.
CHECK = (sys.executable, "-ISc", """
import json, sys
fields = json.load(sys.stdin)
points = [
    {"name": "start", "result": "pass", "seen": "It started on port %s." % fields["port"]},
    {"name": "base-path", "result": "fail", "seen": "It <leaves>.", "todo": "Let it stay."},
]
print(json.dumps({"image": sys.argv[1], "kind": "contract", "points": points}))
""")  # fmt: skip


@dataclass
class Clock:
    """A clock that a test can move."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class FakeHost:
    """A host with one account, dora, and her password."""

    people: dict[str, Person] = field(
        default_factory=lambda: {
            "dora": Person("dora", 1001, 1001, (50,), "/home/dora", home_is_volume=False)
        }
    )

    def person(self, name: str) -> Person | None:
        return self.people.get(name)

    def knows_name(self, name: str) -> bool:
        return name in self.people or name == "root"

    def knows_uid(self, uid: int) -> bool:
        return any(person.uid == uid for person in self.people.values())

    def authenticate(self, name: str, password: str) -> bool:
        return name in self.people and password == "dora's password"


@dataclass
class Application200:
    """Says whether the application answers: `ready` is set by the test."""

    ready: bool = True
    asked: list[str] = field(default_factory=list)

    async def __call__(self, address: str, port: int, path: str) -> bool:
        self.asked.append(f"{address}:{port}{path}")
        return self.ready


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def homes() -> FakeHomes:
    return FakeHomes()


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that grants may mount from."""
    with tempfile.TemporaryDirectory(dir="/srv") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def application() -> Application200:
    return Application200()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with running_loop() as made:
        yield made


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop in a thread of its own until the context ends."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    asyncio.run_coroutine_threadsafe(_end_tasks(), made).result(5)
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


async def _end_tasks() -> None:
    """Cancel what goes on beside, such as the library's watch over event streams."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=2)


@pytest.fixture
def plane(  # noqa: PLR0913, PLR0917 - one argument a part
    tmp_path: Path,
    loop: asyncio.AbstractEventLoop,
    clock: Clock,
    engine: FakeEngine,
    gateway: FakeGateway,
    application: Application200,
    homes: FakeHomes,
    root: Path,
) -> Iterator[Plane]:
    parts = (loop, clock, engine, gateway, application, homes, root)
    with opened(tmp_path, *parts) as made:
        yield made


@contextmanager
def opened(  # noqa: PLR0913, PLR0917 - one argument a part
    tmp_path: Path,
    loop: asyncio.AbstractEventLoop,
    clock: Clock,
    engine: FakeEngine,
    gateway: FakeGateway,
    application: Application200,
    homes: FakeHomes,
    root: Path,
) -> Iterator[Plane]:
    """Open a plane with its cast in a directory, until the context ends."""
    url = str(tmp_path / "remoteapp.db")
    make_file(Path(url))
    Path(url).write_bytes(_filled())
    database = Database(url)
    stores = PeeweeStores([url])
    jobs = LoopJobs(loop, probe=application)
    made = Plane(
        site=Site(
            realm="unit",
            public_url="https://portal.test",
            methods=("pam", "virtual"),
            admins=frozenset({"admin"}),
            limits=Limits(
                memory=256 * MIB,
                cpus=1,
                pids=128,
                max_sessions=1,
                sessions_per_user=3,
                keep_ended=timedelta(days=7),
                start_timeout=5,
                stop_timeout=0.3,
            ),
            secret=b"s" * 32,
            archives=tmp_path / "homes",
        ),
        accounting=PeeweeAccounting(database),
        records=PeeweeRecords(database),
        stores=stores,
        disk=StateDisk(tmp_path),
        engine=engine,
        image_library=FakeLibrary(engine),
        image_checks=ProcessChecks(tmp_path / "checks", 5, clock, CHECK),
        homes=homes,
        files=FakeFiles(engine),
        gateway=gateway,
        forwarder=FakeForwarder(clock),
        passwords=Argon2Passwords(),
        host=FakeHost(),
        folders=HostFolders([root], [tmp_path]),
        admits=lambda _: True,
        providers={},
        jobs=jobs,
        events=EventHub(loop, clock),
        access=Access(),
        clock=clock,
    )
    yield made
    made.image_checks.close()
    jobs.close()
    database.close()
    stores.close()


@pytest.fixture
def alice(plane: Plane) -> Caller:
    return caller(plane, "alice")


@pytest.fixture
def charlie(plane: Plane) -> Caller:
    return caller(plane, "charlie")


def caller(plane: Plane, name: str) -> Caller:
    """Return someone who may do all that their user may."""
    user = plane.accounting.user(name)
    assert user
    return Caller(user, frozenset(SCOPES))


def grant_of(plane: Plane, name: str) -> str:
    """Return the id of someone's first grant."""
    return plane.accounting.grants_of(name)[0].id


def until(true: Callable[[], object], seconds: float = 5) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


@cache
def _filled() -> bytes:
    """Return a database with its cast, made once: every test has a copy."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "cast.db"
        make_file(path)
        migrate(str(path))
        database = Database(str(path))
        _cast(PeeweeAccounting(database), PeeweeRecords(database))
        database.close()
        return path.read_bytes()


def _cast(accounting: PeeweeAccounting, records: PeeweeRecords) -> None:
    for number, name in enumerate(("alice", "bob", "charlie")):
        accounting.add_user(User(name, "virtual", uid=70000 + number, gid=70000 + number))
        records.set_password(name, Argon2Passwords().hash(f"{name}'s password"))
    accounting.add_application(Application(APPLICATION, HELLO, display_name="Hello"))
    for name in ("alice", "bob"):
        accounting.add_grant(Grantee("user", name), APPLICATION, Policy(allow_home=True))
