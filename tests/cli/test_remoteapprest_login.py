"""remoteapprest gets its token from a page in the browser."""

import os
import pty
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cli.remoteapprest_desk import COMMAND, Desk
from oidc.fake import ISSUER, FakeProvider

from control_plane.domain.entities import SCOPES, User
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
def login(
    desk: Desk, *words: str, stdin: int | IO[bytes] = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Run `login` beside the test, in a session without a terminal but `stdin`."""
    process = subprocess.Popen(
        [*COMMAND, *desk.login, *words],
        env={**os.environ, **desk.env},
        start_new_session=True,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def page_of(desk: Desk, elsewhere: FakeProvider, address: str) -> str:
    """Open the address in a browser, sign in, press the button if there is one; return the page."""
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    trust = ssl.create_default_context(cafile=desk.portal.ca)
    with httpx.Client(base_url=desk.portal.url, verify=trust, trust_env=False) as browser:
        wanted = parse_qs(urlsplit(browser.get(address).headers["location"]).query)["next"][0]
        away = browser.get("/login/oidc", params={"next": wanted}).headers["location"]
        state = parse_qs(urlsplit(away).query)["state"][0]
        back = browser.get("/login/oidc/callback", params={"state": state, "code": "a code"})
        assert back.headers["location"] == wanted
        page = browser.get(wanted).text
        found = re.findall(r'action="(/login/token[^"]*)"', page)
        if not found:
            return page
        (action,) = found
        (name,) = re.findall(r'name="name" value="([^"]+)"', page)
        origin = {"Origin": desk.plane.site.public_url}
        return browser.post(action, data={"name": name}, headers=origin).text


def token_in(page: str) -> str:
    (token,) = re.findall(r"rapp_[\w-]{43}", page)
    return str(token)


def address_from(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline().split()[1]


def test_where_nobody_has_a_password_the_token_comes_from_the_browser(
    desk: Desk, elsewhere: FakeProvider
) -> None:
    ours, terminal = pty.openpty()
    with (
        os.fdopen(ours, "wb") as keyboard,
        os.fdopen(terminal, "rb") as stdin,
        login(desk, stdin=stdin) as process,
    ):
        address = address_from(process)
        assert address.startswith(f"{desk.portal.url}/login/token?name=remoteapprest+on+")
        token = token_in(page_of(desk, elsewhere, address))
        keyboard.write(f"{token}\n".encode())
        keyboard.flush()
        out, err = process.communicate(timeout=20)
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


def test_an_administrator_gets_a_token_that_administers_from_the_browser(
    desk: Desk, elsewhere: FakeProvider
) -> None:
    desk.plane.accounting.add_user(User("erin", "virtual", admin=True, uid=79998, gid=79998))
    with login(desk, "--browser", "--admin") as process:
        page = page_of(desk, elsewhere, address_from(process))
        process.communicate(f"{token_in(page)}\n", timeout=20)
    assert process.returncode == 0
    (known,) = desk.plane.access.tokens.values()
    assert (known.id, known.scopes) == (desk.profile()["token_id"], SCOPES)


def test_who_is_no_administrator_is_told_so_in_the_browser(
    desk: Desk, elsewhere: FakeProvider
) -> None:
    with login(desk, "--browser", "--admin") as process:
        page = page_of(desk, elsewhere, address_from(process))
        assert "asks to administer this portal, and you are no administrator." in page
        process.communicate("", timeout=20)
    assert process.returncode == 2
    assert not desk.plane.access.tokens
    assert not desk.profiles.exists()


@pytest.mark.parametrize(
    "words",
    [("--browser", "--token"), ("--browser", "--username", "x"), ("--token", "--username", "x")],
)
def test_ways_to_sign_in_exclude_one_another(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run(*desk.login, *words)
    assert result.exit_code == 2
    assert "exclude one another" in result.stderr
