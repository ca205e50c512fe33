"""Who calls: sign-ins, tokens, and who someone is on this host.

Invariant: what let someone in is asked anew at every request; a token or a sign-in never does more
than its user may just now.
"""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer

from control_plane import rules, signing_in, throttle, usage
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, Person, Share, SignIn, Token, User
from control_plane.domain.ports import Plane
from control_plane.domain.roles import scopes_of
from control_plane.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
)
from control_plane.newcomers import Proven, is_linked, is_stranger

Proof = signing_in.Proof
SIGNIN_LIFE = timedelta(days=7)
TOKEN_PREFIX = "rapp_"  # noqa: S105 - the public prefix, not a token
_USER: Final = "user"
_STRANGER: Final = "stranger"
_GUEST: Final = "guest"
_LINK: Final = "link"
GUEST_PREFIX = "guest:"
MOST_GUESTS = 200


def sign_in(plane: Plane, proof: Proof) -> str:
    """Return the cookie's value for someone who proved who they are by a password."""
    return _entered(plane, signing_in.prove(plane, proof), proof.address)


def sign_in_from_elsewhere(plane: Plane, returned: signing_in.Return) -> tuple[str, str]:
    """Return the cookie's value for someone who came back from a provider, and where they go."""
    proven, wanted = signing_in.come_back(plane, returned)
    return _entered(plane, proven, returned.address), wanted


def forget_old_attempts(plane: Plane) -> None:
    """Remove the attempts that no throttle looks at any more."""
    throttle.forget_old(plane)


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
    require_own_password(plane, caller.user)
    try:
        signing_in.prove(plane, Proof(caller.user.name, old, address))
    except NotSignedInError as error:
        problem = FieldError("old", "is not the present password")
        raise InvalidError("The password was not changed.", [problem]) from error
    with plane.access.lock:
        plane.records.set_password(caller.user.name, plane.passwords.hash(new))
        plane.records.end_signins(caller.user.name, but=caller.signin_id)
        _forget_signins(plane, caller.user, caller.signin_id)
    usage.note_act(plane, caller.user.name, "password", caller.user.name, address)


def require_own_password(plane: Plane, user: User) -> None:
    """ConflictError says who keeps the user's password, where that is not this portal."""
    if user.kind != "virtual":
        raise ConflictError("This password is the host's.", "Change it there.")
    if is_stranger(user) or is_linked(plane, user.name):
        raise ConflictError("This account has no password here.", "Change it where it signs in.")


def by_cookie(plane: Plane, value: str) -> Caller | None:
    """Return whose cookie that is; it may do all that its user may. Never a guest."""
    caller = visitor_by_cookie(plane, value)
    return None if caller and caller.guest_of else caller


def visitor_by_cookie(plane: Plane, value: str) -> Caller | None:
    """Return whose cookie that is, be it a guest's, who may enter one session and nothing else."""
    try:
        secret = _signer(plane).loads(value)
    except BadSignature:
        return None
    return by_signin(plane, _digest(str(secret)))


def by_signin(plane: Plane, signin_id: str) -> Caller | None:
    """Return who signed in so, be it a guest, as long as that holds."""
    signin = plane.access.signed_in(signin_id, plane.clock())
    return _caller(plane, signin) if signin else None


def by_password(plane: Plane, proof: Proof) -> Caller:
    """Return who proved who they are by name and password, without a sign-in."""
    user = _with_role(plane, _noticed(plane, signing_in.prove(plane, proof)))
    return Caller(user, scopes_of(user))


def by_token(plane: Plane, value: str) -> Caller | None:
    """Return whose token that is; it may do what it was issued for and its user still may."""
    token = plane.access.token(_digest(value), plane.clock())
    user = _of_token(plane, token) if token else None
    if not (user and token):
        return None
    return Caller(user, frozenset(token.scopes) & scopes_of(user), token_id=token.id)


def still_in(plane: Plane, caller: Caller, scope: str = "") -> bool:
    """Whether what let the caller in still holds, and gives this scope, where one is named."""
    if caller.token_id:
        tokens = [one for one in list(plane.access.tokens.values()) if one.id == caller.token_id]
        user = _of_token(plane, tokens[0]) if tokens else None
    else:
        signin = plane.access.signed_in(caller.signin_id, plane.clock())
        found = _caller(plane, signin) if signin else None
        user = found.user if found else None
    return user is not None and (not scope or scope in caller.scopes & scopes_of(user))


