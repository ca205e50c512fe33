"""Signing in and out, tokens, and who someone is on this host.

Invariant: nobody learns from an answer or from its delay whether a name exists, and no one's
failed attempts keep anybody else out.
"""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network

from itsdangerous import BadSignature, URLSafeSerializer

from control_plane import usage
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, Person, SignIn, Token, User
from control_plane.domain.ports import Plane
from control_plane.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
    TooManyError,
)

log = logging.getLogger(__name__)

SIGNIN_LIFE = timedelta(days=7)
TOKEN_PREFIX = "rapp_"  # noqa: S105 - the public prefix, not a token
WINDOW = timedelta(minutes=15)
# A person mistypes a few times; a class of thirty signs in behind one address.
PAIR_ATTEMPTS = 10
ADDRESS_ATTEMPTS = 100
_LONGEST = 1024
_REFUSED = "Name and password do not match."


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person typed, and from where: `address` is the client's."""

    name: str
    password: str
    address: str


def sign_in(plane: Plane, proof: Proof) -> str:
    """Return the cookie's value for someone who proved who they are."""
    user = prove(plane, proof)
    secret, now = secrets.token_urlsafe(24), plane.clock()
    signin = SignIn(_digest(secret), user.name, "user", now, now + SIGNIN_LIFE, proof.address)
    with plane.access.lock:
        plane.records.add_signin(signin)
        plane.access.signins[signin.id] = signin
    usage.note_act(plane, user.name, "sign-in", user.name, proof.address)
    return _signer(plane).dumps(secret)


def prove(plane: Plane, proof: Proof) -> User:
    """Return who that is; NotSignedInError for every failure alike, TooManyError when throttled."""
    _count_attempt(plane, proof)
    user = _known(plane, proof)
    if user is None or not user.enabled:
        log.info("sign-in refused address=%s", proof.address)
        raise NotSignedInError(_REFUSED)
    plane.records.forget_attempts(proof.name, _block(proof.address), plane.clock() - WINDOW)
    with plane.access.lock:
        plane.access.users[user.name] = user  # perhaps made since the memory was last filled
    return user


def forget_old_attempts(plane: Plane) -> None:
    """Remove the attempts that no throttle looks at any more."""
    plane.records.forget_attempts("", "", plane.clock() - WINDOW)


def sign_out(plane: Plane, signin_id: str) -> None:
    """Revoke one sign-in."""
    with plane.access.lock:
        plane.records.end_signin(signin_id)
        plane.access.signins.pop(signin_id, None)


def sign_out_everywhere(plane: Plane, user: User) -> None:
    """Revoke every sign-in and token of a user; what runs computes on."""
    with plane.access.lock:
        plane.records.end_signins(user.name)
        plane.records.remove_tokens(user.name)
        _forget_signins(plane, user, "")
        for token in [one for one in plane.access.tokens.values() if one.user == user.name]:
            del plane.access.tokens[token.digest]
    usage.note_act(plane, user.name, "sign-out-everywhere", user.name)


def change_password(plane: Plane, caller: Caller, old: str, new: str, address: str) -> None:
    """Set a virtual user's password; every other sign-in of theirs ends."""
    if caller.user.kind != "virtual":
        raise ConflictError("This password is the host's.", "Change it there.")
    try:
        prove(plane, Proof(caller.user.name, old, address))
    except NotSignedInError as error:
        problem = FieldError("old", "is not the present password")
        raise InvalidError("The password was not changed.", [problem]) from error
    with plane.access.lock:
        plane.records.set_password(caller.user.name, plane.passwords.hash(new))
        plane.records.end_signins(caller.user.name, but=caller.signin_id)
        _forget_signins(plane, caller.user, caller.signin_id)
    usage.note_act(plane, caller.user.name, "password", caller.user.name, address)


def by_cookie(plane: Plane, value: str) -> Caller | None:
    """Return whose cookie that is; it may do all that its user may."""
    try:
        secret = _signer(plane).loads(value)
    except BadSignature:
        return None
    signin = plane.access.signed_in(_digest(str(secret)), plane.clock())
    user = _enabled(plane, signin.user) if signin else None
    return Caller(user, frozenset(_scopes(user)), signin_id=signin.id) if user and signin else None


def by_password(plane: Plane, proof: Proof) -> Caller:
    """Return who proved who they are by name and password, without a sign-in."""
    user = _with_role(plane, prove(plane, proof))
    return Caller(user, frozenset(_scopes(user)))


def by_token(plane: Plane, value: str) -> Caller | None:
    """Return whose token that is; it may do what it was issued for and its user still may."""
    token = plane.access.token(_digest(value), plane.clock())
    user = _enabled(plane, token.user) if token else None
    if not (user and token):
        return None
    return Caller(user, frozenset(token.scopes) & set(_scopes(user)), token_id=token.id)


def still_in(plane: Plane, caller: Caller) -> bool:
    """Whether what let the caller in still holds."""
    if _enabled(plane, caller.user.name) is None:
        return False
    if caller.token_id:
        return any(one.id == caller.token_id for one in list(plane.access.tokens.values()))
    return plane.access.signed_in(caller.signin_id, plane.clock()) is not None


