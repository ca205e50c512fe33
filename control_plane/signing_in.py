"""Who someone is by name and password, or by an account elsewhere.

Invariant: the user's kind decides what is asked, one thing and never another after it; nobody
learns from an answer or from its delay whether a name exists.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest

from itsdangerous import BadSignature, URLSafeSerializer

from control_plane import newcomers, rules, throttle, usage
from control_plane.domain.entities import Source, User
from control_plane.domain.ports import Plane
from control_plane.domain.providers import Account, Asking, Provider
from control_plane.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSignedInError,
)
from control_plane.newcomers import Proven

log = logging.getLogger(__name__)

# A person looks for a second factor meanwhile.
ASKING_LIFE = timedelta(minutes=10)
REFUSED = "Name and password do not match."
_LONGEST_NAME, _LONGEST_PASSWORD = 255, 1024
_STATE, _NONCE, _VERIFIER = 24, 24, 48  # random bytes; RFC 7636 wants 43 to 128 characters


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person typed, and from where: `address` is the client's."""

    name: str
    password: str
    address: str


@dataclass(frozen=True, slots=True)
class Return:
    """With what a browser came back from a provider; `kept` is what it took along."""

    source: Source
    kept: str
    state: str
    code: str
    address: str


def prove(plane: Plane, proof: Proof) -> Proven:
    """Return who that is; NotSignedInError for every failure alike, TooManyError when throttled."""
    if not _is_to_be_judged(proof):
        raise NotSignedInError(REFUSED)
    throttle.count(plane, proof.name, proof.address)
    proven = _known(plane, proof)
    if proven is None or not proven.user.enabled or not plane.admits(proven.user.name):
        _note_refusal(plane, proof)
        raise NotSignedInError(REFUSED)
    throttle.forget(plane, proof.name, proof.address)
    return proven


def takes_passwords(plane: Plane) -> bool:
    """Whether anyone signs in here by name and password."""
    return not {"pam", "virtual", "world"}.isdisjoint(plane.site.methods)


def set_out(plane: Plane, source: Source, wanted: str) -> tuple[str, str]:
    """Return where the browser goes to sign in, and what it keeps meanwhile."""
    asking = Asking(*(secrets.token_urlsafe(size) for size in (_STATE, _NONCE, _VERIFIER)))
    until = (plane.clock() + ASKING_LIFE).timestamp()
    kept = [source, asking.state, asking.nonce, asking.verifier, wanted, until]
    return _provider(plane, source).address(asking), _signer(plane).dumps(kept)


def come_back(plane: Plane, returned: Return) -> tuple[Proven, str]:
    """Return who came back from a provider, and where they wanted to go.

    NotSignedInError, UnavailableError; ForbiddenError and ConflictError say why an account that
    the provider vouches for is nobody's here.
    """
    asking, wanted = _opened(plane, returned)
    # Each attempt has a name of its own: only the address is throttled.
    throttle.count(plane, asking.state, returned.address)
    account = _provider(plane, returned.source).account(asking, returned.code)
    try:
        proven = newcomers.of_account(plane, returned.source, account, returned.address)
    except (ForbiddenError, ConflictError) as error:
        log.info("sign-in refused source=%s address=%s", returned.source, returned.address)
        _note_refused(plane, "", returned.address, f"{returned.source}: {error.message}")
        raise
    throttle.forget(plane, asking.state, returned.address)
    return proven, wanted


def _is_to_be_judged(proof: Proof) -> bool:
    """Whether a database could hold the name, and the password is no book."""
    fits = len(proof.name) <= _LONGEST_NAME and len(proof.password) <= _LONGEST_PASSWORD
    return fits and rules.is_text(proof.name)


def _known(plane: Plane, proof: Proof) -> Proven | None:
    user = plane.accounting.user(proof.name)
    if _is_the_hosts(plane, user, proof.name):
        return _by_host(plane, proof)
    digest = plane.records.password(user.name) if user else None
    # Asked of every name, so that each takes as long.
    matches = plane.passwords.verify(digest, proof.password)
    is_linked = newcomers.is_linked(plane, proof.name)
    if user is None or digest is None:
        return _by_anything(plane, proof) if "world" in plane.site.methods else None
    fits = matches and not is_linked and "virtual" in plane.site.methods
    return Proven(user, "virtual") if fits else None


def _is_the_hosts(plane: Plane, user: User | None, name: str) -> bool:
    if user is None:
        return "pam" in plane.site.methods and plane.host.knows_name(name)
    return user.kind == "system"


def _by_host(plane: Plane, proof: Proof) -> Proven | None:
    if "pam" not in plane.site.methods or plane.host.person(proof.name) is None:
        return None
    if not plane.host.authenticate(proof.name, proof.password) or not plane.admits(proof.name):
        return None
    return Proven(newcomers.of_host(plane, proof.name, proof.address), "pam")


def _by_anything(plane: Plane, proof: Proof) -> Proven | None:
    """Let anyone be whom they say, but no account that another source vouches for."""
    name = proof.name.lower()
    try:
        return newcomers.of_account(plane, "world", Account("world", name, name), proof.address)
    except (ForbiddenError, ConflictError) as error:
        log.info("world lets nobody in by that name: %s", error.message)
        return None


def _provider(plane: Plane, source: Source) -> Provider:
    found = plane.providers.get(source)
    if found is None:
        raise NotFoundError("Nobody signs in here that way.")
    return found


def _opened(plane: Plane, returned: Return) -> tuple[Asking, str]:
    try:
        source, state, nonce, verifier, wanted, until = _signer(plane).loads(returned.kept)
    except BadSignature as error:
        raise _strange() from error
    in_time = plane.clock().timestamp() < until
    is_ours = compare_digest(state.encode(), returned.state.encode())
    if source != returned.source or not is_ours or not in_time:
        raise _strange()
    return Asking(state, nonce, verifier), wanted


def _strange() -> NotSignedInError:
    return NotSignedInError("This sign-in was not begun in this browser just now.", "Begin anew.")


def _note_refusal(plane: Plane, proof: Proof) -> None:
    """Write it down; a name that nobody has may be a password in the wrong field."""
    log.info("sign-in refused address=%s", proof.address)
    known = plane.accounting.user(proof.name) or plane.host.knows_name(proof.name)
    _note_refused(plane, proof.name if known else "", proof.address)


def _note_refused(plane: Plane, name: str, address: str, detail: str = "") -> None:
    usage.note_act(plane, name, "sign-in-refused", name, address, detail=detail)


def _signer(plane: Plane) -> URLSafeSerializer:
    return URLSafeSerializer(plane.site.secret, salt="asking")