def is_in(plane: Plane, viewer: str) -> bool:
    """Whether that sign-in or token has not ended."""
    if plane.access.signed_in(viewer, plane.clock()):
        return True
    now = plane.clock()
    return any(one.id == viewer and now < one.expires_at for one in _tokens(plane))


def is_let_in(plane: Plane, name: str) -> bool:
    """Whether someone of that name is let in who has a sign-in or a token; from memory."""
    user = _known(plane, name)
    return user is not None and _let_in(plane, user) is not None


def may_sign_in(plane: Plane, name: str) -> bool:
    """Whether accounting or else the host knows someone of that name, and lets them in."""
    is_known = plane.access.user(name) is not None or plane.host.person(name) is not None
    return is_known and is_let_in(plane, name)


def entered(plane: Plane, caller: Caller) -> tuple[str, ...]:
    """Return the links that a browser has entered, and the sessions it opened knowingly."""
    signin = plane.access.signins.get(caller.signin_id)
    return signin.shares if signin else ()


def who_entered(plane: Plane) -> Mapping[str, set[str]]:
    """Return the users who entered each link, by its share, with a sign-in that holds."""
    now, found = plane.clock(), defaultdict[str, set[str]](set)
    for signin in list(plane.access.signins.values()):
        user = _of_signin(plane, signin) if signin.shares and now < signin.expires_at else None
        for key in signin.shares if user else ():
            found[key] |= {signin.user}
    return found


def note_entered(plane: Plane, caller: Caller, key: str) -> None:
    """Note in a browser's sign-in that it entered a link or opened a session knowingly.

    NotSignedInError where the sign-in has ended.
    """
    with plane.access.lock:
        signin = plane.access.signed_in(caller.signin_id, plane.clock())
        if signin is None:
            raise NotSignedInError("Nobody is signed in.", "Sign in, and open it again.")
        known = [one for one in signin.shares if _is_known(plane, one) and one != key]
        changed = replace(signin, shares=(*known, key))
        if not plane.records.note_shares(changed.id, changed.shares):
            raise NotSignedInError("Nobody is signed in.", "Sign in, and open it again.")
        plane.access.signins[changed.id] = changed


def let_guest_in(
    plane: Plane, share: Share, display: str, address: str, *, instead_of: Caller | None
) -> str:
    """Return the cookie's value of a new guest, whose sign-in ends with the share."""
    secret, now = secrets.token_urlsafe(24), plane.clock()
    name = f"{GUEST_PREFIX}{share.id}"
    if sum(one.user == name for one in plane.access.signins.values()) >= MOST_GUESTS:
        raise ConflictError("This link has let in as many guests as it may.", "Ask for a new one.")
    signin = SignIn(
        id=_digest(secret),
        user=name,
        kind=_GUEST,
        created_at=now,
        expires_at=share.expires_at,
        address=address,
        source=_LINK,
        shares=(share.id,),
        display=display,
    )
    with plane.access.lock:
        if instead_of:
            sign_out(plane, instead_of.signin_id)
        plane.records.add_signin(signin)
        plane.access.signins[signin.id] = signin
    return _signer(plane).dumps(secret)


def forget_guests(plane: Plane, share_id: str) -> None:
    """End the sign-ins of a share's guests; the caller holds the lock."""
    user = User(f"{GUEST_PREFIX}{share_id}", "virtual")
    plane.records.end_signins(user.name)
    _forget_signins(plane, user, "")


def issue_token(
    plane: Plane, caller: Caller, name: str, scopes: Sequence[str], life: timedelta
) -> tuple[Token, str]:
    """Return a new token and the value that its owner keeps; it is stored hashed."""
    if is_stranger(caller.user):
        raise ForbiddenError("Tokens are for users of this portal.", "Ask an administrator.")
    if too_much := sorted(set(scopes) - caller.scopes):
        raise ForbiddenError(f"You do not hold {', '.join(too_much)} yourself.")
    now = plane.clock()
    # What a token issues does not outlive it.
    bounds = [one.expires_at for one in tokens_of(plane, caller.user) if one.id == caller.token_id]
    token, value = made_token(caller.user.name, name, scopes, now, min([now + life, *bounds]))
    with plane.access.lock:
        plane.records.add_token(token)
        plane.access.tokens[token.digest] = token
    usage.note_act(plane, caller.user.name, "token-issue", token.id)
    return token, value


