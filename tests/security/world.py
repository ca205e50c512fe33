"""A portal in memory with everybody in it, and things of theirs made anew for every request."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Coroutine, Iterator, Mapping, MutableMapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from adapters.fakes_engine import HELLO, FakeEngine, FakeHomes, hello
from adapters.fakes_gateway import FakeGateway
from itsdangerous import URLSafeSerializer
from served import portal_of
from starlette.applications import Starlette
from starlette.datastructures import Headers
from usecases.conftest import APPLICATION, Application200, Clock, opened, running_loop

from control_plane import auth
from control_plane.domain.entities import (
    SCOPES,
    Announcement,
    Application,
    Grantee,
    Group,
    Policy,
    Session,
    Share,
    ShareAccess,
    ShareKind,
    SignIn,
    State,
    User,
)
from control_plane.domain.labels import IMAGE
from control_plane.domain.policy import effective
from control_plane.domain.ports import Plane
from control_plane.domain.roles import scopes_of

ORIGIN = "https://portal.test"
COOKIE = "__Host-remoteapp"
OWNER, SHAREE, STRANGER, ADMINISTRATOR = "alice", "bob", "charlie", "admin"
HOUR = timedelta(hours=1)

Sent = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What the portal said; of a stream that does not end no more than how it begins."""

    status: int
    headers: Headers
    body: bytes


@dataclass
class World:
    """The portal and what one may meet in it; whatever it makes is alice's, or nobody's yet."""

    plane: Plane
    engine: FakeEngine
    portal: Starlette
    loop: asyncio.AbstractEventLoop
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def living(self) -> Iterator[None]:
        """Let the portal begin and end as a server does."""
        life = self.portal.router.lifespan_context(self.portal)
        self.run(life.__aenter__()).result(60)
        try:
            yield
        finally:
            self.run(life.__aexit__(None, None, None)).result(60)

    def ask(
        self, method: str, address: str, sent: Sent | None = None, content: bytes = b""
    ) -> Answer:
        """Ask the portal as nginx would, and hang up when it begins to answer with a stream."""
        return self.run(_asked(self.portal, method, address, sent or {}, content)).result(60)

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let something be done where the portal runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def browser(self, name: str) -> Sent:
        """Return what a browser sends in which somebody has just signed in, from our own page."""
        return {"Cookie": f"{COOKIE}={self.cookie(name)}", "Origin": ORIGIN}

    def cookie(self, name: str) -> str:
        """Return a new sign-in's cookie; no password is asked."""
        secret, now = secrets.token_urlsafe(24), self.plane.clock()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        signin = SignIn(digest, name, "user", now, now + HOUR)
        self.plane.records.add_signin(signin)
        self.plane.access.signins[digest] = signin
        return URLSafeSerializer(self.plane.site.secret, salt="sign-in").dumps(secret)

    def program(self, name: str, *scopes: str) -> Sent:
        """Return what a program sends with a token that was issued for these scopes."""
        return {"Authorization": f"Bearer {self.token(name, *scopes)[1]}"}

    def token(self, name: str = OWNER, *scopes: str) -> tuple[str, str]:
        """Return the id and the value of a new token."""
        now = self.plane.clock()
        token, value = auth.made_token(name, "tests", scopes or SCOPES, now, now + HOUR)
        self.plane.records.add_token(token)
        self.plane.access.tokens[token.digest] = token
        return token.id, value

    def session(self, state: State = State.READY) -> str:
        """Return the id of a session of alice's."""
        made = Session(
            id=secrets.token_hex(16),
            owner=OWNER,
            grant_id=self.grant_of_alice,
            application="Hello",
            image=HELLO,
            type="vncapp",
            state=state,
            created_at=self.plane.clock(),
            address="10.213.0.9",
            port=8888,
            ready_path="/",
            policy=effective(Policy(max_lifetime=3600, share="control"), self.plane.site.limits),
            ends_at=self.plane.clock() + HOUR,
        )
        self.plane.records.add_session(made)
        self.plane.access.put(made)
        return made.id

    @property
    def grant_of_alice(self) -> str:
        """The grant under which alice starts her application."""
        return self.plane.accounting.grants_of(OWNER)[0].id

    def share(self, session_id: str, kind: ShareKind, name: str, access: ShareAccess) -> str:
        """Return the id of a new share of a session."""
        now = self.plane.clock()
        made = Share(secrets.token_hex(16), session_id, OWNER, kind, name, access, now, now + HOUR)
        self.plane.records.add_share(made)
        self.plane.access.shares[made.id] = made
        return made.id

    def share_of_alice(self) -> str:
        """Return the ids of a session of alice's and of its share with somebody else."""
        session_id = self.session()
        return f"{session_id} {self.share(session_id, 'user', STRANGER, 'view')}"

    def guest(self, session_id: str) -> Sent:
        """Return what a guest's browser sends, whom a link has let into a session."""
        share = self.plane.access.shares[self.share(session_id, "link", "", "control")]
        cookie = auth.let_guest_in(self.plane, share, "Gast", "192.0.2.7", instead_of=None)
        return {"Cookie": f"{COOKIE}={cookie}", "Origin": ORIGIN}

    def grant_that_runs(self) -> str:
        """Return alice's grant, under which as much runs already as may."""
        self.session()
        return self.grant_of_alice

    def user(self) -> str:
        """Return the name of a new user."""
        number = next(self._numbers)
        name = f"user{number}"
        added = User(name, "virtual", uid=71000 + number, gid=71000 + number)
        self.plane.accounting.add_user(added)
        return name

    def group(self) -> str:
        """Return the name of a new group."""
        name = f"group{next(self._numbers)}"
        self.plane.accounting.add_group(Group(name))
        return name

    def application(self) -> str:
        """Return the id of a new application."""
        made = Application(secrets.token_hex(16), f"example/app{next(self._numbers)}")
        self.plane.accounting.add_application(made)
        return made.id

    def grant(self) -> str:
        """Return the id of a new grant, to a new user."""
        policy = Policy(max_lifetime=3600 + next(self._numbers))
        return self.plane.accounting.add_grant(Grantee("user", self.user()), APPLICATION, policy).id

    def token_id(self) -> str:
        """Return the id of a new token of alice's."""
        return self.token()[0]

    def nothing(self) -> str:
        """Return the name of nothing."""
        return "nothing"

    def announcement(self) -> str:
        """Let something be announced."""
        self.plane.records.announce(Announcement("New disks on Friday.", None))
        return ""


