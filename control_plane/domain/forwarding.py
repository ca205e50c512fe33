"""What lets people through to sessions of others: the port `Forwarder` and what it is told.

Invariant: the forwarder judges by its own table of passages, which the control plane alone fills.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from control_plane.domain.entities import AppType, ShareAccess


@dataclass(frozen=True, slots=True)
class Passage:
    """What the forwarder knows of a share: whom it lets in where, how far, and until when.

    `people` are the names it lets in (`guest:<share id>` is every guest's); None is whoever nginx
    says.
    """

    share_id: str
    session_id: str
    owner: str
    access: ShareAccess
    type: AppType
    address: str
    port: int
    expires_at: datetime
    people: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who watches by a share now: a sign-in or a token (`viewer`), whose, and since when."""

    share_id: str
    viewer: str
    user: str
    since: datetime


class Forwarder(Protocol):
    """What lets people through to sessions of others; ForwarderUnavailableError when it is away.

    It answers within a second or counts as away.
    """

    def replace(self, passages: Sequence[Passage]) -> None:
        """Make these the passages, all of them; what they do not let in is ended when it returns.

        Called every moment: nothing is sent while the forwarder has them. One that has restarted
        has none, which the next `watching` shows at the latest.
        """

    def put(self, passage: Passage) -> None:
        """Add one passage, or replace that of its share as `replace` does."""

    def drop(self, share_id: str) -> None:
        """Take a passage back: its connections have ended when it returns. Unknown is no error."""

    def cut(self, viewer: str) -> None:
        """End the connections of a sign-in or a token, and let it in nowhere for a day."""

    def watching(self) -> Sequence[Watcher]:
        """Return who watches now, each viewer of each share once, with the earliest `since`."""

    def check(self) -> None:
        """Raise ForwarderUnavailableError when it does not answer."""
