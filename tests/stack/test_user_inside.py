"""Who the user is inside a session, and whose the files are that a session touches."""

import grp
import json
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
from portal import HELLO, JUPYTER, TERMINAL, RunningPortal
from stack.conftest import Realm
from stack.homes import full_home, in_memory, squashed_home
from stack.older import application, built, granted

from control_plane.adapters.pam_host import POWERFUL
from control_plane.domain.containers import home_volume

GIT = "remoteapp-test/git:latest"
COMMIT = """
git init -q repository && cd repository && git config user.email someone@example.org
git commit -q --allow-empty -m first && git log --format='%an, %cn'
"""
REMOUNTS = (
    "mount -o remount,rw /data",
    "mount -o remount,bind,rw /data",
    "unshare --user --map-root-user --mount mount -o remount,bind,rw /data",
    "umount /data",
)
Session = dict[str, Any]


@pytest.fixture
def project(portal: RunningPortal) -> Iterator[grp.struct_group]:
    """A group that dora belongs to, as she does to all those that make root of their members."""
    name = f"project{secrets.token_hex(3)}"
    powerful = [one.gr_name for one in grp.getgrall() if one.gr_name in POWERFUL]
    assert {"root", "shadow", "sudo", "disk"} <= set(powerful)
    subprocess.run(["groupadd", name], check=True)
    try:
        groups = ",".join([name, *powerful])
        subprocess.run(["usermod", "--groups", groups, portal.dora], check=True)
        yield grp.getgrnam(name)
    finally:
        subprocess.run(["usermod", "--groups", "", portal.dora], check=True)
        subprocess.run(["groupdel", name], check=True)


@pytest.fixture
def data(portal: RunningPortal) -> Iterator[Path]:
    """A directory that grants may mount from; everybody may write to it."""
    directory = portal.volumes / secrets.token_hex(3)
    directory.mkdir()
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def git(whole_portal: RunningPortal) -> Iterator[str]:
    """An application of the tests' own: hello, and git."""
    with application(whole_portal, built(GIT)):
        yield GIT


@pytest.fixture(scope="module")
def jupyter(whole_portal: RunningPortal) -> Iterator[str]:
    """JupyterLab, which dora may start too."""
    with granted(whole_portal, JUPYTER, "dora", "--allow-home"):
        yield JUPYTER


def run(realm: Realm, session: Session, script: str) -> tuple[int, str]:
    """Run a script as the session's user; return its status and what it says."""
    done = realm.containers()[session["id"]].exec_run(["sh", "-c", script])
    return done.exit_code, done.output.decode()


def said(realm: Realm, session: Session, script: str) -> str:
    """Return what a script says that must do well."""
    status, output = run(realm, session, script)
    assert status == 0, output
    return output


def rights(realm: Realm, session: Session) -> dict[str, set[int]]:
    """Return the numbers of the session's first process: real, effective, saved and the like."""
    lines = said(realm, session, "grep -E '^(Uid|Gid|Groups):' /proc/1/status").splitlines()
    found = dict(line.split(":") for line in lines)
    return {name: {int(one) for one in numbers.split()} for name, numbers in found.items()}


def home_on_host(realm: Realm, session: Session) -> Path:
    """Return where the home lies on the host."""
    mounts = realm.containers()[session["id"]].attrs["Mounts"]
    (home,) = [one["Source"] for one in mounts if one["Destination"] == "/workspace"]
    return Path(home)


def facts(path: Path) -> tuple[int, int, int]:
    """Return the owner, the group and the mode of a file of the host."""
    found = path.lstat()
    return found.st_uid, found.st_gid, S_IMODE(found.st_mode)


def test_a_system_user_has_her_own_numbers_and_no_group_that_makes_root(
    portal: RunningPortal, realm: Realm, project: grp.struct_group
) -> None:
    dora = pwd.getpwnam(portal.dora)
    session = portal.start("dora")
    own = {"Uid": {dora.pw_uid}, "Gid": {dora.pw_gid}, "Groups": {dora.pw_gid, project.gr_gid}}
    assert rights(realm, session) == own
    assert set(said(realm, session, "id -G").split()) == {str(one) for one in own["Groups"]}
    told = f"{dora.pw_uid} {dora.pw_gid} {project.gr_gid}\n"
    assert said(realm, session, "echo $USER_UID $USER_GID $USER_GIDS") == told


