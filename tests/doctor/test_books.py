"""The databases, and whether everyone has something to start."""

import sqlite3
from contextlib import closing

import pytest
from doctor.installations import Place

from control_plane.adapters.migrations import names
from control_plane.doctor.findings import Finding

GRANT = "remoteappdb app grant IMAGE"


def run(place: Place, statement: str) -> None:
    with closing(sqlite3.connect(place.database)) as connection, connection:
        connection.execute(statement)


def test_a_database_that_is_well_names_its_schema(place: Place) -> None:
    newest = ", ".join(f"{part} {names(part)[-1][:3]}" for part in ("accounting", "records"))
    told = f"{place.database}: whole, writable, schema {newest}."
    assert place.one("database") == Finding("ok", told)


def test_looking_at_an_installation_without_a_database_makes_none(place: Place) -> None:
    for path in place.directory.glob("remoteapp.db*"):
        path.unlink()
    told = f"The database is not initialised: {place.database} has no tables of"
    assert place.look("database") == [
        Finding("failed", f"{told} {part}.", "remoteappdb init")
        for part in ("accounting", "records")
    ]
    behind = "Not looked at: The database is not ready for this version."
    todo = "control-plane doctor --only database"
    assert place.one("people") == Finding("warning", behind, todo)
    assert not place.database.exists()


def test_a_database_of_an_earlier_version_is_told_of_and_left_as_it_is(place: Place) -> None:
    run(place, "DELETE FROM records_migrations WHERE id = (SELECT max(id) FROM records_migrations)")
    told = "The database is older than this version: 1 changes to come."
    todo = "systemctl restart remoteapp  # it keeps a copy first"
    assert place.one("database") == Finding("warning", told, todo)
    assert place.one("database").status == "warning"


def test_a_database_of_a_later_version_is_told_of(place: Place) -> None:
    run(place, "INSERT INTO records_migrations (name, migrated_at) VALUES ('999_later', '')")
    told = "The database was written by a newer version (it has 999_later)."
    todo = "Install that version, or: control-plane restore BACKUP"
    assert place.one("database") == Finding("failed", told, todo)


def test_a_damaged_database_is_told_of(place: Place) -> None:
    run(place, "PRAGMA journal_mode = DELETE")
    content = bytearray(place.database.read_bytes())
    content[8192:16384] = bytes(8192)
    place.database.write_bytes(content)
    found = place.look("database")
    assert {one.status for one in found} == {"failed"}
    assert "control-plane restore" in found[0].todo or "ls -l" in found[0].todo


@pytest.mark.parametrize("word", ["", "not a database at all" * 100])
def test_a_file_that_is_no_database_is_told_of(place: Place, word: str) -> None:
    place.database.write_text(word)
    assert {one.status for one in place.look("database")} == {"failed"}


def test_a_portal_without_anybody_says_how_to_make_the_first(place: Place) -> None:
    todo = "remoteappdb user create NAME; remoteappdb user password NAME"
    assert place.one("people") == Finding("warning", "There is nobody who may sign in.", todo)


def test_a_new_user_who_sees_nothing_is_named_with_the_command_that_helps(place: Place) -> None:
    for name in ("alice", "bob", "charlie"):
        place.remoteappdb(f"user create {name}")
    place.remoteappdb("group create lab bob")
    place.remoteappdb("app create desk --no-verify")
    place.remoteappdb("app grant desk --group lab --no-verify")
    told = "A new user sees nothing until something is granted: alice, charlie have no grant."
    assert place.one("people") == Finding("warning", told, f"{GRANT} alice")
    place.remoteappdb("app grant desk alice --no-verify")
    place.remoteappdb("user disable charlie")
    assert place.one("people").status == "ok"


def test_what_everyone_may_start_everyone_sees_and_administrators_need_not(place: Place) -> None:
    place.remoteappdb("user create root-of-all --admin")
    told = "1 users, 0 grants; whoever does not administer sees something."
    assert place.one("people") == Finding("ok", told)
    place.remoteappdb("user create alice")
    place.remoteappdb("app create desk --no-verify")
    assert place.one("people").status == "warning"
    place.remoteappdb("app grant desk --everyone --no-verify")
    told = "2 users, 1 grants; whoever does not administer sees something."
    assert place.one("people") == Finding("ok", told)
