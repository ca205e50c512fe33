"""Accounting in a CSV file: what it says, what it may not say, and how a change is followed."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.adapters.accounting_csv import COLUMNS, csv_accounting
from control_plane.adapters.accounting_snapshot import SnapshotAccounting
from control_plane.domain.entities import Grant, Policy, User, Volume
from control_plane.errors import (
    ConflictError,
    InvalidError,
    NotSupportedError,
    StoreUnavailableError,
)

HEADER = ",".join(COLUMNS)
ALICE = "alice,lab/paint:1,,1,1,0,,,,0"
BOB = "bob,lab/table:1,key-4711,0,0,1,/srv/lab/data,/data,ro,true"
DORA = "Dora Host,lab/paint:1,,0,0,0,,,,0"
NAME = "name: 1 to 64 of a-z, 0-9 and _ . @ -, the first a letter or _"


class Uids:
    """A uid for each name, and how often it was asked."""

    def __init__(self) -> None:
        self.given: dict[str, int] = {}
        self.asked: list[str] = []

    def __call__(self, name: str) -> int:
        self.asked.append(name)
        return self.given.setdefault(name, 70000 + len(self.given))


class File:
    """The file, and the accounting that follows it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uids = Uids()
        self.hosts = {"Dora Host"}

    def says(self, *lines: str, header: str = HEADER) -> None:
        """Put another file in its place, as a whole."""
        new = self.path.with_suffix(".new")
        new.write_text("\n".join([header, *lines, ""]))
        new.rename(self.path)

    def opened(self) -> SnapshotAccounting:
        return csv_accounting(self.path, self.uids, self.hosts.__contains__)

    def refused(self) -> list[tuple[str, str]]:
        """Return the broken lines of a file that refuses to start."""
        with pytest.raises(InvalidError) as error:
            self.opened()
        assert error.value.message == f"The file {self.path} is broken."
        return [(one.field, one.message) for one in error.value.errors]


@pytest.fixture
def file(tmp_path: Path) -> File:
    made = File(tmp_path / "accounting.csv")
    made.says(ALICE, BOB, DORA)
    return made


def test_a_line_is_a_user_an_application_and_a_grant(file: File) -> None:
    accounting = file.opened()
    assert list(accounting.users()) == [
        User("Dora Host", "system"),
        User("alice", "virtual", uid=70000, gid=70000),
        User("bob", "virtual", uid=70001, gid=70001),
    ]
    assert [one.image for one in accounting.applications()] == ["lab/paint:1", "lab/table:1"]
    (grant,) = accounting.grants_of("bob")
    assert grant.policy == Policy(
        volumes=(Volume("/srv/lab/data", "/data", "ro"),),
        allow_startup_data=True,
        app_license="key-4711",
    )
    (grant,) = accounting.grants_of("alice")
    assert grant.policy == Policy(allow_home=True, share="view")
    assert list(accounting.groups()) == []


def ids(accounting: SnapshotAccounting) -> dict[str, str]:
    return {one.grantee.name: one.id for one in accounting.grants()}


def test_ids_are_the_same_wherever_a_line_stands_and_at_every_start(file: File) -> None:
    before = file.opened()
    first, applications = ids(before), before.applications()
    file.says("carl,lab/paint:1,,0,0,0,,,,0", DORA, BOB, ALICE)
    for accounting in (before, file.opened()):
        known = ids(accounting)
        assert len(known.pop("carl")) == 32
        assert known == first
        assert accounting.applications() == applications


def test_ids_stay_what_they_were_in_other_versions(file: File) -> None:
    assert ids(file.opened()) == {
        "Dora Host": "5e32d3c7d10135983402c8273e7e5b34",
        "alice": "66e1881ea71069c806c753ee9a560d59",
        "bob": "b5521ccc72f1952e85ac8e4d6915fa28",
    }


def test_a_line_that_stands_there_twice_is_one_grant(file: File) -> None:
    file.says(ALICE, ALICE, "alice,lab/paint:1,,true,TRUE,1,,,,false")
    assert len(file.opened().grants()) == 1


def test_a_renewed_licence_leaves_the_grant_its_id(file: File) -> None:
    before = ids(file.opened())
    file.says(ALICE, BOB.replace("4711", "4712"), DORA)
    accounting = file.opened()
    assert ids(accounting) == before
    assert accounting.grants_of("bob")[0].policy.app_license == "key-4712"


