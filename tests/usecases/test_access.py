"""The authoriser's tables with many people in them."""

import logging
from datetime import timedelta

from control_plane import auth
from control_plane.domain.entities import SignIn, User
from control_plane.domain.ports import Plane

PEOPLE = 10_000


class Queries(logging.Handler):
    """Counts what peewee sends to a database."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self.count += 1


def test_the_authoriser_asks_no_database_while_ten_thousand_are_signed_in(plane: Plane) -> None:
    cookie = auth.sign_in(plane, auth.Proof("alice", "alice's password", "192.0.2.1"))
    now = plane.clock()
    for number in range(PEOPLE):
        name = f"user{number}"
        plane.access.users[name] = User(name, "virtual", uid=80000 + number, gid=80000 + number)
        ends = now + timedelta(days=1)
        plane.access.signins[name] = SignIn(name, name, "user", now, ends)
    queries, log = Queries(), logging.getLogger("peewee")
    log.addHandler(queries)
    log.setLevel(logging.DEBUG)
    try:
        callers = [auth.by_cookie(plane, cookie) for _ in range(100)]
        plane.accounting.users()  # what is counted is counted
    finally:
        log.removeHandler(queries)
        log.setLevel(logging.NOTSET)
    assert {caller.user.name for caller in callers if caller} == {"alice"}
    assert 1 <= queries.count <= 2
