"""The verbs `remoteapprest share …`, over TLS, on the real application with an engine in memory."""

from dataclasses import replace

import pytest
from adapters.fakes_forwarder import FakeForwarder
from cli.remoteapprest_desk import Desk

from control_plane import sessions, sharing
from control_plane.domain.entities import Policy


@pytest.fixture
def desktop(alices: Desk) -> str:
    """A desktop of alice's that she may share with control."""
    session_id = alices.started()
    session = alices.plane.access.sessions[session_id]
    policy = replace(session.policy or Policy(), share="control")
    sessions.change(alices.plane, session, "Ready.", policy=policy)
    return session_id


def test_a_share_is_added_listed_and_revoked(alices: Desk, desktop: str) -> None:
    origin = alices.plane.site.public_url
    words = ("share", "add", desktop, "--user", "bob", "--access", "control")
    assert alices.done(*words) == f"{origin}/sessions/{desktop}\n"
    (share,) = alices.plane.access.shares.values()
    assert (share.name, share.access) == ("bob", "control")
    forwarder = alices.plane.forwarder
    assert isinstance(forwarder, FakeForwarder)
    lines = alices.done("share", "list", desktop, "--no-decoration").splitlines()
    assert [line.split()[:4] for line in lines[-1:]] == [[share.id, "user", "bob", "control"]]
    (row,) = alices.told("share", "list", desktop)
    assert (row["id"], row["user"], row["watching"]) == (share.id, "bob", [])
    token = next(one for one in alices.plane.access.tokens.values() if one.user == "alice")
    assert forwarder.connect(share.id, token.id, "bob")
    sharing.keep(alices.plane)
    (row,) = alices.told("share", "list", desktop)
    assert [one["name"] for one in row["watching"]] == ["bob"]
    assert alices.done("share", "revoke", desktop, share.id) == f"Revoked {share.id}.\n"
    assert alices.told("share", "list", desktop) == []


def test_a_link_is_printed_once(alices: Desk, desktop: str) -> None:
    address = alices.done("share", "add", desktop, "--link", "--expires-in", "60").strip()
    (share,) = alices.plane.access.shares.values()
    start, _, secret = address.partition("#")
    assert start == f"{alices.plane.site.public_url}/share/{share.id}"
    assert len(secret) == 43
    assert (share.access, (share.expires_at - share.created_at).total_seconds()) == ("view", 60)
    listed = alices.done("share", "list", desktop) + alices.done("share", "list", desktop, "--json")
    assert "whoever has the link" in listed
    assert secret not in listed


def test_a_share_for_programs(alices: Desk, desktop: str) -> None:
    made = alices.told("share", "add", desktop, "--link")
    assert made["url"].startswith(f"{alices.plane.site.public_url}/share/{made['id']}#")
    assert alices.told("share", "revoke", desktop, made["id"]) == {
        "id": made["id"],
        "revoked": True,
    }


@pytest.mark.parametrize("whom", [(), ("--user", "bob", "--link"), ("--user", "b", "--group", "c")])
def test_one_of_three_is_let_in(alices: Desk, whom: tuple[str, ...]) -> None:
    result = alices.run("share", "add", "0" * 32, *whom)
    assert result.exit_code == 2
    assert "Give one of --user, --group and --link." in result.stderr


def test_what_is_refused_says_what_to_do(alices: Desk, desktop: str) -> None:
    line = alices.refused(2, "share", "add", desktop, "--user", "nobody")
    assert line == "It was not shared. user: is nobody who may sign in here."
    for words in (("add", "0" * 32, "--link"), ("list", "0" * 32)):
        line = alices.refused(1, "share", *words)
        assert line == "There is no such session. See remoteapprest app running."
    line = alices.refused(1, "share", "revoke", desktop, "0" * 32)
    assert line == "There is no such share. See remoteapprest share list."


def test_what_is_shared_with_one_is_listed_beside_ones_own(alices: Desk, desktop: str) -> None:
    alices.done("share", "add", desktop, "--user", "bob")
    alices.sign_in("bob", "bobs")
    (row,) = alices.told("--profile", "bobs", "app", "running")
    assert (row["id"], row["owner"], row["access"]) == (desktop, "alice", "view")
