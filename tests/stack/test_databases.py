"""A portal on a database server, which goes away and comes back."""

from collections.abc import Iterator
from contextlib import contextmanager

import portal as portals
import pytest
from adapters.databases import Mariadb, Postgresql, Server
from portal import HELLO, RunningPortal
from stack.conftest import until

KINDS: dict[str, type[Server]] = {"postgresql": Postgresql, "mariadb": Mariadb}


@contextmanager
def on(server: Server) -> Iterator[RunningPortal]:
    try:
        server.install()
        server.directory.chmod(0o755)  # the service's account reaches the socket in it
        settings = {
            "engine": {"start_timeout": 20},
            "accounting": {"url": server.empty()},
        }
        with portals.running(settings=settings) as live:
            yield live
    finally:
        server.remove()


@pytest.mark.parametrize("kind", KINDS)
def test_a_portal_on_a_server_outlives_its_absence(images: None, kind: str) -> None:
    del images
    server = KINDS[kind]()
    with on(server) as live:
        session = live.start("alice", HELLO)
        api, admin = live.api("alice"), live.api("admin")
        assert api.get(session["url"]).status_code == 200
        server.stop()
        until(lambda: api.get("/api/v1/applications").status_code == 503)
        for away in (
            api.get("/api/v1/applications"),
            api.post("/api/v1/sessions", json={"grant_id": session["grant_id"]}),
            admin.post("/api/v1/admin/groups", json={"name": "lab"}),
        ):
            assert away.status_code == 503
            assert int(away.headers["retry-after"]) > 0
        assert api.get("/readyz").status_code == 503
        assert api.get(session["url"]).status_code == 200
        server.start()
        until(lambda: api.get("/api/v1/applications").status_code == 200)
        assert admin.post("/api/v1/admin/groups", json={"name": "lab"}).status_code == 201
        listed = api.get("/api/v1/sessions").json()["items"]
        assert [(one["id"], one["state"]) for one in listed] == [(session["id"], "ready")]
        live.stop("alice", session["id"])
