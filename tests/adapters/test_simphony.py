"""What simphony-remote kept, version by version, and what of it cannot be taken."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from usecases.conftest import FakeHost

from control_plane.adapters import simphony
from control_plane.domain.entities import Holdings, Person, Policy, User, Volume
from control_plane.errors import ControlPlaneError

SCRIPTS = Path(__file__).parent.parent / "simphony"
HOME = Policy(allow_home=True, share="view")
DATA = Policy(volumes=(Volume("/srv/lab/data", "/data", "ro"),))
WRITABLE = Policy(volumes=(Volume("/srv/lab/data", "/data", "rw"),))
DORA = Person("Dora Host", 1001, 1001, (), "/home/dora", home_is_volume=False)
HOST = FakeHost({DORA.name: DORA})
# The same rows under other numbers.
RENUMBERED = """
    UPDATE "user" SET id = id + 10;
    UPDATE application SET id = id + 20;
    UPDATE application_policy SET id = id + 30;
    UPDATE accounting SET user_id = user_id + 10, application_id = application_id + 20,
        application_policy_id = application_policy_id + 30;
"""


def made(path: Path, version: str, *more: str) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.executescript((SCRIPTS / f"{version}.sql").read_text())
        for statements in more:
            db.executescript(statements)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return tmp_path / "remoteappmanager.db"


def lines(found: Holdings) -> list[tuple[str, str, Policy]]:
    return [(one.application.image, one.grantee.name, one.policy) for one in found.grants]


@pytest.mark.parametrize("version", ["0.8", "2.0"])
def test_users_applications_and_grants_come_from_every_version(old: Path, version: str) -> None:
    found, told = simphony.read(made(old, version), HOST)
    assert list(told) == []
    assert found.users == (User("alice", "virtual"), User("bob", "virtual"))
    assert [one.image for one in found.applications] == ["lab/paint:1", "lab/table:1"]
    assert lines(found) == [
        ("lab/paint:1", "alice", HOME),
        ("lab/paint:1", "bob", HOME),
        ("lab/table:1", "alice", DATA),
    ]


def test_grants_keep_their_ids(old: Path) -> None:
    found, _ = simphony.read(made(old, "2.0"), HOST)
    assert [one.id for one in found.grants] == ["1" * 32, "3" * 32, "2" * 32]


def test_a_version_without_ids_gets_ids_of_what_is_granted_not_of_numbers(tmp_path: Path) -> None:
    first, _ = simphony.read(made(tmp_path / "first.db", "0.8"), HOST)
    second, told = simphony.read(made(tmp_path / "second.db", "0.8", RENUMBERED), HOST)
    assert list(told) == []
    assert second == first
    assert len({one.id for one in first.grants}) == 3


def test_the_newest_version_has_licences_and_startup_data(old: Path) -> None:
    found, _ = simphony.read(made(old, "2.2"), HOST)
    licensed = Policy(
        allow_home=True, share="view", app_license="key-4711", allow_startup_data=True
    )
    assert lines(found) == [
        ("lab/paint:1", "Dora Host", Policy()),
        ("lab/paint:1", "alice", licensed),
        ("lab/table:1", "Dora Host", WRITABLE),
        ("lab/table:1", "alice", Policy()),
    ]


def test_accounts_of_the_host_keep_their_names_as_they_are(old: Path) -> None:
    found, _ = simphony.read(made(old, "2.2"), HOST)
    assert found.users == (User("Dora Host", "system"), User("alice", "virtual"))


def test_what_cannot_be_taken_is_told_by_a_sentence_each(old: Path) -> None:
    found, told = simphony.read(made(old, "2.2"), HOST)
    name = "name: 1 to 64 of a-z, 0-9 and _ . @ -, the first a letter or _."
    path = "must be an absolute path, printable, without .. or //."
    image = "image: is not a name of an image of at most 255 characters."
    lost = "is not there or was not taken."
    never = "The account root is one of the system's own and never signs in."
    parts = "volume: source, target and mode must all be given, or none."
    made_id = next(one.id for one in found.grants if one.grantee.name == "Dora Host")
    assert list(told) == [
        f"User number 2 was not taken. A virtual user cannot be called Bob. {name}",
        "User number 3 was not taken. It has no name.",
        f"User number 5 was not taken. {never}",
        rf"User number 6 was not taken. A virtual user cannot be called \xff. {name}",
        "Application number 2 was not taken. It has no image.",
        f"Application number 3 was not taken. The application no image is refused. {image}",
        f"Grant {'a' * 32} was not taken. Its user, number None, {lost}",
        f"Grant {'5' * 32} was not taken. The policy is refused. {parts}",
        f"Grant {'6' * 32} was not taken. The policy is refused. volumes: data {path}",
        f"Grant {'7' * 32} was not taken. Its policy, number 9, {lost}",
        f"Grant {'4' * 32} was not taken. Its application, number 2, {lost}",
        f"Grant {'9' * 32} was not taken: it says the same as the grant {'8' * 32}.",
        f"Grant {'3' * 32} was not taken. Its user, number 2, {lost}",
        f"Grant not hexadecimal has the id {made_id} here: an id is 32 hex digits.",
    ]


def test_no_licence_stands_in_a_sentence(old: Path) -> None:
    long = "UPDATE application_policy SET app_license = 'secret-' || hex(zeroblob(3000));"
    _, told = simphony.read(made(old, "2.2", long), HOST)
    assert any("app_license: must be text" in one for one in told)
    assert "secret" not in "".join(told)


def test_an_id_that_is_none_of_ours_is_replaced_by_a_stable_one(tmp_path: Path) -> None:
    first, _ = simphony.read(made(tmp_path / "first.db", "2.2"), HOST)
    second, _ = simphony.read(made(tmp_path / "second.db", "2.2", RENUMBERED), HOST)
    assert [one.id for one in first.grants] == [one.id for one in second.grants]
    assert all(len(one.id) == 32 for one in first.grants)


def test_the_file_is_not_written(old: Path) -> None:
    before = made(old, "2.2").read_bytes()
    simphony.read(old, HOST)
    assert old.read_bytes() == before
    assert [one.name for one in old.parent.iterdir()] == [old.name]


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ("DROP TABLE accounting", "no such table: accounting"),
        ("ALTER TABLE application RENAME image TO name", "its table application has no image"),
        ("DROP INDEX ix_user_name; ALTER TABLE user DROP name", "its table user has no name"),
    ],
)
def test_another_database_is_refused_by_what_it_lacks(
    old: Path, statements: str, problem: str
) -> None:
    made(old, "2.0", statements)
    with pytest.raises(ControlPlaneError, match=problem) as refused:
        simphony.read(old, HOST)
    assert str(old) in refused.value.message
    assert "from 0.8 to 2.2" in refused.value.hint


@pytest.mark.parametrize("content", [None, b"user,image\nalice,desk\n", b"SQLite format 3\0cut"])
def test_a_file_that_is_no_database_is_refused(old: Path, content: bytes | None) -> None:
    if content is not None:
        old.write_bytes(content)
    with pytest.raises(ControlPlaneError, match="cannot be read") as refused:
        simphony.read(old, HOST)
    assert type(refused.value) is ControlPlaneError
    assert old.exists() == (content is not None)


def test_an_odd_name_of_a_file_is_that_file(tmp_path: Path) -> None:
    found, _ = simphony.read(made(tmp_path / "old %41?mode=rwc#1.db", "2.0"), HOST)
    assert len(found.grants) == 3
