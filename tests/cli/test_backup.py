"""`control-plane backup`: one archive, whole or not there."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from apart import apart
from cli.backup_hosts import SERVICE, PortalHost, host, served

from control_plane import __version__
from control_plane.adapters import migrations

MEMBERS = [
    "files/settings.toml.gz",
    "files/secret.gz",
    "files/host.env.gz",
    "files/engine.toml.gz",
    "files/tls/server.key.gz",
    "files/tls/server.pem.gz",
    "databases/accounting-records.db.gz",
    "manifest.json",
    "manifest.json.sha256",
]


@pytest.fixture
def here(tmp_path: Path) -> PortalHost:
    return host(tmp_path / "here")


def test_an_archive_is_private_whole_and_says_what_is_in_it(here: PortalHost) -> None:
    path = here.backup()
    assert path.parent == here.backups
    assert [one.name for one in here.backups.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert here.backups.stat().st_mode & 0o777 == 0o700
    with tarfile.open(path) as tar:
        assert tar.getnames() == MEMBERS
        read = {name: (tar.extractfile(name) or sys.exit()).read() for name in MEMBERS}
    manifest = json.loads(read["manifest.json"])
    stored = [
        one["stored"] for kind in ("files", "databases", "homes") for one in manifest.pop(kind)
    ]
    assert {one["member"]: (one["size"], one["sha256"]) for one in stored} == {
        name: (len(text), hashlib.sha256(text).hexdigest())
        for name, text in read.items()
        if not name.startswith("manifest")
    }
    assert manifest.pop("made_at")
    assert manifest == {
        "format": 1,
        "release": __version__,
        "realm": "lab",
        "schema_versions": {one: migrations.names(one)[-1] for one in migrations.SETS},
        "elsewhere": [],
        "left_out": [],
    }


def test_the_usual_tools_read_an_archive(here: PortalHost, tmp_path: Path) -> None:
    path = here.backup()
    subprocess.run(["tar", "xf", str(path), "-C", str(tmp_path)], check=True)
    check = ["sha256sum", "--check", "--quiet", "manifest.json.sha256"]
    subprocess.run(check, cwd=tmp_path, check=True)
    unpacked = subprocess.run(
        ["zcat", str(tmp_path / "files" / "secret.gz")], capture_output=True, check=True
    )
    assert unpacked.stdout == (here.configuration / "secret").read_bytes()


def test_a_database_that_is_written_meanwhile_is_copied_at_one_moment(
    here: PortalHost, tmp_path: Path
) -> None:
    ended = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(here.database, isolation_level=None, timeout=30)) as database:
            while not ended.is_set():  # two rows that belong together
                database.execute("BEGIN IMMEDIATE")
                for table in ("one", "other"):
                    database.execute(f"INSERT INTO {table} VALUES (1)")  # noqa: S608 - names of our own tables
                database.execute("COMMIT")

    with closing(sqlite3.connect(here.database)) as database:
        database.executescript("CREATE TABLE one (x); CREATE TABLE other (x)")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        paths = [here.backup() for _ in range(3)]
    finally:
        ended.set()
        writer.join()
    for number, path in enumerate(paths):
        there = host(tmp_path / f"there{number}")
        there.done("restore", "--no-homes", str(path))
        with closing(sqlite3.connect(there.database)) as database:
            counts = [
                database.execute(f"SELECT count(*) FROM {one}").fetchone()  # noqa: S608 - names of our own tables
                for one in ("one", "other")
            ]
            assert counts[0] == counts[1]
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_database_that_stays_locked_is_told_of_and_not_waited_for_for_ever(
    here: PortalHost,
) -> None:
    with closing(sqlite3.connect(here.database, isolation_level=None)) as held:
        held.execute("PRAGMA journal_mode = DELETE")
        held.execute("BEGIN EXCLUSIVE")
        assert "database is locked" in here.refused(1, "backup", "--no-homes")


def test_only_so_many_are_kept_and_nothing_of_others_goes(here: PortalHost) -> None:
    here.backups.mkdir()
    others = {"remoteapp-003.db", "remoteapp-20260101T000000.000000Z.tar.part", "homes"}
    for name in others:
        (here.backups / name).touch()
    first, second, third = (here.backup() for _ in range(3))
    assert sorted(here.backups.glob("*Z.tar")) == [first, second, third]
    fourth = here.backup("--keep", "2")
    assert {one.name for one in here.backups.iterdir()} == {third.name, fourth.name, *others}


def test_it_may_go_elsewhere_and_without_the_certificate(here: PortalHost, tmp_path: Path) -> None:
    path = here.backup("--directory", str(tmp_path / "elsewhere"), "--no-tls")
    assert path.parent == tmp_path / "elsewhere"
    with tarfile.open(path) as tar:
        assert tar.getnames() == [one for one in MEMBERS if "/tls/" not in one]


def test_what_the_settings_name_is_in_it_or_is_said_not_to_be(
    here: PortalHost, tmp_path: Path
) -> None:
    inside, outside = here.configuration / "allowed", tmp_path / "accounting.csv"
    inside.write_text("alice\n")
    outside.write_text("")
    with (here.configuration / "settings.toml").open("a") as file:
        file.write(f'allow_list_file = "{inside}"\n[accounting]\nurl = "csv://{outside}"\n')
    result = here.run("backup", "--no-homes")
    assert result.exit_code == 0
    assert result.stderr == f"Not in it, for it is kept outside the portal: {outside}\n"
    with tarfile.open(result.stdout.strip()) as tar:
        assert "files/named/allowed.gz" in tar.getnames()
        assert "databases/records.db.gz" in tar.getnames()


def test_a_full_disk_leaves_nothing_and_keeps_the_earlier_ones(here: PortalHost) -> None:
    here.backups.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(here.backups)]
    subprocess.run(mount, check=True)
    try:
        earlier = here.backup()
        fill = ["dd", "if=/dev/zero", f"of={here.backups / 'filler'}"]
        subprocess.run(fill, stderr=subprocess.DEVNULL, check=False)
        said = here.refused(1, "backup", "--no-homes", "--keep", "1")
        assert "full" in said or "No space left" in said
        assert {one.name for one in here.backups.iterdir()} == {earlier.name, "filler"}
    finally:
        subprocess.run(["umount", str(here.backups)], check=True)


def test_what_a_killed_one_left_behind_goes_with_the_next(here: PortalHost) -> None:
    left = here.backups / ".remoteapp-backup-abc"
    left.mkdir(parents=True)
    (left / "archive").write_text("half")
    path = here.backup()
    assert list(here.backups.iterdir()) == [path]


def test_two_at_once_do_not_get_in_each_others_way(here: PortalHost) -> None:
    here.backups.mkdir()
    with subprocess.Popen(
        ["flock", str(here.backups), "sh", "-c", "echo held; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        assert "Another backup is being made" in here.refused(1, "backup", "--no-homes")
        other.communicate("\n")
    here.backup()


def test_a_link_in_place_of_the_directory_is_not_followed(here: PortalHost, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    here.backups.symlink_to(tmp_path / "target")
    here.refused(1, "backup", "--no-homes")
    assert list((tmp_path / "target").iterdir()) == []


def test_without_its_secret_there_is_no_backup(here: PortalHost) -> None:
    (here.configuration / "secret").unlink()
    assert here.refused(1, "backup", "--no-homes").startswith("There is no secret to back up.")
    assert os.listdir(here.backups) == []  # noqa: PTH208 - names alone


@apart
def test_archives_are_roots_in_a_directory_that_the_service_may_only_add_to() -> None:
    with served() as here:
        os.mkdir(here.backups, 0o700)  # noqa: PTH102 - as the service makes it for its own copies
        os.chown(here.backups, SERVICE, SERVICE)
        paths = [here.backup(), here.backup("--keep", "1")]
        found = here.backups.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, SERVICE, 0o1770)
        assert [one for one in paths if one.exists()] == [paths[1]]
        assert (paths[1].stat().st_uid, paths[1].stat().st_mode & 0o777) == (0, 0o600)
        assert {one.stat().st_uid for one in here.state.glob("remoteapp.db*")} == {SERVICE}


@apart
def test_what_the_service_put_in_the_way_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    with served() as here:
        here.backup()
        victim = tmp_path / "victim"
        victim.mkdir()
        (victim / "file").touch()
        planted = here.backups / ".remoteapp-backup-planted"
        planted.symlink_to(victim)
        os.chown(planted, SERVICE, SERVICE, follow_symlinks=False)
        here.backup()
        assert (planted.is_symlink(), (victim / "file").exists()) == (True, True)


@apart
def test_a_database_that_is_a_link_to_one_of_roots_is_not_read(here: PortalHost) -> None:
    with served() as other:
        other.database.unlink()
        other.database.symlink_to(here.database)
        here.database.chmod(0o600)
        assert "The backup could not be made in" in other.refused(1, "backup", "--no-homes")


def test_a_directory_that_others_may_change_takes_no_archive(here: PortalHost) -> None:
    for uid, mode in ((SERVICE, 0o700), (0, 0o770)):
        place = here.directory / f"{uid}"
        place.mkdir()
        place.chmod(mode)
        os.chown(place, uid, 0)
        said = here.refused(1, "backup", "--no-homes", "--directory", str(place))
        assert said.startswith(f"Others may replace what lies in {place}")
        assert list(place.iterdir()) == []