@contextmanager
def world_in(directory: Path, root: Path) -> Iterator[World]:
    """Open a world; grants may mount from `root`."""
    engine, application = FakeEngine(), Application200()
    with running_loop() as loop:
        parts = (loop, Clock(), engine, FakeGateway(), application, FakeHomes(), root)
        with opened(directory, *parts) as plane:
            plane.accounting.add_user(User(ADMINISTRATOR, "virtual", admin=True, uid=79999))
            open_to_guests = replace(plane, site=replace(plane.site, guests=True))
            _let_files_be_chosen(plane, engine)
            portal = portal_of(open_to_guests)
            made = World(open_to_guests, engine, portal, loop)
            with made.living():
                yield made


def every_scope(world: World, name: str) -> Sent:
    """Return what a program sends with a token for all that its owner may do."""
    user = world.plane.accounting.user(name)
    assert user
    return world.program(name, *scopes_of(user))


def _let_files_be_chosen(plane: Plane, engine: FakeEngine) -> None:
    opens = {**hello().labels, f"{IMAGE}env.startupdata": "the file to open"}
    engine.known[HELLO] = replace(hello(), labels=opens)
    grant = plane.accounting.grants_of(OWNER)[0]
    policy = Policy(allow_home=True, allow_startup_data=True)
    plane.accounting.change_grant(grant.id, lambda _: policy)


async def _asked(
    portal: Starlette, method: str, address: str, sent: Sent, content: bytes
) -> Answer:
    path, _, query = address.partition("?")
    lines = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [*lines, (b"host", b"portal.test")],
        "scheme": "https",
        "server": ("portal.test", 443),
        "root_path": "",
    }
    messages = [{"type": "http.request", "body": content, "more_body": False}]
    said: list[MutableMapping[str, Any]] = []
    begun = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if messages:
            return messages.pop()
        await begun.wait()  # nobody hangs up before the answer
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)
        begun.set()

    await portal(scope, receive, send)
    body = b"".join(one.get("body", b"") for one in said[1:])
    return Answer(said[0]["status"], Headers(raw=said[0]["headers"]), body)


def as_json(content: object) -> tuple[Sent, bytes]:
    """Return a body, and what says that it is JSON."""
    return {"Content-Type": "application/json"}, json.dumps(content).encode()
