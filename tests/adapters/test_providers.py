"""Signing in at providers: a real one for OpenID Connect, what GitHub documents for GitHub."""

import asyncio
import base64
import hashlib
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trustme
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc import github, provider
from oidc.fake import ISSUER, FakeProvider
from oidc.provider import OidcServer, oidc_server
from served import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from control_plane.adapters.providers import GithubProvider, OidcProvider, Registration
from control_plane.domain.providers import Account, Asking, Provider
from control_plane.errors import NotSignedInError, UnavailableError

CALLBACK = "https://portal.test/login/oidc/callback"
ASKING = Asking("a state of ours", "a nonce of ours", "v" * 64)
ERIN = {"preferred_username": "erin", "groups": ["lab", "school"]}


@pytest.fixture(scope="module")
def server() -> Iterator[OidcServer]:
    with oidc_server(CALLBACK) as made:
        yield made


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


def at(server: OidcServer, **more: Any) -> OidcProvider:
    registration = Registration(
        provider.CLIENT_ID, provider.CLIENT_SECRET, CALLBACK, more.pop("ca_file", server.ca)
    )
    return OidcProvider(server.issuer, registration, **more)


def code_of(address: str, ca: Path) -> dict[str, str]:
    """Go to a provider as a browser does; return the words with which it leads back."""
    trusted = ssl.create_default_context(cafile=ca)
    with httpx.Client(verify=trusted, trust_env=False) as browser:
        while not address.startswith("https://portal.test"):
            answer = browser.get(address)
            assert answer.is_redirect, answer.text
            address = str(answer.url.join(answer.headers["location"]))
    return {key: one[0] for key, one in parse_qs(urlsplit(address).query).items()}


def account(found: Provider, ca: Path, asking: Asking = ASKING) -> Account:
    back = code_of(found.address(ASKING), ca)
    assert back["state"] == ASKING.state
    return found.account(asking, back["code"])


# what the real one and the fake have in common


@dataclass(frozen=True)
class Side:
    """A provider at which erin signs in, and how a browser gets its code there."""

    provider: Provider
    code: Callable[[str], str]


@pytest.fixture(params=["real", "fake"])
def side(request: pytest.FixtureRequest, server: OidcServer) -> Side:
    if request.param == "real":
        server.be("subject-1", **ERIN)
        return Side(at(server), lambda address: code_of(address, server.ca)["code"])
    fake = FakeProvider({"a code": Account(ISSUER, "subject-1", "erin")})
    return Side(fake, lambda _: "a code")


def test_a_code_tells_whose_account_it_is_and_that_once(side: Side) -> None:
    address = side.provider.address(ASKING)
    assert parse_qs(urlsplit(address).query)["state"] == [ASKING.state]
    code = side.code(address)
    found = side.provider.account(ASKING, code)
    assert (found.subject, found.name, found.groups) == ("subject-1", "erin", None)
    assert side.provider.label in found.issuer
    for wrong in (code, "another", ""):
        with pytest.raises(NotSignedInError):
            side.provider.account(ASKING, wrong)


@pytest.mark.parametrize("changed", [{"nonce": "another"}, {"verifier": "w" * 64}])
def test_an_answer_to_another_question_vouches_for_nobody(
    side: Side, changed: dict[str, str]
) -> None:
    code = side.code(side.provider.address(ASKING))
    with pytest.raises(NotSignedInError):
        side.provider.account(replace(ASKING, **changed), code)


# OpenID Connect


def test_the_account_is_the_subject_and_the_name_what_the_claim_says(server: OidcServer) -> None:
    server.be("subject-1", **ERIN)
    assert account(at(server), server.ca) == Account(server.issuer, "subject-1", "erin", None)
    found = account(at(server, groups_claim="groups"), server.ca)
    assert found.groups == ("lab", "school")


def test_another_claim_can_be_the_name(server: OidcServer) -> None:
    server.be("subject-1", email="erin@example.org", email_verified=True)
    found = account(at(server, name_claim="email"), server.ca)
    assert found.name == "erin@example.org"
    for told in (False, "false"):  # some write it as text
        server.be("subject-1", email="admin@example.org", email_verified=told)
        with pytest.raises(NotSignedInError, match="not verified"):
            account(at(server, name_claim="email"), server.ca)


