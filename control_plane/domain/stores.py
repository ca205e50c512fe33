"""What the use cases need of the stores: accounting, records, and who notices a write.

Invariant: a change is given as a function of what is there, and is judged and written in one
transaction; what it raises leaves everything as it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from control_plane.domain.entities import (
    Announcement,
    Application,
    AuditRow,
    Grant,
    Grantee,
    Group,
    Holdings,
    HomeTask,
    LastStart,
    Link,
    Policy,
    Session,
    Share,
    SignIn,
    Token,
    UsageRow,
    User,
)

UserChange = Callable[[User], User]
GroupChange = Callable[[Group], Group]
ApplicationChange = Callable[[Application], Application]
PolicyChange = Callable[[Grant], Policy]
Rewriting = Callable[[Holdings], Holdings]


class Accounting(Protocol):
    """Who may run what: users, groups, applications, policies, grants.

    A store that is read only raises NotSupportedError on every write.
    """

    @property
    def writable(self) -> bool:
        """Whether it can be changed here at all."""

    def user(self, name: str) -> User | None:
        """Return the user of that name, with the groups."""

    def users(self) -> Sequence[User]:
        """Return every user, by name; two queries at most."""

    def group(self, name: str) -> Group | None:
        """Return the group of that name, with its members."""

    def groups(self) -> Sequence[Group]:
        """Return every group, by name; two queries at most."""

    def applications(self) -> Sequence[Application]:
        """Return every application, by image."""

    def application(self, application_id: str) -> Application | None:
        """Return one application."""

    def grant(self, grant_id: str) -> Grant | None:
        """Return one grant with its application and policy."""

    def grants(self) -> Sequence[Grant]:
        """Return every grant, by image and grantee, in one query."""

    def grants_of(self, user: str) -> Sequence[Grant]:
        """Return what a user holds by name, by a group or as everyone, in one query.

        A name that is not a user's holds nothing.
        """

    def holds(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Grant]:
        """Return those (user, grant id) that hold, with the grant; two queries at most."""

    def holdings(self) -> Holdings:
        """Return everything, as it is at one moment."""

    def reserve_uids(
        self, count: int, first: int, last: int, taken: Callable[[int], bool]
    ) -> Sequence[int]:
        """Reserve uids that were never given before; ConflictError when too few are left."""

    def add_user(self, user: User) -> None:
        """Add a user; ConflictError when the name is taken, NotFoundError for a group."""

    def change_user(self, name: str, change: UserChange) -> User:
        """Change a user and the groups; NotFoundError. The name stays."""

    def remove_user(self, name: str) -> None:
        """Remove a user, the grants and the memberships; NotFoundError when there is none."""

    def add_group(self, group: Group) -> None:
        """Add a group; ConflictError when the name is taken, NotFoundError for a member."""

    def change_group(self, name: str, change: GroupChange) -> Group:
        """Change who is in it; NotFoundError for the group or a member. The name stays."""

    def remove_group(self, name: str) -> None:
        """Remove a group and its grants; NotFoundError when there is none."""

    def add_application(self, application: Application) -> None:
        """Add an application; ConflictError when the image is known already."""

    def change_application(self, application_id: str, change: ApplicationChange) -> Application:
        """Change it; NotFoundError, ConflictError when the new image is known. The id stays."""

    def remove_application(self, application_id: str) -> None:
        """Remove an application and its grants; NotFoundError when there is none."""

    def add_grant(self, grantee: Grantee, application_id: str, policy: Policy) -> Grant:
        """Grant; the same grantee, application and policy again returns the grant that exists.

        NotFoundError names the user, the group or the application that is unknown.
        """

    def change_grant(self, grant_id: str, change: PolicyChange) -> Grant:
        """Put another policy on a grant; NotFoundError, ConflictError when that exists."""

    def remove_grants(self, grant_ids: Collection[str]) -> int:
        """Remove grants; return how many there were."""

    def rewrite(self, change: Rewriting) -> Holdings:
        """Make everything as `change` returns it, in one transaction; return the result.

        Users, groups, applications and grants are matched by name, name, id and id. A grant's id
        is kept as given, so is a uid, which counts as given from then on.
        """


class Records(Protocol):
    """What happened: sessions, sign-ins, passwords, tokens, ledger, audit."""

    def add_session(self, session: Session) -> None:
        """Write a new session's record."""

    def save_session(self, session: Session) -> None:
        """Replace the record of that id, or write it when there is none."""

    def session(self, session_id: str) -> Session | None:
        """Return one record."""

    def open_sessions(self) -> Sequence[Session]:
        """Return the living ones and the failures nobody has dismissed, oldest first."""

    def ended_sessions(self, owner: str, since: datetime) -> Sequence[Session]:
        """Return the owner's stopped or failed ones that ended after `since`, newest first."""

    def forget_ended(self, before: datetime, now: datetime) -> int:
        """Remove what ended before then, but failures nobody has dismissed, and expired tokens.

        Return how many records went; the ledger stays.
        """

    def note_start(self, start: LastStart) -> None:
        """Replace what that owner started last of that grant."""

    def last_starts(self, owner: str) -> Mapping[str, LastStart]:
        """Return what an owner started last of each grant, by the grant's id; one query."""

    def places_ended_since(self, since: datetime) -> Sequence[tuple[str, int]]:
        """Return the address and port of each session that ended after `since`."""

    def cursor(self, name: str) -> int:
        """Return a named counter; 0 before it was ever set."""

    def set_cursor(self, name: str, value: int) -> None:
        """Set a named counter."""

    def add_signin(self, signin: SignIn) -> None:
        """Write a sign-in."""

    def end_signin(self, signin_id: str) -> None:
        """Forget a sign-in; an unknown id is no error."""

    def end_signins(self, user: str, but: str = "") -> int:
        """Forget all of a user's sign-ins except `but`; return how many."""

    def signins(self, now: datetime) -> Sequence[SignIn]:
        """Return the sign-ins that have not expired, and forget those that have."""

    def note_shares(self, signin_id: str, shares: Sequence[str]) -> bool:
        """Replace what a sign-in has entered; False when it has ended."""

    def add_share(self, share: Share) -> None:
        """Write a share."""

    def shares(self) -> Sequence[Share]:
        """Return every share, oldest first; whether one has expired is for the reader to see."""

    def remove_shares(self, share_ids: Collection[str]) -> None:
        """Forget shares; an unknown id is no error."""

    def password(self, user: str) -> str | None:
        """Return the hash of a virtual user's password."""

    def set_password(self, user: str, digest: str) -> None:
        """Set or replace it."""

    def forget_user(self, user: str) -> None:
        """Remove password, sign-ins, tokens, links, what is kept, and what is shared with them.

        Ledger and audit stay.
        """

    def forget_group(self, group: str) -> None:
        """Remove the shares that let in that group."""

    def add_token(self, token: Token) -> None:
        """Write a token."""

    def tokens(self, now: datetime) -> Sequence[Token]:
        """Return the tokens that have not expired."""

    def remove_token(self, user: str, token_id: str) -> bool:
        """Remove that user's token; False when there is none."""

    def remove_tokens(self, user: str) -> int:
        """Remove all of a user's tokens; return how many."""

    def add_attempt(self, name: str, address: str, at: datetime) -> None:
        """Count an attempt to sign in, before it is judged."""

    def attempts(self, name: str, address: str, since: datetime) -> tuple[int, int]:
        """Return the attempts since then: of this pair, and of the address with any name."""

    def forget_attempts(self, name: str, address: str, before: datetime) -> None:
        """Forget the attempts of this pair, and every one that is older than `before`."""

    def reserve_uid(self, user: str, first: int, last: int, taken: Callable[[int], bool]) -> int:
        """Return the uid of a user whose accounting keeps none: the same for ever.

        ConflictError when none is left that was never given here.
        """

    def link(self, issuer: str, subject: str) -> Link | None:
        """Return whom an account elsewhere signs in."""

    def add_link(self, link: Link) -> None:
        """Link an account elsewhere; ConflictError when its subject is linked already."""

    def keep_running(self, keys: Collection[str]) -> None:
        """Note what shall compute on: `user:<name>` or `grant:<id>`; again is no error."""

    def kept_running(self) -> frozenset[str]:
        """Return what shall compute on."""

    def end_keeping(self, keys: Collection[str]) -> None:
        """Forget that; an unknown key is no error."""

    def add_home_task(self, task: HomeTask) -> None:
        """Note what becomes of a home; a second task for the same volume replaces the first."""

    def home_tasks(self) -> Sequence[HomeTask]:
        """Return what is still to be done, oldest first."""

    def end_home_task(self, volume: str) -> None:
        """Forget it; an unknown volume is no error."""

    def announcement(self) -> Announcement | None:
        """Return what is told to everyone; whether it is over is for the reader to see."""

    def announce(self, announcement: Announcement | None) -> None:
        """Replace it; None takes it back."""

    def save_usage(self, row: UsageRow) -> None:
        """Replace the ledger's line of that session, or write it when there is none."""

    def usage_of(self, session_id: str) -> UsageRow | None:
        """Return one line of the ledger."""

    def usage(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[UsageRow]:
        """Return the lines that lie at least partly in the period, oldest first."""

    def add_audit(self, row: AuditRow) -> None:
        """Write an act; nothing changes or removes it any more."""

    def add_audits(self, rows: Sequence[AuditRow]) -> None:
        """Write acts in their order, all or none."""

    def audit(  # noqa: PLR0913 - one argument a filter
        self,
        *,
        actor: str = "",
        action: str = "",
        target: str = "",
        words: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Sequence[AuditRow]:
        """Return the acts that fit, newest first; what is empty fits all.

        Each of the `words` stands somewhere in the act: what it changed counts, its time does not.
        """

    def audit_count(  # noqa: PLR0913 - those of `audit`
        self,
        *,
        actor: str = "",
        action: str = "",
        target: str = "",
        words: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Return how many acts fit."""


class Stores(Protocol):
    """What notices that another process wrote to a database."""

    def version(self) -> object:
        """Return a value that differs after every write to either store, by any process."""

    def check(self) -> None:
        """Raise StoreUnavailableError when a database does not answer."""
