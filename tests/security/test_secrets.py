"""What lets somebody in is told to them once, and kept, written down or repeated nowhere."""

import base64
import logging
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from security.world import ADMINISTRATOR, COOKIE, ORIGIN, OWNER, Answer, World, as_json, world_in

from control_plane import sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES
from control_plane.operators import RECONCILE, signature

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN}


@dataclass
class Seen:
    """What was answered and what of it is a secret, by what it is."""

    answers: list[Answer] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the world keeps its databases."""
    return tmp_path_factory.mktemp("world")


@pytest.fixture
def own(place: Path) -> Iterator[World]:
    """A world whose records nobody else writes into."""
    with tempfile.TemporaryDirectory(dir="/srv") as root, world_in(place, Path(root)) as made:
        yield made


def test_no_secret_stands_in_a_log_in_the_records_in_an_address_or_in_an_error(
    own: World, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)  # as the processes log
    seen = Seen()
    _sign_in(own, seen)
    _use_tokens(own, seen)
    _share(own, seen)
    _administer(own, seen)
    kept = b"".join(path.read_bytes() for path in place.iterdir() if path.is_file())
    repeated = b"".join(one.body for one in seen.answers)
    addresses = "".join(one.headers.get("location", "") for one in seen.answers)
    assert len(seen.secrets) == 10
    for what, secret in seen.secrets.items():
        assert secret not in caplog.text, what
        assert secret.encode() not in kept, what
        assert secret.encode() not in repeated, what
        assert secret not in addresses, what


def _ask(world: World, seen: Seen, method: str, address: str, **more: object) -> Answer:
    """Ask; the answer must not repeat what was sent."""
    answer = world.ask(method, address, **more)  # type: ignore[arg-type] # as World.ask has them
    seen.answers.append(answer)
    return answer


def _sign_in(world: World, seen: Seen) -> None:
    seen.secrets |= {"a password": "alice's password", "a wrong one": "almost-alice's-password"}
    wrong = b"name=alice&password=almost-alice's-password"
    assert _ask(world, seen, "POST", "/login", sent=FORM, content=wrong).status == 401
    # Typed into the wrong field, a password is nobody's name.
    seen.secrets["a password in the field of the name"] = "hunter-two-hunter"
    swapped = b"name=hunter-two-hunter&password=alice"
    answer = world.ask("POST", "/login", FORM, swapped)  # the form shows the name once more
    assert answer.status == 401
    right = world.ask("POST", "/login", FORM, b"name=alice&password=alice's password")
    value = re.search(f"{COOKIE}=([^;]+)", right.headers["set-cookie"])
    assert right.status == 303
    assert value
    seen.secrets |= {"a cookie": value[1], "what it carries": value[1].split(".")[0].strip('"')}
    cookie = {"Cookie": f"{COOKIE}={value[1]}"}
    assert _ask(world, seen, "GET", "/account", sent=cookie).status == 200


def _use_tokens(world: World, seen: Seen) -> None:
    known = base64.b64encode(b"alice:alice's password").decode()
    said, body = as_json({"name": "laptop", "scopes": list(SCOPES[:3])})
    issued = world.ask("POST", "/api/v1/tokens", {**said, "Authorization": f"Basic {known}"}, body)
    assert issued.status == 201
    value = re.search(rb"rapp_[A-Za-z0-9_-]+", issued.body)
    assert value
    seen.secrets["a token"] = value[0].decode().removeprefix("rapp_")
    bearer = {"Authorization": f"Bearer {value[0].decode()}"}
    for address in ("/api/v1/tokens", "/api/v1/me", "/api/v1/nowhere", "/api/v1/sessions/1"):
        _ask(world, seen, "GET", address, sent=bearer)
    said, body = as_json({"old": "wrong-old-password", "new": "new-long-password"})
    seen.secrets["a new password"] = "new-long-password"
    sent = {**said, **bearer}
    refused = _ask(world, seen, "POST", "/api/v1/me/password", sent=sent, content=body)
    assert refused.status == 422


def _share(world: World, seen: Seen) -> None:
    user = world.plane.accounting.user(OWNER)
    assert user
    session, caller = world.session(), Caller(user, frozenset(SCOPES))
    link, secret = sharing.share(
        world.plane, caller, session, sharing.Wanted("link", "", "control"), "192.0.2.1"
    )
    guest = sharing.enter(world.plane, link.id, secret, None, "Gast", "192.0.2.7")
    assert guest
    seen.secrets |= {"a link's secret": secret, "a guest's cookie": guest}
    headers = world.browser(OWNER)
    for address in (f"/sessions/{session}", f"/api/v1/sessions/{session}", "/api/v1/sessions"):
        _ask(world, seen, "GET", address, sent=headers)


def _administer(world: World, seen: Seen) -> None:
    signed = signature(world.plane.site.secret, RECONCILE, b"").rpartition(".")[2]
    seen.secrets["an operator's signature"] = signed
    for shown in (signature(world.plane.site.secret, RECONCILE, b""), "forged"):
        _ask(world, seen, "POST", RECONCILE, sent={"X-Remoteapp-Operator": shown})
    headers = world.browser(ADMINISTRATOR)
    for address in ("/admin/audit", "/admin/sessions", "/admin/users/alice", "/admin"):
        _ask(world, seen, "GET", address, sent=headers)
