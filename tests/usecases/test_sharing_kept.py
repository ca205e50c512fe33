"""What another process changes, and what time does, ends connections by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from adapters.fakes_forwarder import FakeForwarder
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, Clock, caller, until

from control_plane import auth, sessions, sharing
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.access import Caller
from control_plane.domain.entities import Grantee, Group, Policy, Session, Share, State
from control_plane.domain.ports import Plane
from control_plane.sharing import Wanted
from control_plane.web import app, lifespan


@dataclass(frozen=True)
class Shared:
    """A session of alice's that bob watches by a group's share, in a process that runs."""

    plane: Plane
    session: Session
    share: Share
    clock: Clock
    elsewhere: PeeweeAccounting
    records: PeeweeRecords

    @property
    def forwarder(self) -> FakeForwarder:
        assert isinstance(self.plane.forwarder, FakeForwarder)
        return self.plane.forwarder

    def is_watched(self) -> bool:
        return len(self.forwarder.watching()) == 1


@pytest.fixture
def shared(plane: Plane, alice: Caller, clock: Clock, tmp_path: Path) -> Iterator[Shared]:
    """Everything that goes on beside the requests goes on."""
    plane.accounting.add_group(Group("lab", ("bob",)))
    policy = Policy(share="control")
    grant = plane.accounting.add_grant(Grantee("user", "alice"), APPLICATION, policy)
    database = Database(str(tmp_path / "remoteapp.db"))
    others = PeeweeAccounting(database), PeeweeRecords(database)
    with TestClient(app.create(lifespan.of(lambda _: plane))):
        session = sessions.begin(plane, alice, grant.id, {}, instead=False)
        until(lambda: plane.access.sessions[session.id].state is State.READY)
        share, _ = sharing.share(plane, alice, session.id, Wanted("group", "lab", "control"))
        made = Shared(plane, session, share, clock, *others)
        bob = caller(plane, "bob")
        token, _ = auth.issue_token(plane, bob, "tests", ["sessions:read"], timedelta(days=9))
        assert made.forwarder.connect(share.id, token.id, "bob")
        yield made
    database.close()


def leave_the_group(shared: Shared) -> None:
    shared.elsewhere.change_group("lab", lambda group: replace(group, members=()))


def disable(shared: Shared) -> None:
    shared.elsewhere.change_user("bob", lambda user: replace(user, enabled=False))


def revoke_the_grant(shared: Shared) -> None:
    shared.elsewhere.remove_grants([shared.session.grant_id])


def lower_the_policy(shared: Shared) -> None:
    shared.elsewhere.change_grant(shared.session.grant_id, lambda _: Policy(share="view"))


def remove_the_group(shared: Shared) -> None:
    shared.elsewhere.remove_group("lab")


def take_the_share_away(shared: Shared) -> None:
    shared.records.remove_shares([shared.share.id])


def wait_a_day(shared: Shared) -> None:
    shared.clock.ahead = timedelta(days=1)


def stop(shared: Shared) -> None:
    sessions.ask_to_stop(shared.plane, shared.session, "stopped by alice")


@pytest.mark.parametrize(
    "change",
    [
        leave_the_group,
        disable,
        revoke_the_grant,
        lower_the_policy,
        remove_the_group,
        take_the_share_away,
        wait_a_day,
        stop,
    ],
    ids=lambda change: change.__name__,
)
def test_it_ends_whoever_watches(shared: Shared, change: Callable[[Shared], None]) -> None:
    assert shared.is_watched()
    change(shared)
    until(lambda: not shared.is_watched())
