"""Who may enter which session, held in memory: the authoriser's whole world.

Invariant: a decision reads these tables only, never a disk, and takes no lock: each read is one
operation on a dict. Whoever writes a record and this table holds `lock` over both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, RLock

from control_plane.domain.entities import Session, Share, SignIn, State, Token, User
from control_plane.domain.forwarding import Watcher


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who proved who they are: a browser (`signin_id`) or a token with scopes.

    `guest_of` is the share whose link let a guest in, who has no scope at all.
    """

    user: User
    scopes: frozenset[str]
    signin_id: str = ""
    token_id: str = ""
    guest_of: str = ""

    @property
    def viewer(self) -> str:
        """What tells this browser or token from every other; it proves nothing."""
        return self.signin_id or self.token_id

    @property
    def person(self) -> str:
        """Whose all that is counted together is: a user's, or each guest's own."""
        return self.viewer if self.guest_of else self.user.name


@dataclass(slots=True)
class Access:
    """The living sessions, their shares, the sign-ins, the tokens and the users.

    `tickets` are the entries that were offered and not taken, each with its end. Whoever tells the
    forwarder holds `telling` from the look at these tables until it is told. `watchers` are those
    whom it told of last, None while it does not answer.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    signins: dict[str, SignIn] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    tickets: dict[str, datetime] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)
    watchers: tuple[Watcher, ...] | None = ()
    lock: RLock = field(default_factory=RLock)
    telling: Lock = field(default_factory=Lock)

    def load(
        self,
        signins: Iterable[SignIn],
        tokens: Iterable[Token],
        users: Iterable[User],
        shares: Iterable[Share],
    ) -> None:
        """Replace what the databases hold; sessions are put one by one."""
        self.users = {user.name: user for user in users}
        self.signins = {signin.id: signin for signin in signins}
        self.tokens = {token.digest: token for token in tokens}
        self.shares = {share.id: share for share in shares}

    def put(self, session: Session) -> None:
        """Keep a session while it lives or its failure is not dismissed; else forget it."""
        if session.living or (session.state is State.FAILED and not session.dismissed):
            self.sessions[session.id] = session
        else:
            self.sessions.pop(session.id, None)

    def signed_in(self, signin_id: str, now: datetime) -> SignIn | None:
        """Return the sign-in if it has not ended."""
        signin = self.signins.get(signin_id)
        return signin if signin and now < signin.expires_at else None

    def token(self, digest: str, now: datetime) -> Token | None:
        """Return the token if it has not expired."""
        token = self.tokens.get(digest)
        return token if token and now < token.expires_at else None

    def user(self, name: str) -> User | None:
        """Return the user, enabled or not."""
        return self.users.get(name)

    def sessions_of(self, owner: str) -> list[Session]:
        """Return the owner's, oldest first."""
        mine = (session for session in list(self.sessions.values()) if session.owner == owner)
        return sorted(mine, key=lambda session: session.created_at)

    def owned(self, session_id: str, owner: str) -> Session | None:
        """Return the session if that is its owner."""
        session = self.sessions.get(session_id)
        return session if session and session.owner == owner else None

    def shares_of(self, session_id: str) -> list[Share]:
        """Return a session's shares, oldest first."""
        found = (share for share in list(self.shares.values()) if share.session_id == session_id)
        return sorted(found, key=lambda share: (share.created_at, share.id))