def issue_token(
    plane: Plane, caller: Caller, name: str, scopes: Sequence[str], life: timedelta
) -> tuple[Token, str]:
    """Return a new token and the value that its owner keeps; it is stored hashed."""
    if too_much := sorted(set(scopes) - caller.scopes):
        raise ForbiddenError(f"You do not hold {', '.join(too_much)} yourself.")
    value, now = TOKEN_PREFIX + secrets.token_urlsafe(32), plane.clock()
    # What a token issues does not outlive it.
    bounds = [one.expires_at for one in tokens_of(plane, caller.user) if one.id == caller.token_id]
    token = Token(
        id=secrets.token_hex(16),
        user=caller.user.name,
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        created_at=now,
        expires_at=min([now + life, *bounds]),
        digest=_digest(value),
    )
    with plane.access.lock:
        plane.records.add_token(token)
        plane.access.tokens[token.digest] = token
    usage.note_act(plane, caller.user.name, "token-issue", token.id)
    return token, value


def tokens_of(plane: Plane, user: User) -> list[Token]:
    """Return a user's tokens, oldest first."""
    mine = [one for one in plane.access.tokens.values() if one.user == user.name]
    return sorted(mine, key=lambda token: token.created_at)


def revoke_token(plane: Plane, user: User, token_id: str) -> None:
    """Revoke one token; NotFoundError when it is not that user's."""
    with plane.access.lock:
        if not plane.records.remove_token(user.name, token_id):
            raise NotFoundError("There is no such token.")
        for token in [one for one in plane.access.tokens.values() if one.id == token_id]:
            del plane.access.tokens[token.digest]
    usage.note_act(plane, user.name, "token-revoke", token_id)


def person_of(plane: Plane, user: User) -> Person:
    """Return who a container of that user runs as."""
    if user.kind == "virtual" and user.uid is not None and user.gid is not None:
        home = f"remoteapp-{plane.site.realm}-home-{user.uid}"
        return Person(user.name, user.uid, user.gid, (), home, home_is_volume=True)
    person = plane.host.person(user.name)
    if person is None or person.home in ("", "/"):
        raise ConflictError(
            "The host has no such account with a home of its own.", "Ask an administrator."
        )
    return person


def _count_attempt(plane: Plane, proof: Proof) -> None:
    if len(proof.name) > _LONGEST or len(proof.password) > _LONGEST:
        raise NotSignedInError(_REFUSED)
    now, block = plane.clock(), _block(proof.address)
    pair, address = plane.records.attempts(proof.name, block, now - WINDOW)
    if pair < PAIR_ATTEMPTS and address < ADDRESS_ATTEMPTS:
        # Counted before it is judged: guesses that run in parallel are all counted.
        plane.records.add_attempt(proof.name, block, now)
    else:
        raise TooManyError(
            "Too many attempts from here.", int(WINDOW.total_seconds()), "Wait and try again."
        )


def _known(plane: Plane, proof: Proof) -> User | None:
    user = plane.accounting.user(proof.name)
    if user is None and "pam" in plane.site.methods and plane.host.knows_name(proof.name):
        user = User(proof.name, "system")  # someone whom nothing is granted yet
    if user is None or user.kind == "virtual":
        return _known_here(plane, user, proof)
    return _known_to_host(plane, user, proof)


def _known_here(plane: Plane, user: User | None, proof: Proof) -> User | None:
    digest = plane.records.password(user.name) if user else None
    matches = plane.passwords.verify(digest, proof.password)
    return user if matches and "virtual" in plane.site.methods else None


def _known_to_host(plane: Plane, user: User, proof: Proof) -> User | None:
    if "pam" not in plane.site.methods or plane.host.person(user.name) is None:
        return None
    return user if plane.host.authenticate(user.name, proof.password) else None


def _enabled(plane: Plane, name: str) -> User | None:
    user = plane.access.user(name)
    if user is None and "pam" in plane.site.methods:
        user = User(name, "system")  # signed in, not known to accounting
    if user is None or not user.enabled:
        return None
    return _with_role(plane, user)


def _with_role(plane: Plane, user: User) -> User:
    return replace(user, admin=True) if user.name in plane.site.admins else user


def _scopes(user: User) -> Sequence[str]:
    return [scope for scope in SCOPES if user.admin or not scope.startswith("admin:")]


def _forget_signins(plane: Plane, user: User, but: str) -> None:
    for signin in [one for one in plane.access.signins.values() if one.user == user.name]:
        if signin.id != but:
            del plane.access.signins[signin.id]


def _signer(plane: Plane) -> URLSafeSerializer:
    return URLSafeSerializer(plane.site.secret, salt="sign-in")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _block(address: str) -> str:
    """Count an IPv6 client by its /64, which is what one household or attacker holds."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else str(ip_network(f"{parsed}/64", strict=False))  # noqa: PLR2004
