"""remoteapprest gets its token from a page in the browser."""

import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cli.remoteapprest_desk import COMMAND, Desk
from oidc.fake import ISSUER, FakeProvider

from control_plane.domain.ports import Plane
from control_plane.domain.providers import Account


@pytest.fixture
def elsewhere() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def plane(plane: Plane, elsewhere: FakeProvider) -> Plane:
    """A portal where people sign in at a provider alone, at the address where it is served."""
    site = replace(plane.site, methods=("oidc",), auto_create_users=True)
    return replace(plane, site=site, providers={"oidc": elsewhere})


@contextmanager
def login(desk: Desk, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run `login` beside the test."""
    process = subprocess.Popen(
        [*COMMAND, "login", desk.portal.url, "--ca", str(desk.portal.ca), *words],
        env={**os.environ, **desk.env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def token_from(desk: Desk, elsewhere: FakeProvider, address: str) -> str:
    """Open the address in a browser, sign in, press the button; return the token."""
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    trust = ssl.create_default_context(cafile=desk.portal.ca)
    with httpx.Client(base_url=desk.portal.url, verify=trust, trust_env=False) as browser:
        wanted = parse_qs(urlsplit(browser.get(address).headers["location"]).query)["next"][0]
        away = browser.get("/login/oidc", params={"next": wanted}).headers["location"]
        state = parse_qs(urlsplit(away).query)["state"][0]
        back = browser.get("/login/oidc/callback", params={"state": state, "code": "a code"})
        assert back.headers["location"] == wanted
        (name,) = re.findall(r'name="name" value="([^"]+)"', browser.get(wanted).text)
        origin = {"Origin": desk.plane.site.public_url}
        page = browser.post("/login/token", data={"name": name}, headers=origin)
    (token,) = re.findall(r"rapp_[\w-]{43}", page.text)
    return str(token)


def test_where_nobody_has_a_password_the_token_comes_from_the_browser(
    desk: Desk, elsewhere: FakeProvider
) -> None:
    with login(desk) as process:
        assert process.stderr
        address = process.stderr.readline().split()[1]
        assert address.startswith(f"{desk.portal.url}/login/token?name=remoteapprest+on+")
        token = token_from(desk, elsewhere, address)
        out, err = process.communicate(f"{token}\n", timeout=20)
    assert (process.returncode, out) == (0, f"Signed in at {desk.portal.url} as erin.\n")
    assert token not in out + err
    stored = desk.profile()
    assert (stored["token"], stored["user"]) == (token, "erin")
    (known,) = desk.plane.access.tokens.values()
    assert stored["token_id"] == known.id
    assert desk.done("logout") == f"Signed out of {desk.portal.url}.\n"
    assert not desk.plane.access.tokens


def test_the_browser_may_be_asked_for_and_what_is_no_token_is_refused(desk: Desk) -> None:
    with login(desk, "--browser") as process:
        out, err = process.communicate("rapp_wrong\n", timeout=20)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].endswith("The portal does not know this token.")
    assert not desk.profiles.exists()


@pytest.mark.parametrize(
    "words",
    [("--browser", "--token"), ("--browser", "--username", "x"), ("--token", "--username", "x")],
)
def test_ways_to_sign_in_exclude_one_another(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run("login", desk.portal.url, "--ca", str(desk.portal.ca), *words)
    assert result.exit_code == 2
    assert "exclude one another" in result.stderr
