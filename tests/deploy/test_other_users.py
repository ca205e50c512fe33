"""What a plain user of a portal's host gets of it with a shell: nothing that a visitor has not.

The accounts of the portal's own processes are held to what each of them needs, too.
"""

import json
from collections.abc import Iterator

import pytest
from deploy.hosts import Host, until
from deploy.people import Site
from deploy.probing import REACHED, SHUT, address_of, container_of, from_user, start_container

CLOSED = "remoteapp-remoteapp-closed"
SECRETS = (
    "/etc/remoteapp/secret",
    "/etc/remoteapp/settings.toml",
    "/etc/remoteapp/engine.toml",
    "/etc/remoteapp/tls/server.key",
    "/etc/remoteapp/tls/ca.key",
    "/var/lib/remoteapp/remoteapp.db",
    "/var/lib/remoteapp/routes",
    "/var/lib/remoteapp-engine",
    "/etc/nginx/remoteapp/routes.conf",
    "/run/remoteapp-decisions",
    "/var/log/nginx/remoteapp-access.log",
    "/var/lib/docker/volumes",
)
# Who may connect, beside root.
SOCKETS = {
    "/run/remoteapp/control-plane.sock": {"remoteapp", "www-data"},
    "/run/remoteapp/forwarder.sock": {"remoteapp-forwarder", "www-data"},
    "/run/remoteapp/forwarder-control.sock": {"remoteapp"},
    "/run/remoteapp/engine.sock": {"remoteapp"},
    "/run/remoteapp/pam.sock": {"remoteapp"},
    "/run/docker.sock": {"remoteapp-engine"},
}
GROUPS = {
    "remoteapp": {"remoteapp"},
    "remoteapp-engine": {"remoteapp-engine", "docker"},
    "remoteapp-forwarder": {"remoteapp-forwarder"},
    "remoteapp-pam": {"remoteapp-pam", "shadow"},
}
TRY = """
import json, socket, sys
found = {}
for path in sys.argv[1:]:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(5)
    try:
        one.connect(path)
        found[path] = True
    except PermissionError:
        found[path] = False
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def eve(bookworm: Site) -> Iterator[Site]:
    """A portal whose host has a plain user eve with a shell, while alice's session runs."""
    bookworm.host.run("useradd --create-home --shell /bin/bash eve")
    session = bookworm.start("alice")
    yield bookworm
    bookworm.stop("alice", session["id"])
    bookworm.host.run("userdel --remove eve; rm --force /run/try.py")


def connects(host: Host, user: str) -> set[str]:
    """Return which of the sockets a user can connect to."""
    host.put("/run/try.py", TRY)
    said = host.out(f"runuser -u {user} -- python3 /run/try.py {' '.join(SOCKETS)}")
    found: dict[str, bool] = json.loads(said)
    return {path for path, is_open in found.items() if is_open}


def test_the_sockets_of_the_portal_are_these(eve: Site) -> None:
    found = eve.host.out("find /run/remoteapp -type s").split()
    assert {*found, "/run/docker.sock"} == {*SOCKETS}


def test_a_plain_user_talks_to_no_socket_of_the_portal(eve: Site) -> None:
    assert connects(eve.host, "root") == {*SOCKETS}
    assert connects(eve.host, "eve") == set()


@pytest.mark.parametrize("account", [*GROUPS, "www-data"])
def test_each_process_talks_to_those_that_it_needs(eve: Site, account: str) -> None:
    expected = {path for path, users in SOCKETS.items() if account in users}
    assert connects(eve.host, account) == expected


@pytest.mark.parametrize("path", SECRETS)
def test_a_plain_user_reads_nothing_of_the_portal(eve: Site, path: str) -> None:
    show = f"if [ -d {path} ]; then ls -A {path}; else base64 {path}; fi"
    eve.host.run(show)  # there it is
    told = eve.host.run(f"runuser -u eve -- sh -c '{show}'", check=False)
    assert (told.returncode != 0, told.stdout) == (True, "")
    assert "Permission denied" in told.stderr


def test_a_plain_user_reads_no_home_and_no_process_of_anothers(eve: Site) -> None:
    host = eve.host
    homes = host.out("docker volume ls --quiet --filter name=remoteapp-remoteapp-home").split()
    where = host.out(f"docker volume inspect --format '{{{{.Mountpoint}}}}' {homes[0]}")
    service = host.out("systemctl show --property=MainPID --value remoteapp.service")
    for target in (f"ls {where}", f"base64 /proc/{service}/environ"):
        host.run(target)
        told = host.run(f"runuser -u eve -- {target}", check=False)
        assert (told.returncode != 0, told.stdout) == (True, ""), target


def test_a_plain_user_finds_no_session_among_processes_files_and_logs(eve: Site) -> None:
    with eve.api("alice") as api:
        (session,) = api.get("/api/v1/sessions").json()["items"]
    session_id = session["id"]
    places = "/etc/nginx /run /var/log /tmp /etc/remoteapp /opt/remoteapp"
    look = f"grep -rlsI {session_id} {places}; journalctl --no-pager --quiet | grep {session_id}"
    assert eve.host.out(f"runuser -u eve -- sh -c '{look}' || :") == ""
    assert session_id in eve.host.out("cat /etc/nginx/remoteapp/routes.conf")


def test_a_plain_user_reaches_no_session(eve: Site) -> None:
    with eve.api("alice") as api:
        (session,) = api.get("/api/v1/sessions").json()["items"]
    closed = start_container(eve.host, CLOSED)
    try:
        for container in (container_of(eve, session["id"]), closed):
            target = f"{address_of(eve.host, container)} 8888"
            until(lambda target=target: from_user(eve.host, "root", target) == REACHED)  # type: ignore[misc]  # a lambda with a default
            assert from_user(eve.host, "eve", target) == SHUT
    finally:
        eve.host.run(f"docker rm --force {closed}")


@pytest.mark.parametrize("account", GROUPS)
def test_each_process_is_in_the_groups_that_it_needs(eve: Site, account: str) -> None:
    assert {*eve.host.out(f"id -nG {account}").split()} == GROUPS[account]
