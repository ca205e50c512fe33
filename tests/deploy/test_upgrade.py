"""From an earlier release to this one with a desktop running, and back where it does not work."""

import json
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import create_connection
from typing import Any, Self

import httpx
import pytest
from deploy import earlier, hosts
from deploy.hosts import Host, until
from deploy.people import HELLO, TERMINAL, Site
from websockets.sync.client import connect

from control_plane.trial.places import CLONE

# Whole playbooks, on a machine under load.
pytestmark = pytest.mark.timeout(1200)

# What an hour of running writes is no part of what an upgrade has to keep row by row.
MOVING = {"attempts", "cursors", "accounting_migrations", "records_migrations"}
# Of a session that runs on, what it uses is counted on.
COUNTED = {"cpu_seconds", "memory_gib_seconds", "sampled_until", "cpu_counter"}
Tables = dict[str, list[dict[str, Any]]]
READ = """
import json, sqlite3
db = sqlite3.connect("file:/var/lib/remoteapp/remoteapp.db?mode=ro", uri=True)
db.row_factory = sqlite3.Row
names = [row[0] for row in db.execute("select name from sqlite_master where type = 'table'")]
rows = {name: [dict(row) for row in db.execute(f'select * from "{name}"')] for name in names}
print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def site(
    host_images: None,  # noqa: ARG001 - they have to be
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A portal as the earlier release made it."""
    with hosts.running("upgraded", "bookworm") as host:
        earlier.provision(host, tmp_path_factory.mktemp("earlier"))
        host.load(HELLO, TERMINAL)
        yield Site(host)


def rows(host: Host) -> Tables:
    found: Tables = json.loads(host.run("python3 -", given=READ).stdout)
    return {name: kept for name, kept in found.items() if name not in MOVING}


def assert_kept(
    before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]
) -> None:
    """Every row of then is there now, with every column that is still there."""
    for name, kept in before.items():
        known = set(after[name][0]) if after.get(name) else set()
        for row in kept:
            moving = COUNTED if name == "usage" and row["ended_at"] is None else set()
            same = {key: value for key, value in row.items() if key in known - moving}
            assert any(same.items() <= one.items() for one in after[name]), (name, row)


class Visitors:
    """Ask for pages and a session again and again; keep whatever was no success."""

    def __init__(self, site: Site, session: dict[str, Any]) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self._over = threading.Event()
        site.api("alice").close()  # the token
        client = partial(site.host.clients(), Authorization=f"Bearer {site.tokens['alice']}")
        self._threads = [
            threading.Thread(target=self._visit, args=(client, path))
            for path in ("/login", "/api/v1/sessions", session["url"])
        ]

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join()

    def _visit(self, client: Callable[[], httpx.Client], path: str) -> None:
        while not self._over.is_set():
            # A connection each: one that is reused may be cut in the moment of a reload.
            try:
                with client() as api:
                    answer = api.get(path)
            except httpx.TransportError as error:
                self.failures.append(f"{path}: {error!r}")
                continue
            self.answers += 1
            if answer.status_code != httpx.codes.OK:
                self.failures.append(f"{path}: {answer.status_code}")
            time.sleep(0.1)


@contextmanager
def watched(site: Site, session: dict[str, Any], name: str = "alice") -> Iterator[None]:
    """Hold the desktop's WebSocket through nginx, as its page does; it goes on in the end."""
    site.api(name).close()  # the token
    with connect(
        f"wss://{site.host.fqdn}{httpx.URL(session['url']).path}websockify",
        sock=create_connection((site.host.address, 443)),
        ssl=ssl.create_default_context(cafile=site.host.authority),
        additional_headers={"Authorization": f"Bearer {site.tokens[name]}"},
        ping_interval=None,
        proxy=None,
    ) as socket:
        assert socket.recv(20) == b"RFB 003.008\n"
        yield
        socket.send(b"RFB 003.008\n")
        assert socket.recv(20) == b"\x01\x01"  # one way to sign in: none


