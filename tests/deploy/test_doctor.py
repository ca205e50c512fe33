"""`control-plane doctor` on a portal that is well, and on one that is not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from deploy.hosts import until
from deploy.people import HELLO, Site

# These are the machine's that the tests run on: its clock need not follow another one.
MACHINE = {"clock", "disk", "memory"}


def doctor(site: Site, words: str = "") -> dict[str, list[dict[str, str]]]:
    """Return what was found, by check."""
    found: dict[str, list[dict[str, str]]] = {}
    said = site.host.run(f"control-plane doctor --json {words}", check=False)
    assert said.stderr == ""
    for one in json.loads(said.stdout):
        found.setdefault(one["name"], []).append(one)
    failed = [one for each in found.values() for one in each if one["status"] == "failed"]
    assert said.returncode == (1 if failed else 0)
    return found


def failures(site: Site, check: str) -> list[tuple[str, str]]:
    found = doctor(site, f"--only {check}")[check]
    return [(one["found"], one["todo"]) for one in found if one["status"] == "failed"]


@contextmanager
def broken(site: Site, line: str, mended: str) -> Iterator[None]:
    site.host.run(line)
    try:
        yield
    finally:
        site.host.run(mended)
        site.wait_until_ready()


def test_a_portal_as_it_was_provisioned_is_well(either: Site) -> None:
    found = doctor(either)
    ill = [one for name, each in found.items() for one in each if name not in MACHINE]
    assert [one["found"] for one in ill if one["status"] != "ok"] == []


def test_a_session_is_started_asked_and_stopped_and_nothing_of_it_is_left(bookworm: Site) -> None:
    (found,) = doctor(bookworm, f"--only session --session {HELLO}")["session"]
    assert (found["status"], found["todo"]) == ("ok", "")
    assert found["found"].startswith(f"{HELLO} was started, asked through nginx and stopped in")
    host = bookworm.host
    assert host.out("docker ps --all --quiet") == ""
    assert "remoteapp-doctor" not in host.out("remoteappdb user list; remoteappdb app list")
    assert "remoteapp-doctor" not in host.out("remoteappdb app list --show-grants")


def test_a_service_that_is_down_is_told_of_with_its_last_words(bookworm: Site) -> None:
    with broken(bookworm, "systemctl stop remoteapp.service", "systemctl start remoteapp.service"):
        told, todo = failures(bookworm, "units")[0]
        assert doctor(bookworm, "--only database")["database"][0]["status"] == "ok"
    assert told.startswith("The unit remoteapp.service is inactive (success).")
    assert todo == "journalctl -u remoteapp.service; systemctl restart remoteapp.service"


def test_permission_denied_on_the_socket_names_the_group(bookworm: Site) -> None:
    join, leave = "usermod --append --groups docker {}", "gpasswd --delete {} docker"
    door, service = "remoteapp-engine", "remoteapp"
    with broken(bookworm, leave.format(door), join.format(door)):
        ((told, todo),) = failures(bookworm, "engine")
    assert told.endswith("remoteapp-engine is not in group docker.")
    assert todo == f"{join.format(door)}; systemctl restart {door}"
    with broken(bookworm, join.format(service), leave.format(service)):
        ((told, todo),) = failures(bookworm, "engine")
    assert told == "remoteapp is in group docker: who takes the control plane over is root."
    assert todo == f"{leave.format(service)}; systemctl restart {service}"


def test_rules_of_the_engines_door_that_are_not_the_settings_are_told_of(bookworm: Site) -> None:
    rules = "/etc/remoteapp/engine.toml"
    change = f"cp -a {rules} /root/; sed -i 's/^realm.*/realm = \"other\"/' {rules}"
    with broken(bookworm, change, f"mv /root/engine.toml {rules}"):
        ((told, _),) = failures(bookworm, "door")
    assert told == f"realm is other in {rules} and remoteapp in /etc/remoteapp/settings.toml."


def test_a_door_and_a_forwarder_that_are_shut_are_told_of(bookworm: Site) -> None:
    units = " ".join(f"remoteapp-{one}" for one in ("engine", "forwarder", "forwarder-control"))
    shut, opened = (
        f"systemctl {verb} {' '.join(f'{one}.socket' for one in units.split())}"
        for verb in ("stop", "start")
    )
    with broken(bookworm, shut, f"{opened} && systemctl start remoteapp-forwarder.service"):
        found = doctor(bookworm, "--only door --only forwarder --only ports")
    assert [found[name][0]["status"] for name in ("door", "forwarder")] == ["failed"] * 2
    missing = [one["found"] for one in found["ports"]]
    assert [one.split()[2] for one in missing] == [
        f"/run/remoteapp/{one}.sock" for one in ("engine", "forwarder", "forwarder-control")
    ]


def test_an_origin_of_applications_that_nobody_serves_is_told_of(bookworm: Site) -> None:
    settings = "/etc/remoteapp/settings.toml"
    change = f"cp -a {settings} /root/; sed -i '1i apps_port = 8555' {settings}"
    with broken(bookworm, change, f"mv /root/settings.toml {settings}"):
        ((told, _),) = failures(bookworm, "applications")
    assert told == "Nobody ends TLS on port 8555 of this machine."


def test_an_engine_that_hangs_times_out_and_the_rest_is_still_looked_at(bookworm: Site) -> None:
    freeze = "kill -STOP $(pidof dockerd)"
    with broken(bookworm, freeze, "kill -CONT $(pidof dockerd)"):
        found = doctor(bookworm, "--only engine --only images --only database")
    assert found["engine"][0]["found"].startswith("The engine times out:")
    assert [found[name][0]["status"] for name in ("images", "database")] == ["warning", "ok"]


def test_an_address_without_rules_of_the_packet_filter_is_warned_of(bookworm: Site) -> None:
    with broken(
        bookworm, "nft delete table inet remoteapp", "systemctl restart remoteapp-firewall.service"
    ):
        (found,) = doctor(bookworm, "--only firewall")["firewall"]
    assert found["status"] == "warning"
    assert found["todo"].startswith("systemctl restart remoteapp-firewall.service")
    assert doctor(bookworm, "--only firewall")["firewall"][0]["status"] == "ok"


def test_a_full_disk_is_told_of_by_doctor_and_readyz_and_loses_nothing(bookworm: Site) -> None:
    """The state is moved to a file system of 100 MiB, which is filled."""
    host, state = bookworm.host, "/var/lib/remoteapp"
    move = (
        f"systemctl stop remoteapp.service; cp -a {state} /root/state;"
        f" mount -t tmpfs -o size=100m,mode=0750 tmpfs {state};"
        f" cp -a /root/state/. {state}/; systemctl start remoteapp.service"
    )
    back = (
        f"systemctl stop remoteapp.service; rm -f {state}/filler; cp -a {state}/. /root/state/;"
        f" umount {state}; cp -a /root/state/. {state}/; rm -rf /root/state;"
        " systemctl start remoteapp.service"
    )
    with broken(bookworm, move, back):
        bookworm.wait_until_ready()
        session = bookworm.start("alice")
        host.run(f"dd if=/dev/zero of={state}/filler bs=1M; true")
        with host.client() as client:
            answer = client.get("/readyz")
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert answer.json()["checks"]["disk"].startswith("The disk is full: 0 MiB are left")
        told, todo = failures(bookworm, "disk")[0]
        assert told.startswith("The disk is full: 0 MiB of 100 MiB are left for state")
        assert todo.startswith(f"du -xh --max-depth=2 {state}")
        with bookworm.api("alice") as api:
            assert api.get(session["url"]).status_code == httpx.codes.OK
        host.run(f"rm {state}/filler")
        until(lambda: failures(bookworm, "disk") == [])
        bookworm.wait_until_ready()
        with bookworm.api("alice") as api:
            assert api.get(f"/api/v1/sessions/{session['id']}").json()["state"] == "ready"
        bookworm.stop("alice", session["id"])


def test_the_role_prints_what_is_not_well_and_ends_the_run(bookworm: Site) -> None:
    with broken(
        bookworm,
        "systemctl stop remoteapp-routes.path",
        "systemctl start remoteapp-routes.path",
    ):
        play = bookworm.host.playbook("site.yml", "--tags", "verify", check=False)
    assert (play.status, play.counts["failed"], play.changed) == (2, 1, 0)
    assert "units failed: The unit remoteapp-routes.path is inactive" in play.output
    assert "systemctl restart remoteapp-routes.path" in play.output
