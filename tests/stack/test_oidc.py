"""Signing in at a real OpenID Connect provider, through a real portal."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import portal as portals
import pytest
from oidc import provider
from oidc.provider import OidcServer, oidc_server
from portal import RunningPortal
from stack.conftest import COOKIE, until

ASKING = f"{COOKIE}-asking"


@dataclass(frozen=True)
class Site:
    """A portal where people sign in at a provider, too, and that provider."""

    live: RunningPortal
    server: OidcServer
    allowed: Path

    def browser(self) -> httpx.Client:
        """Return a browser of somebody's own, which trusts both."""
        trust = ssl.create_default_context(cafile=self.server.ca)
        trust.load_verify_locations(cafile=self.live.ca)
        return httpx.Client(base_url=self.live.url, verify=trust, trust_env=False, timeout=30)

    def returned(self, browser: httpx.Client, wanted: str = "/") -> str:
        """Go to the provider and sign in there; return the address that leads back."""
        answer = browser.get("/login/oidc", params={"next": wanted})
        callback = f"{self.live.url}/login/oidc/callback"
        while not (address := str(answer.url.join(answer.headers["location"]))).startswith(
            callback
        ):
            answer = browser.get(address)
            assert answer.is_redirect, answer.text
        return address

    def sign_in(self, browser: httpx.Client, wanted: str = "/") -> httpx.Response:
        """Go there and back; return what the portal says."""
        return browser.get(self.returned(browser, wanted))

    def name(self, browser: httpx.Client) -> str:
        """Return who is signed in."""
        return str(browser.get("/api/v1/me").json().get("name", ""))


@pytest.fixture(scope="module")
def site(images: None) -> Iterator[Site]:  # noqa: ARG001 - they have to be
    port = portals.free_port()
    url = f"https://localhost:{port}"
    with oidc_server(f"{url}/login/oidc/callback") as server:
        allowed = server.directory / "allowed"
        names = ("alice", "bob", "erin", "frank", "grace", "heidi", "made", "visitor")
        allowed.write_text("".join(f"{name}\n" for name in names))
        auth = {
            "methods": ["pam", "virtual", "oidc"],
            "auto_create_users": True,
            "allow_list_file": str(allowed),
        }
        oidc = {
            "issuer": server.issuer,
            "client_id": provider.CLIENT_ID,
            "client_secret_file": str(server.secret_file),
            "groups_claim": "groups",
            "ca_file": str(server.ca),
        }
        settings = {"engine": {"start_timeout": 20}, "auth": auth, "auth.oidc": oidc}
        with portals.running(port=port, settings=settings) as live:
            yield Site(live, server, allowed)


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    with site.browser() as made:
        yield made


def test_signing_in_makes_a_user_and_leads_on(site: Site, browser: httpx.Client) -> None:
    site.server.be("1", preferred_username="Erin")
    answer = site.sign_in(browser, "/sessions/x?y=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/x?y=1")
    me = browser.get("/api/v1/me").json()
    assert (me["name"], me["kind"], me["admin"]) == ("erin", "virtual", False)


def test_the_account_stays_when_the_name_changes_at_the_provider(
    site: Site, browser: httpx.Client
) -> None:
    site.server.be("2", preferred_username="frank")
    site.sign_in(browser)
    with site.browser() as another:
        site.server.be("2", preferred_username="grace")
        site.sign_in(another)
        assert (site.name(browser), site.name(another)) == ("frank", "frank")


def test_a_name_that_is_taken_is_refused(site: Site, browser: httpx.Client) -> None:
    for name in ("alice", "bob"):
        site.server.be("3", preferred_username=name)
        answer = site.sign_in(browser)
        assert answer.status_code == 409
        assert f"The name {name} belongs to another account." in answer.text
    assert COOKIE not in browser.cookies
    assert site.live.client("alice").get("/api/v1/me").json()["name"] == "alice"


def test_a_user_made_in_advance_waits_for_the_account(site: Site, browser: httpx.Client) -> None:
    site.live.remoteappdb("user", "create", "made")
    site.server.be("4", preferred_username="made")
    assert site.sign_in(browser).status_code == 303
    assert site.name(browser) == "made"


