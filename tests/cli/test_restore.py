"""`control-plane restore`: the portal as it was, or this one untouched."""

import os
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from apart import apart
from cli.backup_hosts import SERVICE, PortalHost, host, served

from control_plane.adapters.backup_archive import ArchiveWriter
from control_plane.adapters.backup_manifest import Manifest


@pytest.fixture
def here(tmp_path: Path) -> PortalHost:
    """A portal with alice and a token's worth of history."""
    made = host(tmp_path / "here")
    made.remoteappdb("user", "create", "alice")
    made.remoteappdb("user", "password", "alice", "--stdin", typed="alice-has-a-long-password")
    return made


@pytest.fixture
def there(tmp_path: Path) -> PortalHost:
    """A second host, on which nobody has done anything: there is the administrator alone."""
    made = host(tmp_path / "there")
    made.remoteappdb("user", "create", "portal-admin", "--admin")
    return made


def test_another_host_becomes_the_portal_that_was_backed_up(
    here: PortalHost, there: PortalHost
) -> None:
    path = here.backup()
    printed = there.done("restore", "--no-homes", str(path))
    rules = ["host.env", "engine.toml"]
    files = ["settings.toml", "secret", *rules, "tls/server.key", "tls/server.pem"]
    assert printed == [
        *(f"Restored {there.configuration / one}" for one in files),
        f"Restored {there.database}",
    ]
    assert there.users() == ["alice"]
    assert there.acts() == here.acts()
    for one in files:
        old, new = here.configuration / one, there.configuration / one
        assert new.read_bytes() == old.read_bytes()
        assert new.stat().st_mode == old.stat().st_mode
    assert {one.name for one in there.state.iterdir()} == {"remoteapp.db", "control-plane.lock"}


def test_the_settings_of_the_host_may_stay(here: PortalHost, there: PortalHost) -> None:
    before = there.everything()
    there.done("restore", "--no-homes", "--keep-settings", str(here.backup()))
    assert there.users() == ["alice"]
    changed = {name for name, found in there.everything().items() if before.get(name) != found}
    assert changed == {"etc/secret", "state/remoteapp.db"}


def test_users_that_are_here_are_replaced_only_by_force(
    here: PortalHost, there: PortalHost
) -> None:
    there.remoteappdb("user", "create", "bob")
    path, before = here.backup(), there.everything()
    said = there.refused(1, "restore", "--no-homes", str(path))
    assert said.startswith("This portal has users")
    assert there.everything() == before
    there.done("restore", "--no-homes", "--force", str(path))
    assert there.users() == ["alice"]


def test_what_the_replaced_database_had_not_yet_written_back_is_gone(
    here: PortalHost, there: PortalHost
) -> None:
    path = here.backup()
    with closing(sqlite3.connect(there.database)) as open_still:
        open_still.execute("SELECT 1 FROM users").fetchall()
        there.remoteappdb("user", "create", "bob")
        copy = there.directory / "copy-wal"
        copy.write_bytes(Path(f"{there.database}-wal").read_bytes())
    copy.rename(f"{there.database}-wal")
    there.done("restore", "--no-homes", "--force", str(path))
    assert there.users() == ["alice"]


def test_another_realms_archive_is_taken_only_when_told(here: PortalHost, tmp_path: Path) -> None:
    other, path = host(tmp_path / "other", realm="school"), here.backup()
    before = other.everything()
    said = other.refused(1, "restore", "--no-homes", str(path))
    assert said.startswith("The archive is of the realm lab, this host's is school.")
    assert other.everything() == before
    other.done("restore", "--no-homes", "--other-realm", "--keep-settings", str(path))
    assert other.users() == ["alice"]
    assert 'realm = "school"' in (other.configuration / "settings.toml").read_text()