def test_two_licences_are_two_grants_wherever_they_stand(file: File) -> None:
    other = BOB.replace("4711", "4712")
    found: list[list[Grant]] = []
    for lines in ((BOB, other), (other, BOB)):
        file.says(*lines)
        found.append(list(file.opened().grants()))
    assert found[0] == found[1]
    assert len({one.id for one in found[0]}) == 2


def test_more_columns_in_any_order_empty_lines_and_blanks_are_taken(file: File) -> None:
    expected = file.opened().holdings()
    rows = [line.split(",") for line in (HEADER, ALICE, BOB, DORA)]
    turned = [",".join([" x ", *(f" {one} " for one in reversed(row))]) for row in rows]
    content = "\r\n".join([turned[0], "", *turned[1:], "," * len(COLUMNS)])
    file.path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    file.uids = Uids()
    assert file.opened().holdings() == expected


def test_every_broken_line_is_named_with_what_is_allowed(file: File) -> None:
    file.says(
        ALICE,
        ALICE.replace(",1,1,0,", ",yes,1,0,"),
        "",
        ALICE.replace(",0,,,,0", ",maybe,,,,0"),
        "Carl,lab/paint:1,,1,1,0,,,,0",
        "carl,no image,,1,1,0,,,,0",
        "carl,lab/paint:1,,1,1,0,/srv/lab,,ro,0",
        "carl,lab/paint:1,,1,1,0,srv,/data,ro,0",
        "carl,lab/paint:1,,1,1,0,/srv,/data,rx,0",
        "carl,lab/paint:1,,1",
        f"{ALICE},1",
    )
    allowed = "must be one of 1, true, 0, false"
    policy = "The policy is refused. volume"
    form = "must be SOURCE:TARGET:MODE with two absolute paths and the mode ro or rw"
    image = "image: is not a name of an image of at most 255 characters"
    assert file.refused() == [
        ("line 3", f"A value is refused. policy.allow_home: is yes, {allowed}"),
        ("line 5", f"A value is refused. policy.allow_common: is maybe, {allowed}"),
        ("line 6", f"A virtual user cannot be called Carl. {NAME}"),
        ("line 7", f"The application no image is refused. {image}"),
        ("line 8", f"{policy}: source, target and mode must all be given, or none"),
        ("line 9", f"{policy}s: srv must be an absolute path, printable, without .. or //"),
        ("line 10", f"{policy}s: /srv:/data:rx {form}"),
        ("line 11", "has 4 values, must have 10 as the first line has"),
        ("line 12", "has 11 values, must have 10 as the first line has"),
    ]
    assert file.uids.asked == []


def test_lines_are_counted_in_the_file_even_where_a_value_has_several(file: File) -> None:
    file.says('alice,lab/paint:1,"one\ntwo",1,1,0,,,,0', "bob")
    assert [line for line, _ in file.refused()] == ["line 2", "line 4"]


@pytest.mark.parametrize(
    ("content", "broken"),
    [
        (b"", [("line 1", "must name the columns: the file is empty")]),
        (
            HEADER.replace("user.name", "user").encode() + b"\n" + ALICE.encode(),
            [("line 1", "must name each column once; these it does not: user.name")],
        ),
        (
            f"{HEADER},user.name\n{ALICE},bob\n".encode(),
            [("line 1", "must name each column once; these it does not: user.name")],
        ),
        (f"{HEADER}\n{ALICE}\nb\xf6b{BOB}\n".encode("latin-1"), [("line 3", "must be UTF-8")]),
        (
            f'{HEADER}\n{ALICE}\n"{BOB}\n'.encode(),
            [("line 3", "is no CSV: unexpected end of data")],
        ),
    ],
)
def test_a_file_that_is_no_table_of_these_columns_is_refused(
    file: File, content: bytes, broken: list[tuple[str, str]]
) -> None:
    file.path.write_bytes(content)
    assert file.refused() == broken


def test_a_missing_file_is_a_store_that_is_away(file: File) -> None:
    file.path.unlink()
    with pytest.raises(StoreUnavailableError, match="No such file"):
        file.opened()


def test_a_change_counts_at_the_next_question(file: File) -> None:
    accounting = file.opened()
    before = accounting.version()
    file.says(BOB)
    assert accounting.user("alice") is None
    assert [one.name for one in accounting.users()] == ["bob"]
    assert accounting.version() != before


