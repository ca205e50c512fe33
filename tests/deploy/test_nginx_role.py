"""The portal's site stands beside whatever else a host serves, and never breaks it."""

from collections.abc import Iterator
from typing import Any

import pytest
from deploy.hosts import Host, Play, until
from deploy.people import Site

NEIGHBOUR = """\
server {
    listen 443 ssl;
    listen [::]:443 ssl ipv6only=on;
    listen 80;
    server_name neighbour.example;
    ssl_certificate /srv/neighbour/server.pem;
    ssl_certificate_key /srv/neighbour/server.key;
    return 200 "the neighbour's\\n";
}
"""
KEY = (
    "mkdir -p /srv/neighbour && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    " -nodes -days 2 -subj /CN=neighbour.example -keyout /srv/neighbour/server.key"
    " -out /srv/neighbour/server.pem"
)
CHECKSUMS = "find /etc/nginx -type f ! -name rendered -exec sha256sum {} + | sort"


def provision(host: Host, *, check: bool = True, **variables: Any) -> Play:
    return host.playbook("site.yml", "--tags", "nginx", check=check, **variables)


def asked(host: Host, url: str) -> str:
    """Return body and status of a request that finds every name on the host; 000 without one."""
    line = f"curl --silent --insecure --connect-to ::127.0.0.1: --write-out '%{{http_code}}' {url}"
    return host.run(line, check=False).stdout.rstrip("\n")


def masters(host: Host) -> str:
    return host.out("cat /run/nginx.pid")


@pytest.fixture
def neighbour(bookworm: Site) -> Iterator[Host]:
    """A host with a site of the operator's own, of another name on the same addresses."""
    host = bookworm.host
    host.run(KEY)
    host.put("/etc/nginx/sites-enabled/neighbour", NEIGHBOUR)
    yield host
    host.run("rm -r /etc/nginx/sites-enabled/neighbour /srv/neighbour")
    provision(host)
    host.run("systemctl reload nginx")


def test_the_distributions_site_and_its_configuration_are_left_as_they_were(
    bookworm: Site,
) -> None:
    host = bookworm.host
    assert "Welcome to nginx!" in asked(host, "http://127.0.0.1/")
    verified = host.run("dpkg --verify nginx nginx-common", check=False).stdout
    assert [line for line in verified.splitlines() if "/etc/" in line] == []


def test_a_neighbour_keeps_its_name_and_every_name_that_nobody_has(neighbour: Host) -> None:
    provision(neighbour, remoteapp_nginx_listen_options="")
    neighbour.run("systemctl reload nginx")
    for name in ("neighbour.example", "unknown.example"):
        until(
            lambda name=name: asked(neighbour, f"https://{name}/") == "the neighbour's\n200",  # type: ignore[misc] # mypy knows no defaults of a lambda
            why=f"{name} is not the neighbour's",
        )
    until(lambda: asked(neighbour, f"{neighbour.url}/internal/").endswith("404"))
    redirected = (
        f"curl --silent --output /dev/null --write-out '%{{redirect_url}}' {neighbour.fqdn}"
    )
    assert neighbour.out(redirected) == f"{neighbour.url}/"


def test_without_a_neighbour_a_name_that_nobody_has_gets_421(bookworm: Site) -> None:
    assert asked(bookworm.host, "https://unknown.example/").endswith("421")


def test_what_nginx_refuses_never_takes_the_place_of_what_it_has(bookworm: Site) -> None:
    host = bookworm.host
    before = host.out(CHECKSUMS)
    refused = provision(host, check=False, remoteapp_nginx_signin_rate="often")
    assert refused.status != 0
    assert "invalid rate" in refused.output
    assert host.out(CHECKSUMS) == before
    host.run("nginx -t")
    again = provision(host, check=False, remoteapp_nginx_signin_rate="often")
    assert again.status != 0
    provision(host)
    assert host.out(CHECKSUMS) == before


def test_a_server_that_has_the_portals_name_already_is_named(neighbour: Host) -> None:
    taken = NEIGHBOUR.replace("neighbour.example;", f"{neighbour.fqdn};")
    neighbour.put("/etc/nginx/sites-enabled/neighbour", taken)
    refused = provision(
        neighbour,
        check=False,
        remoteapp_nginx_listen_options="",
        remoteapp_nginx_upload_limit="1g",
    )
    assert refused.status != 0
    assert "Another server of this host has the portal's name" in refused.output


def test_a_second_run_changes_nothing_and_a_variable_reloads_without_a_restart(
    bookworm: Site,
) -> None:
    host = bookworm.host
    assert provision(host).changed == 0
    before = masters(host)
    # What is rendered, what is installed, and the reload.
    assert provision(host, remoteapp_nginx_upload_limit="1g").changed == 3
    assert masters(host) == before
    assert provision(host).changed == 3


def test_a_killed_master_comes_back(either: Site) -> None:
    host = either.host
    before = masters(host)
    host.run(f"kill -9 {before}")
    until(
        lambda: (
            host.run("systemctl is-active nginx", check=False).stdout == "active\n"
            and masters(host) != before
        ),
        why="nginx does not come back",
    )
    until(lambda: asked(host, f"{host.url}/internal/").endswith("404"))


def test_logs_are_not_for_everybody(bookworm: Site) -> None:
    modes = bookworm.host.out("stat -c %a:%U /var/log/nginx/remoteapp-*.log").splitlines()
    assert modes == ["640:www-data", "640:www-data"]


def test_each_process_may_open_files_for_hundreds_of_desktops(bookworm: Site) -> None:
    limits = bookworm.host.out("grep -h 'open files' /proc/$(cat /run/nginx.pid)/limits")
    assert limits.split()[3:5] == ["16384", "16384"]