def made_token(
    user: str, name: str, scopes: Sequence[str], now: datetime, until: datetime
) -> tuple[Token, str]:
    """Return a token for the records, and the value that its owner keeps."""
    value = TOKEN_PREFIX + secrets.token_urlsafe(32)
    held = tuple(scope for scope in SCOPES if scope in scopes)
    return Token(secrets.token_hex(16), user, name, held, now, until, _digest(value)), value


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
    if user.kind == "virtual":
        return _virtual_person(plane, user)
    person = plane.host.person(user.name)
    if person is None or person.home in ("", "/"):
        raise ConflictError(
            "The host has no such account with a home of its own.", "Ask an administrator."
        )
    return person


def _virtual_person(plane: Plane, user: User) -> Person:
    if user.uid is None or user.gid is None:
        raise ConflictError("You are not a user of this portal yet.", "Ask an administrator.")
    home = rules.home_of(plane.books, user)
    return Person(user.name, user.uid, user.gid, (), home, home_is_volume=True)


def _caller(plane: Plane, signin: SignIn) -> Caller | None:
    if signin.kind == _GUEST:
        user = User(signin.user, "virtual")
        share_id = signin.user.removeprefix(GUEST_PREFIX)
        holds = plane.site.guests and share_id in plane.access.shares
        return Caller(user, frozenset(), signin.id, guest_of=share_id) if holds else None
    found = _of_signin(plane, signin)
    return Caller(found, scopes_of(found), signin_id=signin.id) if found else None


def _entered(plane: Plane, proven: Proven, address: str) -> str:
    user, secret, now = _noticed(plane, proven), secrets.token_urlsafe(24), plane.clock()
    signin = SignIn(
        id=_digest(secret),
        user=user.name,
        kind=_STRANGER if is_stranger(user) else _USER,
        created_at=now,
        expires_at=now + SIGNIN_LIFE,
        address=address,
        source=proven.source,
    )
    with plane.access.lock:
        plane.records.add_signin(signin)
        plane.access.signins[signin.id] = signin
    usage.note_act(plane, user.name, "sign-in", user.name, address, detail=proven.source)
    return _signer(plane).dumps(secret)


def _noticed(plane: Plane, proven: Proven) -> User:
    if not is_stranger(proven.user):
        with plane.access.lock:  # perhaps made since the memory was last filled
            plane.access.users[proven.user.name] = proven.user
    return proven.user


def _of_signin(plane: Plane, signin: SignIn) -> User | None:
    known = plane.access.user(signin.user)
    if signin.source not in plane.site.methods:
        found = None
    elif signin.kind == _STRANGER:
        # Whoever got the name since then need not be the one who signed in.
        found = None if known else User(signin.user, "virtual")
    elif known is None and signin.source == "pam":
        found = User(signin.user, "system")  # someone whom nothing is granted yet
    else:
        found = known
    fits = found is not None and (found.kind == "system") == (signin.source == "pam")
    return _let_in(plane, found) if found and fits else None


def _of_token(plane: Plane, token: Token) -> User | None:
    user = _known(plane, token.user)
    return _let_in(plane, user) if user else None


def _known(plane: Plane, name: str) -> User | None:
    known = plane.access.user(name)
    return User(name, "system") if known is None and "pam" in plane.site.methods else known


def _let_in(plane: Plane, user: User) -> User | None:
    return _with_role(plane, user) if user.enabled and plane.admits(user.name) else None


def _with_role(plane: Plane, user: User) -> User:
    is_admin = user.name in plane.site.admins and not is_stranger(user)
    return replace(user, admin=True) if is_admin else user


def _forget_signins(plane: Plane, user: User, but: str) -> None:
    for signin in [one for one in plane.access.signins.values() if one.user == user.name]:
        if signin.id != but:
            del plane.access.signins[signin.id]


def _tokens(plane: Plane) -> list[Token]:
    return list(plane.access.tokens.values())


def _is_known(plane: Plane, key: str) -> bool:
    return key in plane.access.shares or key in plane.access.sessions


def _signer(plane: Plane) -> URLSafeSerializer:
    return URLSafeSerializer(plane.site.secret, salt="sign-in")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
