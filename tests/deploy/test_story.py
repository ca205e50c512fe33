"""From a bare host to a desktop, and what the host goes through after that."""

from collections.abc import Iterator

import pytest
from deploy import hosts
from deploy.conftest import Pages
from deploy.hosts import Host
from deploy.people import TERMINAL, Site
from playwright.sync_api import expect

from control_plane.trial.places import CLONE

# Whole playbooks, on a machine under load.
pytestmark = pytest.mark.timeout(1200)

PICTURES = CLONE / "var" / "pictures"


@pytest.fixture
def bare() -> Iterator[Host]:
    with hosts.running("bare", "bookworm") as host:
        yield host


def test_a_check_of_a_bare_host_tells_what_it_would_change_and_changes_nothing(bare: Host) -> None:
    before = bare.out("dpkg -l; ls -laR /etc /opt /usr/local; getent passwd")
    play = bare.playbook("site.yml", "--check", "--diff")
    assert play.counts["failed"] == 0
    assert play.changed > 0
    assert bare.out("dpkg -l; ls -laR /etc /opt /usr/local; getent passwd") == before


def test_a_person_signs_in_and_works_in_a_desktop_until_it_is_stopped(
    either: Site, signed_in: Pages
) -> None:
    page = signed_in(either, "alice")
    page.get_by_role("button", name="Start Terminal").click()
    page.wait_for_url("**/sessions/*")
    frame = page.frame_locator("#application")
    expect(frame.locator("canvas")).to_be_visible(timeout=60_000)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"host-{either.host.release}.png")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/")
    assert either.host.out("docker ps --quiet") == ""


def test_a_second_run_changes_nothing(either: Site) -> None:
    play = either.host.playbook()
    print(f"\nsite.yml again on {either.host.release}: {play.seconds:.0f} s")  # noqa: T201 - it prints
    assert (play.changed, play.counts["failed"]) == (0, 0), play.output


def test_a_check_of_a_portal_changes_nothing(bookworm: Site) -> None:
    play = bookworm.host.playbook("site.yml", "--check", "--diff")
    assert (play.changed, play.counts["failed"]) == (0, 0), play.output


def test_a_desktop_outlives_a_restart_of_the_engine(either: Site) -> None:
    session = either.start("alice", TERMINAL)
    before = either.host.out("docker ps --quiet")
    either.host.run("systemctl restart docker.service")
    either.wait_until_ready()
    with either.api("alice") as api:
        assert api.get(session["url"]).status_code == 200
        assert api.get(f"/api/v1/sessions/{session['id']}").json()["state"] == "ready"
    assert either.host.out("docker ps --quiet") == before
    either.stop("alice", session["id"])


def test_a_desktop_outlives_a_restart_of_nginx(bookworm: Site) -> None:
    session = bookworm.start("alice", TERMINAL)
    bookworm.host.run("systemctl restart nginx.service")
    with bookworm.api("alice") as api:
        assert api.get(session["url"]).status_code == 200
    bookworm.stop("alice", session["id"])


def test_after_a_reboot_the_portal_is_up_with_every_home(either: Site) -> None:
    session = either.start("alice")
    container = either.host.out("docker ps --quiet")
    either.host.run(f"docker exec {container} sh -c 'echo kept >/workspace/note'")
    either.host.reboot()
    either.wait_until_ready()
    with either.api("alice") as api:
        ended = api.get(f"/api/v1/sessions/{session['id']}").json()
    assert (ended["state"], ended["ends_because"]) == ("stopped", "host restarted")
    again = either.start("alice")
    container = either.host.out("docker ps --quiet")
    assert either.host.out(f"docker exec {container} cat /workspace/note") == "kept"
    either.stop("alice", again["id"])
