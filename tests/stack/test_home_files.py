"""A look into a real home before a start: through the portal, nginx, and the engine."""

import io
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from portal import HELLO, RunningPortal
from stack.conftest import Realm
from stack.older import application, granted

from control_plane.domain.labels import RUN

OPENER = "remoteapp-test/opener:latest"
LABEL = "eu.simphony-project.docker.env.startupdata"


@pytest.fixture
def opener(portal: RunningPortal, realm: Realm) -> Iterator[str]:
    """An application that opens a file."""
    file = io.BytesIO(f"FROM {HELLO}\nLABEL {LABEL}=\n".encode())
    realm.api.images.build(fileobj=file, tag=OPENER, rm=True)
    try:
        with application(portal, OPENER):
            yield OPENER
    finally:
        realm.api.images.remove(OPENER)


@pytest.fixture
def papers(portal: RunningPortal) -> Iterator[Path]:
    """A directory in dora's home, which others may not enter."""
    dora = pwd.getpwnam(portal.dora)
    made = Path(dora.pw_dir) / "papers"
    (made / "deep").mkdir(parents=True)
    (made / "plot 1.py").touch()
    (made / "etc").symlink_to("/etc")
    for one in (made, made / "deep", made / "plot 1.py"):
        shutil.chown(one, dora.pw_uid, dora.pw_gid)
    made.chmod(0o700)
    yield made
    shutil.rmtree(made)


def test_a_user_of_the_host_chooses_a_file_of_the_own_home(
    portal: RunningPortal, realm: Realm, opener: str, papers: Path
) -> None:
    flags = ("--allow-home", "--allow-startup-data")
    with granted(portal, opener, "dora", *flags) as grant:
        path = f"/api/v1/applications/{grant}/files"
        answer = portal.api("dora").get(path, params={"path": papers.name})
        assert [(one["name"], one["kind"], one["path"]) for one in answer.json()["items"]] == [
            ("deep", "directory", "/workspace/papers/deep"),
            ("etc", "link", ""),
            ("plot 1.py", "file", "/workspace/papers/plot 1.py"),
        ]
        out = portal.api("dora").get(path, params={"path": f"{papers.name}/etc"})
        assert (out.status_code, out.json()["detail"]) == (
            404,
            "That directory leads out of the home.",
        )
        assert portal.api("alice").get(path).status_code == 404
        page = portal.client("dora").get(f"/applications/{grant}/files?path=papers").text
        assert "startup_file=%2Fworkspace%2Fpapers%2Fplot+1.py" in page
    assert realm.containers() == {}


def test_a_home_that_was_never_used_is_empty_and_stays_so(
    portal: RunningPortal, realm: Realm, opener: str
) -> None:
    portal.remoteappdb("user", "create", "newcomer")
    portal.remoteappdb("user", "password", "newcomer", "--stdin", line=portal.password("newcomer"))
    flags = ("--allow-home", "--allow-startup-data")
    try:
        with granted(portal, opener, "newcomer", *flags) as grant:
            answer = portal.api("newcomer").get(f"/api/v1/applications/{grant}/files")
            assert answer.json() == {"path": "", "items": [], "cut": False}
    finally:
        portal.remoteappdb("user", "remove", "newcomer")
    assert realm.api.volumes.list(filters={"label": f"{RUN}user=newcomer"}) == []
