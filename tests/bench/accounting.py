"""What a big accounting costs: a full catalogue, a big declaration."""

import io
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import portal as portals
from bench.figures import Figure, p95
from portal import RunningPortal
from ruamel.yaml import YAML

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.migrations import migrate
from control_plane.domain.entities import Application, Grant, Grantee, Holdings, Policy, User
from control_plane.trial import programs
from control_plane.trial.account import environment
from control_plane.trial.places import command

USERS, APPLICATIONS = 1000, 100
DECLARED = 10_000


def catalogue(runs: int) -> Sequence[Figure]:
    """The catalogue of alice with every application granted, against bob's with one."""
    with portals.running() as live:
        for grant in [(name, image) for name, image in live.grants if name in ("alice", "bob")]:
            live.remoteappdb("app", "revoke", grant[1], grant[0], "--revoke-all")
        _fill(live)
        one, many = live.api("bob"), live.api("alice")
        pairs = [(_seconds(one, 1), _seconds(many, APPLICATIONS)) for _ in range(runs * 10)]
    ours, theirs = p95([pair[1] for pair in pairs]), p95([pair[0] for pair in pairs])
    name = f"p95 of a catalogue with {APPLICATIONS} grants, against one of 1 grant"
    source = f"{ours * 1000:.0f} ms : {theirs * 1000:.0f} ms; {USERS} users with all of them"
    return [Figure(name, "≤ 3", f"{ours / theirs:.2f}", source)]


def declaration(runs: int) -> Sequence[Figure]:
    """`remoteappdb apply` of a file with many grants, against the bare rows in SQLite."""
    del runs
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        applied = _apply(directory)
        bare = _bare(directory / "bare.db")
    name = f"apply of {DECLARED} grants in one transaction, against the bare rows in SQLite"
    return [Figure(name, "-", f"{applied / bare:.0f}", f"{applied:.1f} s : {bare:.3f} s")]


def _fill(live: RunningPortal) -> None:
    made = [Application(secrets.token_hex(16), f"lab/app{n}:1") for n in range(APPLICATIONS)]
    people = [User(f"user{n}", "virtual", uid=80000 + n, gid=80000 + n) for n in range(USERS)]

    def change(now: Holdings) -> Holdings:
        names = [*(one.name for one in people), "alice"]
        pairs = [(name, one) for name in names for one in made] + [("bob", made[0])]
        grants = tuple(_grant(name, one) for name, one in pairs)
        return replace(
            now,
            users=now.users + tuple(people),
            applications=now.applications + tuple(made),
            grants=now.grants + grants,
        )

    database = Database(str(live.portal.places.database))
    PeeweeAccounting(database).rewrite(change)
    database.close()


def _grant(name: str, application: Application) -> Grant:
    return Grant(secrets.token_hex(16), Grantee("user", name), application, Policy())


def _seconds(client: httpx.Client, total: int) -> float:
    begun = time.perf_counter()
    answer = client.get("/api/v1/applications").raise_for_status()
    seconds = time.perf_counter() - begun
    if answer.json()["total"] != total:
        raise RuntimeError(answer.text)
    return seconds


def _apply(directory: Path) -> float:
    database, file = directory / "remoteapp.db", directory / "accounting.yaml"
    migrate(str(database))
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(_declared(), text)
    file.write_text(text.getvalue())
    begun = time.perf_counter()
    words = [command("remoteappdb"), "--database", str(database), "apply", str(file)]
    programs.must(words, environment=environment())
    return time.perf_counter() - begun


def _declared() -> dict[str, object]:
    users, images = range(DECLARED // APPLICATIONS), range(APPLICATIONS)
    return {
        "users": [{"name": f"user{n}"} for n in users],
        "groups": [],
        "applications": [{"image": f"lab/app{n}:1"} for n in images],
        "grants": [{"user": f"user{n}", "image": f"lab/app{m}:1"} for n in users for m in images],
    }


def _bare(path: Path) -> float:
    rows = [(secrets.token_hex(16), number % 100, number, 1) for number in range(DECLARED)]
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE grants (id TEXT PRIMARY KEY, user, application, policy)")
    begun = time.perf_counter()
    with database:
        database.executemany("INSERT INTO grants VALUES (?, ?, ?, ?)", rows)
    seconds = time.perf_counter() - begun
    database.close()
    return seconds