def test_a_file_that_is_written_in_place_is_followed_too(file: File) -> None:
    accounting = file.opened()
    with file.path.open("a") as out:
        out.write("carl,lab/paint:1,,1,1,0,,,,0\n")
    assert accounting.user("carl") == User("carl", "virtual", uid=70002, gid=70002)


def test_a_uid_is_asked_for_once_and_comes_back_with_the_name(file: File) -> None:
    accounting = file.opened()
    for lines in ((BOB,), (ALICE, BOB)):
        file.says(*lines)
        accounting.users()
    assert file.uids.asked == ["alice", "bob"]
    assert accounting.user("alice") == User("alice", "virtual", uid=70000, gid=70000)


def broken_later(file: File) -> None:
    file.says(ALICE, "bob,lab/paint:1,,oui,1,0,,,,0")


def cut_later(file: File) -> None:
    file.path.write_text(file.path.read_text()[:-20])


def emptied_later(file: File) -> None:
    file.path.write_text("")


def gone_later(file: File) -> None:
    file.path.unlink()


@pytest.mark.parametrize("happens", [broken_later, cut_later, emptied_later, gone_later])
def test_a_file_that_breaks_while_it_is_used_leaves_the_last_good_state_in_force(
    file: File, happens: Callable[[File], None], caplog: pytest.LogCaptureFixture
) -> None:
    accounting = file.opened()
    accounting.check()
    before, version = accounting.holdings(), accounting.version()
    happens(file)
    assert accounting.holdings() == before
    assert accounting.version() == version
    told = len(caplog.records)
    assert told > 0
    with pytest.raises(StoreUnavailableError, match=str(file.path)):
        accounting.check()
    assert len(caplog.records) == told
    file.says(BOB)
    accounting.check()
    assert [one.name for one in accounting.users()] == ["bob"]


def test_each_broken_line_is_logged_once_and_named_by_the_check(
    file: File, caplog: pytest.LogCaptureFixture
) -> None:
    accounting = file.opened()
    file.says(ALICE, BOB.replace(",0,0,", ",no,0,"), DORA, "dora")
    for _ in range(3):
        accounting.users()
    short = "has 1 values, must have 10 as the first line has"
    where = f"kept=the file {file.path}"
    refused = "A value is refused. policy.allow_home: is no, must be one of 1, true, 0, false"
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR] == [
        f"accounting stays as it was {where} problem=The file {file.path} is broken.",
        f"accounting cannot be read at=line 3 problem={refused}",
        f"accounting cannot be read at=line 5 problem={short}",
    ]
    assert "4711" not in caplog.text
    with pytest.raises(StoreUnavailableError) as error:
        accounting.check()
    assert error.value.message == f"The file {file.path} is broken. See line 3, line 5."


def test_uids_that_are_away_for_a_moment_are_asked_again(file: File) -> None:
    away: list[Exception] = []

    def uid_of(name: str) -> int:
        if away:
            raise away[0]
        return file.uids(name)

    accounting = csv_accounting(file.path, uid_of, file.hosts.__contains__)
    away.append(StoreUnavailableError("The records do not answer."))
    file.says(ALICE, "carl,lab/paint:1,,1,1,0,,,,0")
    assert accounting.user("carl") is None
    assert accounting.user("bob") is not None
    away.clear()
    assert accounting.user("carl") == User("carl", "virtual", uid=70002, gid=70002)
    accounting.check()


def test_no_uid_left_refuses_the_start(file: File) -> None:
    def none_left(_: str) -> int:
        raise ConflictError("None is left.")

    with pytest.raises(ConflictError):
        csv_accounting(file.path, none_left, file.hosts.__contains__)


def test_a_write_is_refused_and_says_where_to_write(file: File) -> None:
    accounting = file.opened()
    content = file.path.read_bytes()
    with pytest.raises(NotSupportedError) as error:
        accounting.add_user(User("eve", "virtual"))
    assert error.value.message == (
        f"Accounting is kept in the file {file.path} and is only read here."
    )
    assert file.path.read_bytes() == content


def test_a_file_under_the_same_name_with_the_same_times_and_size_is_another(file: File) -> None:
    accounting = file.opened()
    found = file.path.stat()
    file.says(ALICE.replace("alice", "elise"), BOB, DORA)
    os.utime(file.path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert file.path.stat().st_size == found.st_size
    assert accounting.user("elise") is not None