def test_a_virtual_user_has_numbers_that_nobody_else_has(
    portal: RunningPortal, realm: Realm
) -> None:
    taken = []
    for name in ("alice", "bob"):
        session = portal.start(name)
        found = rights(realm, session)
        (uid,) = found["Uid"]
        assert found == {"Uid": {uid}, "Gid": {uid}, "Groups": {uid}}
        assert 70000 <= uid <= 99999
        assert home_on_host(realm, session).parts[-2] == home_volume(realm.live.realm, uid)
        taken.append(uid)
    assert taken[0] != taken[1]


@pytest.mark.parametrize("name", ["alice", "dora"])
def test_the_users_name_is_known_inside(portal: RunningPortal, realm: Realm, name: str) -> None:
    session = portal.start(name)
    (uid,), (gid,) = (rights(realm, session)[one] for one in ("Uid", "Gid"))
    login = portal.sign_in_name(name)
    assert said(realm, session, "whoami; id -gn; id -Gn; pwd; echo $HOME $USER").splitlines() == [
        *(login, login, login),
        *("/workspace", f"/workspace {login}"),
    ]
    entry = f"{login}:x:{uid}:{gid}:{login}:/workspace:/bin/bash\n"
    assert said(realm, session, f"getent passwd {uid}; getent passwd {login}") == 2 * entry


@pytest.mark.parametrize("name", ["alice", "dora"])
def test_git_commits_in_the_users_name(
    portal: RunningPortal, realm: Realm, git: str, name: str
) -> None:
    with granted(portal, git, name):
        login = portal.sign_in_name(name)
        assert said(realm, portal.start(name, git), COMMIT) == f"{login}, {login}\n"


@pytest.mark.parametrize("name", ["alice", "dora"])
def test_files_made_inside_are_the_users_on_the_host_and_there_the_next_time(
    portal: RunningPortal, realm: Realm, name: str
) -> None:
    first = portal.start(name)
    modes = "umask 027; mkdir -p kept && echo made >kept/file && install -m 4711 /dev/null kept/odd"
    said(realm, first, modes)
    (uid,), (gid,) = (rights(realm, first)[one] for one in ("Uid", "Gid"))
    kept = home_on_host(realm, first) / "kept"
    assert facts(kept) == (uid, gid, 0o750)
    assert facts(kept / "file") == (uid, gid, 0o640)
    assert facts(kept / "odd") == (uid, gid, 0o4711)
    portal.stop(name, first["id"])
    (kept / "file").write_text("changed\n")
    second = portal.start(name)
    assert said(realm, second, "cat kept/file; stat -c %a kept/file kept/odd; rm -r kept") == (
        "changed\n640\n4711\n"
    )
    assert not kept.exists()


def test_a_system_users_home_is_the_one_on_the_host(portal: RunningPortal, realm: Realm) -> None:
    assert home_on_host(realm, portal.start("dora")) == Path("/home") / portal.dora


def test_a_volume_that_is_ro_stays_read_only_whatever_is_tried(
    portal: RunningPortal, realm: Realm, git: str, data: Path
) -> None:
    (data / "file").write_text("given\n")
    (data / "file").chmod(0o666)
    with granted(portal, git, "dora", "--volume", f"{data}:/data:ro"):
        session = portal.start("dora", git)
        for attempt in REMOUNTS:
            status, why = run(realm, session, attempt)
            assert status != 0, why
        for attempt in (
            "echo x >>/data/file",
            "touch /data/new",
            "rm /data/file",
            "chmod 600 /data",
        ):
            status, why = run(realm, session, attempt)
            assert status != 0
            assert "Read-only file system" in why
        assert said(realm, session, "cat /data/file") == "given\n"
    assert {one.name: one.read_text() for one in data.iterdir()} == {"file": "given\n"}