def test_nothing_is_restored_while_the_portal_runs(here: PortalHost, there: PortalHost) -> None:
    path, before = here.backup(), there.everything()
    with subprocess.Popen(
        ["flock", str(there.state / "control-plane.lock"), "sh", "-c", "echo held; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout
        assert service.stdout.readline() == "held\n"
        said = there.refused(1, "restore", "--no-homes", str(path))
        assert said.endswith("Stop the portal: systemctl stop remoteapp.target.")
        service.communicate("\n")
    assert there.everything() == before


def flipped(path: Path) -> None:
    """Change one byte of the secret that is in it."""
    with tarfile.open(path) as tar:
        place = tar.getmember("files/secret.gz").offset_data
    with path.open("r+b") as file:
        file.seek(place + 20)
        byte = file.read(1)[0]
        file.seek(place + 20)
        file.write(bytes([byte ^ 1]))


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def renamed(path: Path) -> None:
    """Say another realm in the manifest."""
    path.write_bytes(path.read_bytes().replace(b'"realm": "lab"', b'"realm": "lob"'))


def more(path: Path) -> None:
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/cron.d/more"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flipped, cut, renamed, more, empty])
def test_a_broken_archive_changes_nothing(
    here: PortalHost, there: PortalHost, damage: Callable[[Path], None]
) -> None:
    path, before = here.backup(), there.everything()
    damage(path)
    said = there.refused(1, "restore", "--no-homes", str(path))
    assert said.startswith("This is no whole archive of a portal: ")
    assert there.everything() == before


def test_an_archive_of_a_newer_schema_is_refused(here: PortalHost, there: PortalHost) -> None:
    with closing(sqlite3.connect(here.database)) as database:
        row = "INSERT INTO records_migrations (name, migrated_at) VALUES ('999_later', '2036')"
        database.execute(row)
        database.commit()
    path, before = here.backup(), there.everything()
    said = there.refused(1, "restore", "--no-homes", str(path))
    assert said.startswith("The archive was made by a newer release, ")
    assert "records 999_later" in said
    assert there.everything() == before


def forged(path: Path, settings: bytes, *names: str) -> None:
    """Write an archive whose hashes are right, and whose content is not."""
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        common = {"owner": "root", "group": "root", "mode": 0o600}
        files = [
            {"name": name, "stored": writer.add(f"{number}", [settings]), **common}
            for number, name in enumerate(("settings.toml", *names))
        ]
        writer.finish(
            Manifest.model_validate(
                {
                    "release": "0",
                    "made_at": "2026-01-01T00:00:00Z",
                    "realm": "lab",
                    **dict.fromkeys(("elsewhere", "left_out", "databases", "homes"), ()),
                    "schema_versions": {},
                    "files": files,
                }
            )
        )


@pytest.mark.parametrize(
    "name", ["tls/../../../escaped", "named//escaped", "named/../escaped", "/escaped", "other"]
)
def test_an_archive_chooses_no_place(there: PortalHost, tmp_path: Path, name: str) -> None:
    path, before = tmp_path / "forged.tar", there.everything()
    forged(path, (there.configuration / "settings.toml").read_bytes(), name)
    said = there.refused(1, "restore", "--no-homes", str(path))
    assert "is no file of a portal" in said
    assert there.everything() == before
    assert not list(tmp_path.rglob("*escaped*"))


def test_settings_that_do_not_fit_the_host_are_refused_before_anything(
    there: PortalHost, tmp_path: Path
) -> None:
    path, before = tmp_path / "forged.tar", there.everything()
    text = b'public_url = "https://remote.example.org"\n[volumes]\nroots = ["/nowhere"]\n'
    forged(path, text)
    said = there.refused(1, "restore", "--no-homes", "--other-realm", str(path))
    assert said.startswith("The settings in the archive do not fit this host: volumes.roots")
    assert there.everything() == before


def test_a_full_disk_leaves_the_portal_as_it_was(here: PortalHost, tmp_path: Path) -> None:
    path = here.backup()
    there = PortalHost(tmp_path / "small", "lab")
    there.directory.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(there.directory)]
    subprocess.run(options, check=True)
    try:
        host(tmp_path / "small")
        before = there.everything()
        filler = there.directory / "filler"
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={filler}"], stderr=subprocess.DEVNULL, check=False
        )
        said = there.refused(1, "restore", "--no-homes", "--force", str(path))
        assert said.startswith("The portal could not be restored: ")
        assert said.endswith("Nothing was replaced. Make room.")
        filler.unlink()
        assert there.everything() == before
        there.done("restore", "--no-homes", str(path))
        assert there.users() == ["alice"]
    finally:
        subprocess.run(["umount", str(tmp_path / "small")], check=True)


@apart
def test_a_link_to_one_of_roots_in_the_way_is_named_and_to_be_moved_away(here: PortalHost) -> None:
    path = here.backup()
    path.chmod(0o600)
    with served() as other:
        way = other.database.with_name(f"{other.database.name}-wal")
        way.unlink(missing_ok=True)
        way.symlink_to(path)
        said = other.refused(1, "restore", "--no-homes", "--force", str(path))
        assert str(way) in said
        assert said.endswith("Nothing was replaced. Move away what it names, and start again.")
        way.unlink()
        other.done("restore", "--no-homes", "--force", str(path))


def test_a_restore_that_was_killed_is_mended_by_the_same_again(
    here: PortalHost, there: PortalHost
) -> None:
    there.remoteappdb("user", "create", "bob")
    path = here.backup()
    kept = there.state.with_name(".state.restoring")
    kept.mkdir(mode=0o700)  # as far as a killed one may have come: users replaced, the rest not
    saved = kept / str(there.database).replace("/", "_")
    there.database.rename(saved)
    (there.state / ".remoteapp.db.restored").write_text("half")
    (there.configuration / ".secret.restored").write_text("half")
    with closing(sqlite3.connect(there.database)) as database:
        database.execute("CREATE TABLE users (name)")
        database.execute("INSERT INTO users VALUES ('half')")
        database.commit()
    there.done("restore", "--no-homes", str(path))
    assert there.users() == ["alice"]
    assert {one.name for one in there.state.iterdir()} == {"remoteapp.db", "control-plane.lock"}
    assert not list(there.configuration.glob(".*"))


def test_a_portal_that_is_not_installed_is_said_to_lack(here: PortalHost, tmp_path: Path) -> None:
    path = here.backup()
    bare = PortalHost(tmp_path / "bare", "lab")
    bare.configuration.mkdir(parents=True)
    settings = bare.configuration / "settings.toml"
    settings.write_bytes((here.configuration / "settings.toml").read_bytes())
    said = bare.refused(1, "restore", "--no-homes", str(path))
    assert said == f"The state directory {bare.state} lacks. Install the portal first: site.yml."


@apart
def test_an_archive_of_the_services_is_refused_and_one_of_roots_makes_what_is_the_services(
    here: PortalHost,
) -> None:
    path = here.backup()
    with served() as other:
        path.chmod(0o644)
        os.chown(path, SERVICE, SERVICE)
        said = other.refused(1, "restore", "--no-homes", "--force", str(path))
        assert said.startswith("The archive belongs to the service's account")
        os.chown(path, 0, 0)
        other.done("restore", "--no-homes", "--force", str(path))
        assert other.users() == ["alice"]
        assert {one.stat().st_uid for one in other.state.glob("*")} == {SERVICE}