def broken(directory: Path) -> Path:
    """Return sources whose service ends as soon as it is started."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CLONE / name, directory)
    for name in ("control_plane", "systemd"):
        shutil.copytree(CLONE / name, directory / name)
    with (directory / "control_plane" / "web" / "lifespan.py").open("a") as module:
        module.write('\nraise SystemExit("this release is broken")\n')
    return directory


@pytest.fixture(scope="module")
def desktop(site: Site) -> dict[str, Any]:
    """A desktop that the earlier release has started, with people whom it has made."""
    site.wait_until_ready()
    site.furnish()
    return site.start("alice", TERMINAL)


def test_a_release_that_does_not_work_leads_back_to_the_one_before(
    site: Site, desktop: dict[str, Any], tmp_path: Path
) -> None:
    before, release = rows(site.host), site.host.out("readlink /opt/remoteapp/current")
    candidate = {"remoteapp_source": str(broken(tmp_path)), "remoteapp_upgrade_patience": 15}
    with watched(site, desktop):
        play = site.host.playbook("upgrade.yml", check=False, **candidate)
    assert play.status == 2, play.output
    assert "this release is broken" in play.output
    site.wait_until_ready()
    assert site.host.out("readlink /opt/remoteapp/current") == release
    assert_kept(before, rows(site.host))


def test_an_upgrade_keeps_every_row_the_desktop_and_every_request(
    site: Site, desktop: dict[str, Any]
) -> None:
    before, release = rows(site.host), site.host.out("readlink /opt/remoteapp/current")
    with watched(site, desktop), Visitors(site, desktop) as visitors:
        play = site.host.playbook("upgrade.yml")
    print(f"\nupgrade.yml: {play.seconds:.0f} s, {visitors.answers} requests meanwhile")  # noqa: T201 - it prints
    assert visitors.failures == []
    assert visitors.answers > 20
    assert site.host.out("readlink /opt/remoteapp/current") != release
    assert_kept(before, rows(site.host))
    site.stop("alice", desktop["id"])
    site.stop("bob", site.start("bob")["id"])


def test_after_the_upgrade_the_service_is_in_no_group_and_nothing_is_amiss(site: Site) -> None:
    accounts = ("remoteapp", "remoteapp-engine", "remoteapp-forwarder", "remoteapp-pam")
    groups = {name: site.host.out(f"id -Gn {name}").split()[1:] for name in accounts}
    assert groups == dict(zip(accounts, ([], ["docker"], [], ["shadow"]), strict=True))
    checks = "units engine door forwarder ports pam applications readyz firewall"
    words = " ".join(f"--only {one}" for one in checks.split())
    found = json.loads(site.host.out(f"control-plane doctor --json {words}"))
    assert [one["found"] for one in found if one["status"] == "failed"] == []


def watching(api: httpx.Client, shares: str) -> list[str]:
    """Return who watches by the one share that there is."""
    (share,) = api.get(shares).json()["items"]
    return [one["name"] for one in share["watching"]]


def test_after_the_upgrade_a_desktop_is_shared(site: Site) -> None:
    grant = site.remoteappdb(f"app grant {TERMINAL} alice --share view")
    scopes = ["sessions:read", "sessions:write", "shares:write"]
    with site.host.client() as client:
        credentials = ("alice", site.password("alice"))
        wanted = {"name": "shares", "scopes": scopes}
        token = client.post("/api/v1/tokens", json=wanted, auth=credentials).json()["token"]
    with site.host.client(Authorization=f"Bearer {token}") as api:
        answer = api.post("/api/v1/sessions", json={"grant_id": grant})
        session = site.wait_for(api, answer.json()["id"], "ready")
        shares = f"/api/v1/sessions/{session['id']}/shares"
        answer = api.post(shares, json={"user": "bob", "access": "view"})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        with watched(site, session, "bob"):
            until(lambda: watching(api, shares) == ["bob"])  # looked at a few times a second
    site.stop("alice", session["id"])
