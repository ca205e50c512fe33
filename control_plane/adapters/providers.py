"""Providers at which people sign in: OpenID Connect and GitHub, through authlib.

Invariant: an account leaves this module only when its provider has vouched for it over verified
TLS, to this portal, in answer to the very question that the browser was sent away with.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import RequestException

from control_plane.domain.providers import Account, Asking
from control_plane.errors import ControlPlaneError, NotSignedInError, UnavailableError

log = logging.getLogger(__name__)

Json = dict[str, Any]

_SECONDS = (3.0, 7.0)  # to connect, between two bytes of an answer
_KEPT_SECONDS = 3600.0
# One that is away is not asked again by everybody who waits.
_PAUSE_SECONDS = 5.0
_LEEWAY_SECONDS = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class Registration:
    """What this portal is to a provider; with `ca_file`, certificates of that file alone count."""

    client_id: str
    client_secret: str = field(repr=False)
    callback: str
    ca_file: Path | None = None


class OidcProvider:
    """An OpenID Connect provider, found by its issuer."""

    def __init__(
        self,
        issuer: str,
        registration: Registration,
        name_claim: str = "preferred_username",
        groups_claim: str = "",
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet: it may be away."""
        self._issuer, self._registration = issuer, registration
        self._name_claim, self._groups_claim = name_claim, groups_claim
        well_known = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        self._discovery = _Kept(lambda: self._discovered(well_known), seconds)
        self._keys = _Kept(lambda: self._got(self._discovery()["jwks_uri"]), seconds)

    @property
    def label(self) -> str:
        """The issuer's host."""
        return urlsplit(self._issuer).netloc

    def address(self, asking: Asking) -> str:
        """Return where the browser goes; UnavailableError."""
        found = self._discovery()
        with self._session() as session:
            url, _ = session.create_authorization_url(
                found["authorization_endpoint"],
                state=asking.state,
                code_verifier=asking.verifier,
                nonce=asking.nonce,
            )
        return str(url)

    def account(self, asking: Asking, code: str) -> Account:
        """Return whom the ID token names; what it lacks is asked of the userinfo endpoint."""
        found = self._discovery()
        with self._session() as session:
            token = session.fetch_token(
                found["token_endpoint"], code=code, code_verifier=asking.verifier
            )
            claims = self._claims(token, asking.nonce)
            claims = {**self._userinfo(session, claims), **claims}
        is_verified = claims.get("email_verified", True) in (True, "true")  # some write text
        if self._name_claim == "email" and not is_verified:
            raise NotSignedInError(f"{self.label} has not verified your address yet.")
        return Account(
            self._issuer, claims["sub"], _text(claims, self._name_claim), self._groups(claims)
        )

    def _claims(self, token: Json, nonce: str) -> Json:
        try:
            return self._judged(token, nonce)
        except JoseError:
            # Perhaps signed with a key that is newer than those we know.
            self._keys.forget()
            return self._judged(token, nonce)

    def _judged(self, token: Json, nonce: str) -> Json:
        registry = JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        keys = KeySet.import_key_set(cast("Any", self._keys()))
        found = jwt.decode(token["id_token"], keys, registry=registry)
        claims = CodeIDToken(
            found.claims,
            found.header,
            {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._registration.client_id},
                "sub": {"essential": True},
            },
            {
                "nonce": nonce,
                "client_id": self._registration.client_id,
                "access_token": token["access_token"],
            },
        )
        claims.validate(leeway=_LEEWAY_SECONDS)
        return dict(claims)

    def _userinfo(self, session: OAuth2Session, claims: Json) -> Json:
        wanted = {self._name_claim, self._groups_claim} - {""}
        url = self._discovery().get("userinfo_endpoint")
        if wanted <= set(claims) or not url:
            return {}
        found = _json(session.get(url))
        if found.get("sub") != claims["sub"]:
            raise NotSignedInError(f"{self.label} answers for somebody else.", "Begin anew.")
        return found

    def _groups(self, claims: Json) -> tuple[str, ...] | None:
        if not self._groups_claim:
            return None
        found = claims.get(self._groups_claim) or []
        listed = found if isinstance(found, list) else [found]
        return tuple(one for one in listed if isinstance(one, str))

    def _discovered(self, url: str) -> Json:
        found = self._got(url)
        if found.get("issuer") != self._issuer:
            log.error("the provider calls itself otherwise issuer=%s", found.get("issuer"))
            raise _misled(self.label)
        return found

    def _got(self, url: str) -> Json:
        with self._session() as session:
            return _json(session.get(url, withhold_token=True))

    def _scope(self) -> str:
        known = self._discovery.known().get("scopes_supported") or _SCOPES
        more = {self._groups_claim} & set(known)
        return " ".join([one for one in _SCOPES if one in known] + sorted(more))

    @contextmanager
    def _session(self) -> Iterator[OAuth2Session]:
        methods = self._discovery.known().get("token_endpoint_auth_methods_supported", [])
        post = "client_secret_post" in methods and "client_secret_basic" not in methods
        method = "client_secret_post" if post else "client_secret_basic"
        with _session(self._registration, self.label, self._scope(), method) as session:
            yield session


