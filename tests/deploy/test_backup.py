"""A portal's archive, made on one host while it serves, becomes that portal on another."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deploy.people import HELLO, Site
from deploy.spare import Spare

# Whole playbooks, on a machine under load.
pytestmark = pytest.mark.timeout(1200)

COOKIE = "__Host-remoteapp"
HOME = """
cd /workspace; umask 027; mkdir -p deep/er; echo kept >deep/er/note; ln -s deep/er/note link
chmod 4750 deep/er/note; touch -d 2001-02-03T04:05:06Z deep/er/note
"""
LISTING = """
cd /workspace; find . -exec stat -c '%n %a %u %g %F' {} + | sort; stat -c %Y deep/er/*; cat link
"""
READ = """
import json, sqlite3
database = sqlite3.connect("file:/var/lib/remoteapp/remoteapp.db?mode=ro", uri=True)
print(json.dumps(database.execute("SELECT * FROM {} ORDER BY 1").fetchall(), default=repr))
"""
# What has happened is kept to the row; the sign-ins and sessions are tried.
TABLES = ("users", "groups", "applications", "policies", "grants", "given_uids", "uids")
# Kept too, and added to: the session that ran when the archive was made is ended by the restore.
HISTORY = ("passwords", "usage WHERE ended_at IS NOT NULL", "audit")


@dataclass(frozen=True)
class Backup:
    """An archive that was fetched, and what the portal was when it was made."""

    path: Path
    rows: dict[str, list[Any]]
    home: str
    cookie: str


def rows(site: Site, table: str) -> list[Any]:
    """Return what a table holds."""
    found: list[Any] = json.loads(site.host.run("python3 -", given=READ.format(table)).stdout)
    return found


def inside(site: Site, script: str) -> str:
    """Run it in alice's application; return what it prints."""
    label = "label=eu.simphony-project.docker.runinfo.user=alice"
    container = site.host.out(f"docker ps --quiet --filter {label}")
    return site.host.run(f"docker exec -i {container} sh", given=script).stdout


def signed_in(site: Site, name: str) -> str:
    """Return the cookie of a sign-in by the form."""
    with site.host.client(Origin=site.host.url) as client:
        answer = client.post("/login", data={"name": name, "password": site.password(name)})
        assert answer.status_code == 303, answer.text
        return f"{COOKIE}={client.cookies[COOKIE]}"


@pytest.fixture(scope="module")
def backup(bookworm: Site, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """An archive fetched while alice's application runs, with something in her home."""
    folder, cookie = tmp_path_factory.mktemp("fetched"), signed_in(bookworm, "alice")
    bookworm.stop("alice", bookworm.start("alice")["id"])  # the ledger has a row
    session = bookworm.start("alice")
    inside(bookworm, HOME)
    home = inside(bookworm, LISTING)
    found = {table: rows(bookworm, table) for table in (*TABLES, *HISTORY)}
    bookworm.host.playbook("backup.yml", remoteapp_backup_fetched=str(folder))
    bookworm.stop("alice", session["id"])
    (path,) = folder.rglob("*.tar")
    return Backup(path, found, home, cookie)


def test_the_archive_is_the_operators_alone_and_leaves_nothing_on_the_host(
    bookworm: Site, backup: Backup
) -> None:
    assert backup.path.stat().st_mode & 0o777 == 0o600
    assert backup.path.parent.stat().st_mode & 0o777 == 0o700
    assert backup.path.parent.name == bookworm.host.fqdn
    assert bookworm.host.out("find /var/tmp /tmp -name 'remoteapp-backup-*'") == ""
    with tarfile.open(backup.path) as tar:
        assert any(name.startswith("homes/home-") for name in tar.getnames())


def test_the_unit_of_the_timer_makes_an_archive_in_its_sandbox(bookworm: Site) -> None:
    bookworm.host.run("systemctl start remoteapp-backup.service")
    timer = bookworm.host.out("systemctl show remoteapp-backup.timer --property=TimersCalendar")
    assert "OnCalendar=*-*-* 02:30:00 ;" in timer
    newest = bookworm.host.out("ls -t /var/lib/remoteapp/backups/*.tar | head -1")
    assert bookworm.host.out(f"stat -c '%a %U' {newest}") == "600 root"
    assert "homes/home-" in bookworm.host.out(f"tar tf {newest}")


@pytest.fixture(scope="module")
def restored(bookworm: Site, backup: Backup, second: Spare) -> Site:
    """Another host that the archive was restored on, and the first one's people on it."""
    second.site.host.playbook("restore.yml", remoteapp_restore_archive=str(backup.path))
    second.site.wait_until_ready()
    second.site.grants, second.site.tokens = dict(bookworm.grants), dict(bookworm.tokens)
    return second.site


def test_another_host_becomes_the_portal_with_everything_people_had(
    bookworm: Site, backup: Backup, restored: Site
) -> None:
    site = restored
    assert {table: rows(site, table) for table in TABLES} == {
        table: backup.rows[table] for table in TABLES
    }
    for table in HISTORY:
        assert [one for one in backup.rows[table] if one not in rows(site, table)] == []
    assert site.host.out("cat /etc/remoteapp/secret") == bookworm.host.out(
        "cat /etc/remoteapp/secret"
    )
    with site.host.client(Cookie=backup.cookie) as client:  # it trusts the first host's authority
        assert client.get("/").status_code == 200
    session = site.start("alice", HELLO)
    assert inside(site, LISTING) == backup.home
    site.stop("alice", session["id"])
    with site.api("bob") as api:
        assert api.get("/api/v1/me").json()["name"] == "bob"
    assert site.host.out("find /var/tmp -name 'remoteapp-restore-*'") == ""


@pytest.mark.variant
def test_a_portal_with_users_is_replaced_by_force_alone(backup: Backup, restored: Site) -> None:
    site, archive = restored, str(backup.path)
    session = site.start("alice")
    play = site.host.playbook("restore.yml", check=False, remoteapp_restore_archive=archive)
    assert play.status != 0
    assert "control-plane sessions stop --all" in play.output
    site.wait_until_ready()
    with site.api("alice") as api:  # it runs on as if nothing had been tried
        assert api.get(f"/api/v1/sessions/{session['id']}").json()["state"] == "ready"
    site.host.playbook(
        "restore.yml", remoteapp_restore_archive=archive, remoteapp_restore_force=True
    )
    site.wait_until_ready()
    assert site.host.out("docker ps --quiet --filter name=remoteapp") == ""
    assert rows(site, "users") == backup.rows["users"]


def test_an_archive_that_is_not_there_is_named(bookworm: Site) -> None:
    words = {"remoteapp_restore_archive": "/nowhere/it.tar"}
    play = bookworm.host.playbook("restore.yml", check=False, **words)
    assert play.status != 0
    assert "there is no /nowhere/it.tar on the machine that runs Ansible" in play.output
    bookworm.wait_until_ready()
