"""What the control plane weighs with a full house; it is the only Python process that stays."""

import re
from collections.abc import Sequence
from pathlib import Path

import httpx
import portal as portals
from bench.figures import Figure
from portal import HELLO, RunningPortal

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import User

USERS = 1000
SESSIONS = 20
PASSWORD = "everyone-has-the-same"


def of_a_full_house(runs: int) -> Sequence[Figure]:
    """PSS with 1 000 users who signed in by the form, and 20 sessions."""
    del runs
    with portals.running(settings={"limits": {"sessions_per_user": 100}}) as live:
        empty = pss(live.portal.control_plane_pid)
        _sign_everybody_in(live)
        full = pss(live.portal.control_plane_pid)
        _start(live)
        busy = pss(live.portal.control_plane_pid)
    name = f"PSS of our Python processes, {USERS} signed-in users and {SESSIONS} sessions"
    source = f"{empty:.0f} MB empty, {full:.0f} MB with the users"
    return [Figure(name, "≤ 120 MB", f"{busy:.0f} MB", source)]


def _sign_everybody_in(live: RunningPortal) -> None:
    database = Database(str(live.portal.places.database))
    accounting, records = PeeweeAccounting(database), PeeweeRecords(database)
    digest = Argon2Passwords().hash(PASSWORD)
    for number in range(USERS):
        accounting.add_user(
            User(f"user{number}", "virtual", uid=80000 + number, gid=80000 + number)
        )
        records.set_password(f"user{number}", digest)
    database.close()
    guest = live.guest(Origin=live.url)
    for number in range(USERS):
        form = {"name": f"user{number}", "password": PASSWORD}
        if guest.post("/login", data=form).status_code != httpx.codes.SEE_OTHER:
            raise RuntimeError(f"user{number} cannot sign in.")


def _start(live: RunningPortal) -> None:
    limits = ("--allow-home", "--memory", "64m", "--max-sessions", "100")
    grant = live.remoteappdb("app", "grant", HELLO, "bob", *limits)
    api = live.api("bob")
    made = [api.post("/api/v1/sessions", json={"grant_id": grant}).json() for _ in range(SESSIONS)]
    for one in made:
        live.wait_for(api, one["id"], "ready")
        api.get(one["url"]).raise_for_status()


def pss(pid: int | None) -> float:
    """Return the proportional set size of a process in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(text)
    return int(found[1]) / 1024