def test_a_claim_that_is_missing_is_named(server: OidcServer) -> None:
    server.be("subject-1", name="Erin")
    with pytest.raises(NotSignedInError, match="preferred_username is missing"):
        account(at(server), server.ca)
    server.be("subject-1", preferred_username="erin")
    assert account(at(server, groups_claim="groups"), server.ca).groups == ()


def test_the_question_has_state_nonce_and_a_challenge_whose_answer_stays_here(
    server: OidcServer,
) -> None:
    address = at(server).address(ASKING)
    asked = {key: one[0] for key, one in parse_qs(urlsplit(address).query).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(ASKING.verifier.encode()).digest())
    assert asked == {
        "response_type": "code",
        "client_id": provider.CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "openid profile email",
        "state": ASKING.state,
        "nonce": ASKING.nonce,
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert ASKING.verifier not in address


def test_a_wrong_secret_is_told_to_the_log_and_stands_in_none(
    server: OidcServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.be("subject-1", **ERIN)
    registration = Registration(provider.CLIENT_ID, "a wrong secret", CALLBACK, server.ca)
    with caplog.at_level(logging.DEBUG, "control_plane"), pytest.raises(NotSignedInError):
        account(OidcProvider(server.issuer, registration), server.ca)
    assert "error=invalid_client" in caplog.text
    assert "a wrong secret" not in caplog.text + repr(registration)


def test_a_certificate_of_another_authority_is_not_believed(
    server: OidcServer, tmp_path: Path
) -> None:
    other = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for ca_file in (other, None):
        with pytest.raises(UnavailableError, match="does not answer"):
            at(server, ca_file=ca_file).address(ASKING)


def test_a_provider_that_was_away_is_asked_again_after_a_pause(server: OidcServer) -> None:
    now = [0.0]
    found = at(server, seconds=lambda: now[0])
    server.stop()
    try:
        for _ in range(2):
            with pytest.raises(UnavailableError, match="does not answer"):
                found.address(ASKING)
    finally:
        server.start()
    with pytest.raises(UnavailableError):
        found.address(ASKING)
    now[0] = 6.0
    assert found.address(ASKING).startswith(server.issuer)
    server.stop()
    try:
        now[0] = 6.0 + 3601
        assert found.address(ASKING).startswith(server.issuer)  # as it was last seen
    finally:
        server.start()


# a provider that says what it should not


@dataclass
class OddProvider:
    """A provider whose discovery, keys and ID tokens a test writes."""

    url: str = ""
    discovery: Callable[[str], dict[str, Any]] = lambda url: {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "jwks_uri": f"{url}/keys",
    }
    keys: tuple[RSAKey, ...] = ()
    token: str = ""
    key_requests: int = 0

    @property
    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def _discovery(self, _: Request) -> Response:
        return JSONResponse(self.discovery(self.url))

    def _keys(self, _: Request) -> Response:
        self.key_requests += 1
        return JSONResponse({"keys": [one.as_dict(private=False) for one in self.keys]})

    def _token(self, _: Request) -> Response:
        return JSONResponse({"access_token": "x", "token_type": "bearer", "id_token": self.token})


@dataclass(frozen=True)
class Odd:
    """It, served, and our side of it."""

    server: OddProvider
    ours: OidcProvider
    key: RSAKey

    def signed(self, key: RSAKey | None = None, alg: str = "RS256", **claims: Any) -> str:
        """Return an ID token that is right but for what is given."""
        signer, now = key or self.key, int(time.time())
        right = {
            "iss": self.server.url,
            "aud": "us",
            "sub": "subject-1",
            "exp": now + 600,
            "iat": now,
            "nonce": ASKING.nonce,
            "preferred_username": "erin",
        }
        wanted = {name: one for name, one in {**right, **claims}.items() if one is not None}
        return jwt.encode({"alg": alg, "kid": signer.kid}, wanted, signer)

    def account(self, token: str) -> Account:
        self.server.token = token
        return self.ours.account(ASKING, "a code")


def new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


@pytest.fixture
def odd(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Odd]:
    made, key = OddProvider(), new_key("1")
    made.keys = (key,)
    with served(made.application, loop, tmp_path) as place:
        made.url = place.url
        registration = Registration("us", "secret", CALLBACK, place.ca)
        yield Odd(made, OidcProvider(place.url, registration), key)


def test_an_id_token_that_is_right_is_believed(odd: Odd) -> None:
    assert odd.account(odd.signed()) == Account(odd.server.url, "subject-1", "erin")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.test"},
        {"iss": None},
        {"aud": "somebody else"},
        {"aud": ["us", "somebody else"], "azp": "somebody else"},
        {"aud": None},
        {"sub": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 10_000_000_000},
        {"nonce": "another"},
        {"nonce": None},
    ],
    ids=str,
)
def test_an_id_token_with_a_wrong_claim_vouches_for_nobody(odd: Odd, wrong: dict[str, Any]) -> None:
    with pytest.raises(NotSignedInError):
        odd.account(odd.signed(**wrong))


