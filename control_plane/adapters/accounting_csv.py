"""Accounting in a CSV file with simphony-remote's columns, for sites that write it themselves.

Invariant: the file is taken whole or not at all; an id is made of what a line says, not of where
it stands, and a uid belongs to a name for ever.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from control_plane.adapters.accounting_snapshot import SnapshotAccounting
from control_plane.adapters.simphony import Entry, application_of, grant_id, policy_of, why
from control_plane.domain.entities import Grant, Grantee, Holdings, User
from control_plane.domain.names import check_virtual_name, shown
from control_plane.errors import (
    ControlPlaneError,
    FieldError,
    InvalidError,
    StoreUnavailableError,
)

COLUMNS = (
    "user.name",
    "application.image",
    "policy.app_license",
    "policy.allow_home",
    "policy.allow_view",
    "policy.allow_common",
    "policy.volume_source",
    "policy.volume_target",
    "policy.volume_mode",
    "policy.allow_startup_data",
)
_FLAGS = ("allow_home", "allow_view", "allow_common", "allow_startup_data")
_TRUTH = {"1": True, "true": True, "0": False, "false": False}


def csv_accounting(
    path: Path, uid_of: Callable[[str], int], is_system: Callable[[str], bool]
) -> SnapshotAccounting:
    """Return the accounting in a file; InvalidError names every broken line.

    `uid_of` gives the uid of a virtual user, the same at every question and never another's.
    `is_system` says whether a name is an account of the host.
    """
    return SnapshotAccounting(CsvFile(path, uid_of, is_system), f"the file {path}")


class CsvFile:
    """The file as a source of accounting."""

    def __init__(
        self, path: Path, uid_of: Callable[[str], int], is_system: Callable[[str], bool]
    ) -> None:
        """Keep where it is; nothing is read yet."""
        self._path = path
        self._uid_of = cache(uid_of)
        self._is_system = is_system

    def version(self) -> object:
        """Return what the file system says of the file."""
        try:
            return _stamp(self._path.stat())
        except OSError as error:
            raise self._away(error.strerror) from error

    def holdings(self) -> Holdings:
        """Read the file; InvalidError names every broken line and what is allowed."""
        faults: list[FieldError] = []
        is_system = cache(self._is_system)  # what the host knows may lie in a network
        entries = list(_entries(self._read(faults), is_system, faults))
        if faults:
            raise InvalidError(f"The file {self._path} is broken.", faults)
        names = sorted({one.user for one in entries})
        users = [User(name, "system") if is_system(name) else self._virtual(name) for name in names]
        return _holdings(users, entries)

    def _virtual(self, name: str) -> User:
        uid = self._uid_of(name)
        return User(name, "virtual", uid=uid, gid=uid)

    def _read(self, faults: list[FieldError]) -> str:
        try:
            with self._path.open("rb") as file:
                before = _stamp(os.fstat(file.fileno()))
                content = file.read()
                after = _stamp(os.fstat(file.fileno()))
        except OSError as error:
            raise self._away(error.strerror) from error
        if before != after:
            raise self._away("it is being written")
        return _decoded(content, faults)

    def _away(self, reason: str | None) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"The file {self._path} cannot be read: {reason}.",
            "Put it there as a whole: write another file beside it and rename that.",
        )


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _decoded(content: bytes, faults: list[FieldError]) -> str:
    """Return the lines before the first that is no text."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = content[: content.rfind(b"\n", 0, error.start) + 1]
        number = len(good.splitlines()) + 1
        faults.append(FieldError(f"line {number}", "must be UTF-8"))
        return good.decode("utf-8-sig")


def _entries(
    text: str, is_system: Callable[[str], bool], faults: list[FieldError]
) -> Iterator[Entry]:
    for number, line in _lines(text, faults):
        try:
            yield _entry(line, is_system)
        except ControlPlaneError as error:
            faults.append(FieldError(f"line {number}", why(error).rstrip(".")))


def _lines(text: str, faults: list[FieldError]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number a line begins at and what it says by column; an empty one says nothing."""
    header: Sequence[str] = ()
    for number, row in _rows(text, faults):
        if not header:
            header = row
            if wrong := [one for one in COLUMNS if header.count(one) != 1]:
                problem = f"must name each column once; these it does not: {', '.join(wrong)}"
                faults.append(FieldError(f"line {number}", problem))
                return
        elif len(row) == len(header):
            yield number, dict(zip(header, row, strict=True))
        else:
            problem = f"has {len(row)} values, must have {len(header)} as the first line has"
            faults.append(FieldError(f"line {number}", problem))


def _rows(text: str, faults: list[FieldError]) -> Iterator[tuple[int, Sequence[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for row in reader:
            if any(row) or number == 1:
                yield number, [one.strip() for one in row]
            number = reader.line_num + 1
    except csv.Error as error:
        faults.append(FieldError(f"line {number}", f"is no CSV: {error}"))
    if number == 1:
        faults.append(FieldError("line 1", "must name the columns: the file is empty"))


def _entry(line: Mapping[str, str], is_system: Callable[[str], bool]) -> Entry:
    user, image = line["user.name"], line["application.image"]
    if not is_system(user):
        check_virtual_name(user)
    flags = {name: _flag(line, name) for name in _FLAGS}
    volume = [line[f"policy.volume_{part}"] for part in ("source", "target", "mode")]
    allowed = policy_of(flags, volume, line["policy.app_license"])
    return Entry(user, application_of(image).image, allowed)


def _flag(line: Mapping[str, str], name: str) -> bool:
    value = line[f"policy.{name}"]
    if value.lower() not in _TRUTH:
        problem = f"is {shown(value)}, must be one of {', '.join(_TRUTH)}"
        raise InvalidError("A value is refused.", [FieldError(f"policy.{name}", problem)])
    return _TRUTH[value.lower()]


def _holdings(users: Sequence[User], entries: Sequence[Entry]) -> Holdings:
    applications = {one.image: application_of(one.image) for one in entries}
    return Holdings(
        users=tuple(users),
        applications=tuple(applications.values()),
        grants=tuple(
            Grant(key, Grantee("user", one.user), applications[one.image], one.policy)
            for key, one in _identified(entries)
        ),
    )


def _identified(entries: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    """Yield each grant once with its id; those that differ in the licence alone in its order."""
    given: Counter[str] = Counter()
    for entry in sorted(set(entries), key=lambda one: one.policy.app_license):
        first = grant_id(entry)
        yield grant_id(entry, given[first]), entry
        given[first] += 1
