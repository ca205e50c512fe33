"""The templates: every variant is taken by nginx, and says what was measured."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from nginx.conftest import TEMPLATES, free_port, site_in

from control_plane.adapters import nginx_site
from control_plane.errors import GatewayError

VARIANTS: dict[str, dict[str, object]] = {
    "the trial's": {},
    "with everything": {
        "redirect_listen": ("127.0.0.1:1",),
        "hsts_seconds": 31536000,
        "signin_rate": "1r/s",
        "server_names": ("a.example", "b.example"),
        "access_log": "off",
        "tls_protocols": "TLSv1.3",
        "header_buffers": "8 32k",
        "upload_limit": "2g",
        "trusted_proxies": ("192.0.2.1", "2001:db8::/32"),
        "acme_webroot": "/run/remoteapp-acme",
    },
    "with nothing": {"signin_rate": "", "worker_user": "", "listen_options": ""},
    "with applications on another port": {"apps_port": 1},
    "with applications below a domain": {"apps_domain": "apps.a.example", "hsts_seconds": 1},
    "for a nginx from the first": {"http2_directive": False},
}


def checked(directory: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    port = free_port()
    changes.setdefault("redirect_listen", ())
    if changes["redirect_listen"]:
        changes["redirect_listen"] = (f"127.0.0.1:{free_port()}",)
    if changes.get("apps_port"):
        apps_port = free_port()
        changes |= {"apps_port": apps_port, "apps_listen": (f"127.0.0.1:{apps_port}",)}
    site = replace(site_in(directory, port), **changes)  # type: ignore[arg-type]  # by name
    config = nginx_site.write(TEMPLATES, site)
    return subprocess.run(
        ["/usr/sbin/nginx", "-t", "-q", "-c", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_nginx_takes_every_variant_without_a_warning(place: Path, variant: str) -> None:
    done = checked(place, **VARIANTS[variant])
    expected = "" if variant != "with nothing" else "test is successful"
    assert (done.returncode, expected in done.stderr or not done.stderr) == (0, True)
    assert "warn" not in done.stderr


def test_nginx_takes_every_length_of_the_session_range(place: Path) -> None:
    for length in [*range(8, 31), 32]:
        done = checked(place, session_range=f"10.0.0.0/{length}")
        assert (done.returncode, done.stderr) == (0, ""), length


@pytest.mark.parametrize(
    ("held", "gateways"),
    [
        ("10.213.240.0/20", ["10.213.240.1/32", "10.213.248.1/32"]),
        ("10.0.0.0/8", ["10.0.0.1/32", "10.128.0.1/32"]),
        ("192.168.255.248/29", ["192.168.255.249/32", "192.168.255.253/32"]),
    ],
)
def test_the_gateway_of_neither_half_is_ever_a_target(
    place: Path, held: str, gateways: list[str]
) -> None:
    files = nginx_site.render(TEMPLATES, replace(site_in(place), session_range=held))
    admission = files["snippets/http-admission.conf"]
    assert re.findall(r"^ +(\S+/32) 0;$", admission, re.MULTILINE) == gateways


@pytest.mark.parametrize("one", ["192.0.2.20", "192.0.2.20/32"])
def test_where_ports_are_published_one_address_and_their_range_are_admitted(
    place: Path, one: str
) -> None:
    files = nginx_site.render(TEMPLATES, replace(site_in(place), session_range=one))
    admission = files["snippets/http-admission.conf"]
    (pattern,) = re.findall(r'^    "~(.*)" \$authorized_target;$', admission, re.MULTILINE)
    targets = [f"192.0.2.20:{port}" for port in (19999, 20000, 29999, 30000, 200000, 2999)]
    targets += ["192.0.2.21:20000", "192.0.2x20:20000", "1192.0.2.20:20000", "127.0.0.1:20000"]
    assert [one for one in targets if re.search(pattern, one)] == targets[1:3]


def test_an_archive_of_images_is_neither_bounded_nor_kept_by_nginx(place: Path) -> None:
    portal = nginx_site.render(TEMPLATES, site_in(place))["snippets/portal-pages.conf"]
    (archive,) = re.findall(
        r"^location = \S+/images/archive {\n(.*?)^}", portal, re.MULTILINE | re.DOTALL
    )
    assert "client_max_body_size 0;" in archive
    assert "proxy_request_buffering off;" in archive


@pytest.mark.parametrize("bad", ["10.0.0.0/7", "10.0.0.0/31", "10.0.0.1/24", "x", "::/16", ""])
def test_a_range_that_is_none_is_refused(place: Path, bad: str) -> None:
    with pytest.raises(GatewayError, match="session_range"):
        nginx_site.render(TEMPLATES, replace(site_in(place), session_range=bad))


def test_http2_is_said_as_the_version_knows_it(place: Path) -> None:
    site = site_in(place)
    old = nginx_site.render(TEMPLATES, replace(site, http2_directive=False))["servers.conf"]
    new = nginx_site.render(TEMPLATES, replace(site, http2_directive=True))["servers.conf"]
    assert re.findall(r"listen .* ssl http2", old)
    assert "http2 on;" not in old
    assert new.count("http2 on;") == 2
    assert not re.findall(r"listen .* http2", new)


def test_nothing_cuts_a_session_within_a_day(place: Path) -> None:
    files = nginx_site.render(TEMPLATES, site_in(place))
    session = files["snippets/application.conf"]
    for word in ("proxy_read_timeout", "proxy_send_timeout", "send_timeout", "client_body_timeout"):
        assert re.findall(rf"^{word} (\S+);$", session, re.MULTILINE) == ["1d"]
    assert "worker_shutdown_timeout" not in "".join(files.values())
    assert "so_keepalive=5m:30s:4" in files["servers.conf"]


def test_a_decision_is_never_served_stale_while_it_is_being_made_anew(place: Path) -> None:
    files = "".join(nginx_site.render(TEMPLATES, site_in(place)).values())
    (stale,) = re.findall(r"^ *proxy_cache_use_stale (.*);$", files, re.MULTILINE)
    assert stale.split() == ["error", "timeout", "http_500", "http_502", "http_503", "http_504"]
    assert "proxy_cache_background_update" not in files
    assert "proxy_cache_lock" not in files


def test_plain_http_only_redirects(place: Path) -> None:
    site = replace(site_in(place), redirect_listen=("0.0.0.0:80",))
    text = nginx_site.render(TEMPLATES, site)["servers.conf"]
    assert "return 308 https://localhost:8443$request_uri;" in text


def test_routes_that_are_there_are_kept(place: Path) -> None:
    site = site_in(place)
    nginx_site.write(TEMPLATES, site)
    site.routes.write_text("# these\n")
    nginx_site.write(TEMPLATES, site)
    assert site.routes.read_text() == "# these\n"


def test_every_value_is_explained() -> None:
    readme = (TEMPLATES / "README.md").read_text()
    names = re.findall(
        r"\bsite\.(?!conf)(\w+)", "".join(p.read_text() for p in TEMPLATES.rglob("*.j2"))
    )
    assert set(names) - set(nginx_site.NginxSite.__dataclass_fields__) == set()
    assert [name for name in set(names) if f"`{name}`" not in readme] == []