def test_groups_are_the_providers(site: Site, browser: httpx.Client) -> None:
    site.live.remoteappdb("group", "create", "lab")
    site.server.be("5", preferred_username="heidi", groups=["lab", "elsewhere"])
    site.sign_in(browser)
    assert browser.get("/api/v1/me").json()["groups"] == ["lab"]
    site.server.be("5", preferred_username="heidi", groups=[])
    with site.browser() as another:
        site.sign_in(another)
        assert another.get("/api/v1/me").json()["groups"] == []


def test_what_was_tampered_with_signs_nobody_in(site: Site, browser: httpx.Client) -> None:
    site.server.be("1", preferred_username="erin")
    address = site.returned(browser)
    words = {key: one[0] for key, one in parse_qs(urlsplit(address).query).items()}
    taken = browser.cookies[ASKING]
    for changed in (
        {**words, "state": "x"},
        {**words, "code": "x"},
        {"state": words["state"], "error": "access_denied"},
        {"code": words["code"]},
    ):
        browser.cookies.set(ASKING, taken, "localhost.local", "/")
        answer = browser.get("/login/oidc/callback", params=changed)
        assert answer.status_code == 401, changed
    with site.browser() as thief:
        assert thief.get(address).status_code == 401
        site.returned(thief)
        assert thief.get(address).status_code == 401
    assert COOKIE not in browser.cookies


def test_a_return_counts_once(site: Site, browser: httpx.Client) -> None:
    site.server.be("1", preferred_username="erin")
    address = site.returned(browser)
    taken = browser.cookies[ASKING]
    assert browser.get(address).status_code == 303
    with site.browser() as thief:
        thief.cookies.set(ASKING, taken, "localhost.local", "/")
        assert thief.get(address).status_code == 401


@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example", "/\\evil", "/\t/evil"])
def test_nobody_is_led_out_of_the_portal(site: Site, browser: httpx.Client, evil: str) -> None:
    site.server.be("1", preferred_username="erin")
    assert site.sign_in(browser, evil).headers["location"] == "/"


def test_a_sign_in_that_is_cancelled_there_is_refused_here(
    site: Site, browser: httpx.Client
) -> None:
    site.server.be("")
    answer = site.sign_in(browser)
    assert answer.status_code == 401
    assert 'href="/login/oidc?next=/"' in answer.text


def test_a_provider_that_is_away_leaves_the_others(site: Site, browser: httpx.Client) -> None:
    site.server.be("1", preferred_username="erin")
    address = site.returned(browser)
    site.server.stop()
    try:
        answer = browser.get(address)
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        assert site.live.client("alice").get("/").status_code == 200
    finally:
        site.server.start()
    with site.browser() as later:
        assert site.sign_in(later).status_code == 303


def test_a_name_off_the_list_is_out_within_two_seconds(site: Site, browser: httpx.Client) -> None:
    names = site.allowed.read_text()
    site.server.be("6", preferred_username="visitor")
    site.sign_in(browser)
    alice = site.live.client("alice")
    assert site.name(browser) == "visitor"
    site.allowed.write_text(names.replace("visitor\n", "").replace("alice\n", ""))
    try:
        until(lambda: site.name(browser) == "", 2)
        until(lambda: alice.get("/api/v1/me").status_code == 401, 2)
        answer = site.sign_in(browser)
        assert answer.status_code == 403
        assert "visitor may not sign in here" in answer.text
    finally:
        site.allowed.write_text(names)
    until(lambda: alice.get("/api/v1/me").status_code == 200, 2)


def test_no_secret_stands_in_a_log(site: Site, browser: httpx.Client) -> None:
    site.server.be("1", preferred_username="erin")
    address = site.returned(browser)
    words = parse_qs(urlsplit(address).query)
    secrets = [provider.CLIENT_SECRET, words["code"][0], browser.cookies[ASKING]]
    browser.get(address)
    secrets.append(browser.cookies[COOKIE])
    logs = site.live.portal.places.logs
    text = "".join(path.read_text(errors="replace") for path in logs.iterdir())
    assert [one for one in secrets if one in text] == []