def test_an_id_token_is_signed_by_the_issuers_keys(odd: Odd) -> None:
    with pytest.raises(NotSignedInError):
        odd.account(odd.signed(new_key("1")))
    head, body, _ = odd.signed().split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    for forged in (f"{unsigned}.{body}.", f"{head}.{body}.", "", "x.y.z"):
        with pytest.raises(NotSignedInError):
            odd.account(forged)


def test_a_new_key_of_the_issuer_is_fetched_when_it_is_met(odd: Odd) -> None:
    odd.account(odd.signed())
    fresh = new_key("2")
    odd.server.keys = (fresh,)
    assert odd.account(odd.signed(fresh)).subject == "subject-1"
    assert odd.server.key_requests == 2


@pytest.mark.parametrize("document", [{}, {"issuer": "https://evil.test"}])
def test_a_discovery_of_somebody_else_is_not_followed(odd: Odd, document: dict[str, Any]) -> None:
    odd.server.discovery = lambda _: document
    with pytest.raises(UnavailableError):
        odd.ours.address(ASKING)


# GitHub


@dataclass(frozen=True)
class AtGithub:
    """GitHub, served, and our side of it."""

    fake: github.FakeGithub
    ours: GithubProvider
    ca: Path
    url: str


@pytest.fixture
def hub(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[AtGithub]:
    fake = github.FakeGithub()
    with served(fake.application, loop, tmp_path) as place:
        registration = Registration(github.CLIENT_ID, github.CLIENT_SECRET, CALLBACK, place.ca)
        yield AtGithub(fake, GithubProvider(place.url, registration), place.ca, place.url)


def test_the_account_at_github_is_the_number_and_the_name_the_login(hub: AtGithub) -> None:
    assert account(hub.ours, hub.ca) == Account(hub.url, "583231", "Octocat")


def test_a_code_of_github_is_taken_once_and_with_its_verifier(hub: AtGithub) -> None:
    with pytest.raises(NotSignedInError):
        account(hub.ours, hub.ca, replace(ASKING, verifier="w" * 64))
    code = code_of(hub.ours.address(ASKING), hub.ca)["code"]
    assert hub.ours.account(ASKING, code).name == "Octocat"
    with pytest.raises(NotSignedInError):
        hub.ours.account(ASKING, code)


def test_an_answer_of_github_without_a_number_vouches_for_nobody(hub: AtGithub) -> None:
    hub.fake.user = {"login": "Octocat"}
    with pytest.raises(NotSignedInError):
        account(hub.ours, hub.ca)


def test_github_itself_is_asked_at_its_two_hosts() -> None:
    registration = Registration(github.CLIENT_ID, github.CLIENT_SECRET, CALLBACK)
    found = GithubProvider("https://github.com", registration)
    assert found.label == "GitHub"
    assert found.address(ASKING).startswith("https://github.com/login/oauth/authorize?")