def test_what_is_mounted_below_a_volume_that_is_ro_cannot_be_written_either(
    portal: RunningPortal, realm: Realm, git: str, data: Path
) -> None:
    below = data / "below"
    below.mkdir()
    with (
        in_memory(below, "mode=0777"),
        granted(portal, git, "dora", "--volume", f"{data}:/data:ro"),
    ):
        session = portal.start("dora", git)
        status, why = run(realm, session, "touch /data/below/new")
        assert status != 0
        assert "Read-only file system" in why
        assert list(below.iterdir()) == []


def test_a_volume_that_is_rw_is_written_with_the_users_own_rights_and_no_others(
    portal: RunningPortal, realm: Realm, git: str, data: Path, project: grp.struct_group
) -> None:
    dora = pwd.getpwnam(portal.dora)
    for name, mode, gid in (("closed", 0o700, 0), ("shared", 0o2770, project.gr_gid)):
        (data / name).mkdir()
        shutil.chown(data / name, 0, gid)
        (data / name).chmod(mode)
    with granted(portal, git, "dora", "--volume", f"{data}:/data:rw"):
        session = portal.start("dora", git)
        said(realm, session, "umask 022; echo hers >/data/new; echo theirs >/data/shared/new")
        said(realm, session, "cp /usr/bin/id /data/shared/id")
        for attempt in ("ls /data/closed", "touch /data/closed/new", "chown 0 /data/new"):
            status, why = run(realm, session, attempt)
            assert status != 0
            assert "denied" in why or "not permitted" in why
        shutil.chown(data / "shared" / "id", 0)
        (data / "shared" / "id").chmod(0o4755)
        assert said(realm, session, "/data/shared/id -u") == f"{dora.pw_uid}\n"
    assert facts(data / "new") == (dora.pw_uid, dora.pw_gid, 0o644)
    assert facts(data / "shared" / "new") == (dora.pw_uid, project.gr_gid, 0o644)


def test_a_desktop_starts_in_a_home_that_is_full_and_says_so(
    portal: RunningPortal, realm: Realm
) -> None:
    with full_home(portal.dora) as home:
        session = portal.start("dora", TERMINAL)
        told = first_event(portal, session)
        assert (told["application"], told["notices"]) == (
            "running",
            ["Your home is full: nothing more can be saved until you delete files."],
        )
        said(realm, session, "rm filler empty* && echo saved >file")
        assert (home / "file").read_text() == "saved\n"
        portal.stop("dora", session["id"])


def first_event(portal: RunningPortal, session: Session) -> dict[str, Any]:
    """Return what a desktop tells its page first."""
    with portal.client("dora").stream("GET", session["url"] + "events") as stream:
        line = next(one for one in stream.iter_lines() if one.startswith("data:"))
        told: dict[str, Any] = json.loads(line.removeprefix("data:"))
        return told


def test_jupyter_starts_in_a_home_that_is_full_and_its_log_says_so(
    portal: RunningPortal, realm: Realm, jupyter: str
) -> None:
    with full_home(portal.dora) as home:
        session = portal.start("dora", jupyter)
        log = portal.api("dora").get(f"/api/v1/sessions/{session['id']}/log?tail=100").text
        reason = "the home /workspace cannot be written (No space left on device)"
        assert [reason in line for line in log.splitlines()].count(True) == 1
        said(realm, session, "rm filler empty* && echo saved >file")
        assert (home / "file").read_text() == "saved\n"
        portal.stop("dora", session["id"])


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize("image", [HELLO, TERMINAL, JUPYTER])
def test_a_home_on_which_root_has_no_rights_is_the_users_as_any_other(
    portal: RunningPortal, realm: Realm, image: str
) -> None:
    dora, behind = pwd.getpwnam(portal.dora), portal.volumes / secrets.token_hex(4)
    with squashed_home(portal.dora, behind) as home:
        with pytest.raises(PermissionError):
            list(home.iterdir())
        session = portal.start("dora", image)
        assert said(realm, session, "pwd; umask 077; echo mine >file; cat file") == (
            "/workspace\nmine\n"
        )
        assert facts(behind / "file") == (dora.pw_uid, dora.pw_gid, 0o600)
        portal.stop("dora", session["id"])
    shutil.rmtree(behind)