class GithubProvider:
    """GitHub, or a GitHub of one's own at another address."""

    def __init__(self, url: str, registration: Registration) -> None:
        """Ask nothing yet."""
        self._url, self._registration = url.rstrip("/"), registration
        is_public = self._url == "https://github.com"
        self._api = "https://api.github.com" if is_public else f"{self._url}/api/v3"

    @property
    def label(self) -> str:
        """The name, and the host of one's own."""
        host = urlsplit(self._url).netloc
        return "GitHub" if host == "github.com" else host

    def address(self, asking: Asking) -> str:
        """Return where the browser goes."""
        with self._session() as session:
            url, _ = session.create_authorization_url(
                f"{self._url}/login/oauth/authorize",
                state=asking.state,
                code_verifier=asking.verifier,
            )
        return str(url)

    def account(self, asking: Asking, code: str) -> Account:
        """Return whose token the code gets; the number stays when the account is renamed."""
        with self._session() as session:
            url = f"{self._url}/login/oauth/access_token"
            session.fetch_token(url, code=code, code_verifier=asking.verifier)
            found = _json(session.get(f"{self._api}/user"))
        if not isinstance(found.get("id"), int):
            raise _misled(self.label)
        return Account(self._url, str(found["id"]), _text(found, "login"))

    @contextmanager
    def _session(self) -> Iterator[OAuth2Session]:
        method = "client_secret_post"
        with _session(self._registration, self.label, None, method) as session:
            yield session


class _Kept:
    """A document of a provider, asked for when it is needed and kept for an hour.

    While the provider is away the last one is used; where there is none, it is asked again after
    a pause.
    """

    def __init__(self, ask: Callable[[], Json], seconds: Callable[[], float]) -> None:
        self._ask, self._seconds = ask, seconds
        self._lock = threading.Lock()
        self._found: Json = {}
        self._error: ControlPlaneError | None = None
        self._next = 0.0

    def __call__(self) -> Json:
        with self._lock:
            if self._seconds() >= self._next:
                self._renew()
            if not self._found and self._error:
                raise UnavailableError(self._error.message, self._error.hint)
            return self._found

    def known(self) -> Json:
        """Return it as it was last seen; empty before that."""
        return self._found

    def forget(self) -> None:
        """Have it asked for again, at the next use."""
        self._next = 0.0

    def _renew(self) -> None:
        pause = _KEPT_SECONDS
        try:
            self._found, self._error = self._ask(), None
        except ControlPlaneError as error:
            self._error, pause = error, _PAUSE_SECONDS
        self._next = self._seconds() + pause


class _Session(OAuth2Session):  # type: ignore[misc] # authlib tells no types
    """Trusts what it is told to, whatever the environment says of certificates."""

    trusted: str | bool = True

    def request(self, method: str, url: str, **more: Any) -> Any:
        return super().request(method, url, **{"verify": self.trusted, **more})


@contextmanager
def _session(
    registration: Registration, label: str, scope: str | None, method: str
) -> Iterator[OAuth2Session]:
    """Open a session at a provider; whatever fails in it becomes an error of ours."""
    try:
        with _Session(
            registration.client_id,
            registration.client_secret,
            token_endpoint_auth_method=method,
            scope=scope,
            redirect_uri=registration.callback,
            code_challenge_method="S256",
            default_timeout=_SECONDS,
        ) as session:
            session.trusted = str(registration.ca_file) if registration.ca_file else True
            yield session
    except RequestException as error:
        log.warning("a provider does not answer provider=%s error=%s", label, type(error).__name__)
        raise UnavailableError(
            f"{label}, where you sign in, does not answer.", "Try again soon."
        ) from error
    except (OAuthError, JoseError, KeyError, TypeError, ValueError) as error:
        log.warning("a provider vouches for nobody provider=%s error=%s", label, _word(error))
        raise _misled(label) from error


def _json(response: Any) -> Json:
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise TypeError("no JSON object")
    return found


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if not isinstance(found, str):
        raise NotSignedInError(
            f"You have no name there that could be used here: {name} is missing.",
            "Ask an administrator.",
        )
    return found


def _word(error: Exception) -> str:
    """Return what went wrong in one word: the rest of it may hold a code or a token."""
    return str(getattr(error, "error", "")) or type(error).__name__


def _misled(label: str) -> NotSignedInError:
    return NotSignedInError(f"{label} does not say who you are.", "Begin anew.")
