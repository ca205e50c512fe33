"""The portal goes from a host that serves something else as well, which never notices."""

from collections.abc import Mapping

import pytest
from deploy.people import HELLO, Site
from deploy.spare import Spare, listed

# Whole playbooks, on a machine under load.
pytestmark = pytest.mark.timeout(1200)

OURS = "docker {} ls --quiet --filter label=eu.simphony-project.docker.runinfo.realm=remoteapp"
KEPT = "find /etc/remoteapp /var/lib/remoteapp -maxdepth 1 -type f ! -name '*.lock' | sort"


def with_a_session_of_zoe(site: Site) -> str:
    """Have zoe's application run, with a file in her home; return its container."""
    if "zoe" not in site.remoteappdb("user list --no-decoration"):
        if HELLO not in site.remoteappdb("app list --no-decoration"):
            site.remoteappdb(f"app create {HELLO}")
        site.remoteappdb("user create zoe")
        site.remoteappdb("user password zoe --stdin", given=site.password("zoe"))
        site.grants["zoe", HELLO] = site.remoteappdb(f"app grant {HELLO} zoe --allow-home")
    if not site.sessions("zoe"):
        site.start("zoe")
    label = "label=eu.simphony-project.docker.runinfo.user=zoe"
    return site.host.out(f"docker ps --quiet --filter {label}")


def test_a_check_names_what_would_go_and_nothing_goes(second: Spare) -> None:
    container = with_a_session_of_zoe(second.site)
    second.own.run("systemctl stop remoteapp-backup.timer")  # its time may come meanwhile
    before = listed(second.own)
    play = second.site.host.playbook("uninstall.yml", "--check", "--diff")
    after = listed(second.own)
    second.own.run("systemctl start remoteapp-backup.timer")
    assert play.counts["failed"] == 0
    assert play.changed > 0
    assert changes(before, after) == {}
    assert second.own.out(f"docker inspect --format '{{{{.State.Running}}}}' {container}") == "true"
    second.site.wait_until_ready()
    second.site.stop_all("zoe")


@pytest.mark.variant
def test_the_data_may_stay_and_a_new_portal_finds_it(second: Spare) -> None:
    site = second.site
    container = with_a_session_of_zoe(site)
    site.host.run(f"docker exec {container} sh -c 'echo kept >/workspace/note'")
    secret, volumes = (
        site.host.out("cat /etc/remoteapp/secret"),
        site.host.out(OURS.format("volume")),
    )
    site.host.playbook("uninstall.yml", keep_data=True)
    assert site.host.out(OURS.format("container").replace("ls", "ls --all")) == ""
    assert site.host.out(OURS.format("network")) == ""
    assert site.host.out(OURS.format("volume")) == volumes != ""
    assert listed(second.own)["units"] == second.before["units"]
    assert listed(second.own)["ports"] == second.before["ports"]
    kept = site.host.out(KEPT).splitlines()
    assert {"/etc/remoteapp/secret", "/etc/remoteapp/settings.toml"} <= set(kept)
    assert "/var/lib/remoteapp/remoteapp.db" in kept
    site.host.playbook()
    site.wait_until_ready()
    assert site.host.out("cat /etc/remoteapp/secret") == secret
    container = with_a_session_of_zoe(site)  # by the token that she had
    assert site.host.out(f"docker exec {container} cat /workspace/note") == "kept"
    site.stop_all("zoe")


def test_the_host_is_left_as_it_was_found(second: Spare) -> None:
    with_a_session_of_zoe(second.site)
    second.site.host.playbook("uninstall.yml")
    assert changes(second.before, listed(second.own)) == {}
    assert second.own.out("curl --silent http://localhost:8081/") == "the lab"


@pytest.mark.variant
def test_once_more_changes_nothing(second: Spare) -> None:
    for words in ((), ("--check",)):
        play = second.site.host.playbook("uninstall.yml", *words)
        assert (play.changed, play.counts["failed"]) == (0, 0), play.output


def changes(
    before: Mapping[str, list[str]], after: Mapping[str, list[str]]
) -> dict[str, tuple[list[str], list[str]]]:
    """Return what went and what came, of each kind where something did."""
    return {
        name: (
            [one for one in before[name] if one not in after[name]],
            [one for one in after[name] if one not in before[name]],
        )
        for name in before
        if before[name] != after[name]
    }
