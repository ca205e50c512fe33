"""A forwarder in memory; it passes the contract tests of the real one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.domain.forwarding import Passage, Watcher
from control_plane.errors import ForwarderUnavailableError


@dataclass
class FakeForwarder:
    """Passages and watchers as dicts; `away` makes it as good as one that does not answer."""

    clock: Callable[[], datetime]
    away: bool = False
    passages: dict[str, Passage] = field(default_factory=dict)
    watchers: dict[tuple[str, str], Watcher] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)

    def replace(self, passages: Sequence[Passage]) -> None:
        self.check()
        self.passages = {one.share_id: one for one in passages}
        self._end()

    def put(self, passage: Passage) -> None:
        self.check()
        self.passages[passage.share_id] = passage
        self._end()

    def drop(self, share_id: str) -> None:
        self.check()
        self.passages.pop(share_id, None)
        self._end()

    def cut(self, viewer: str) -> None:
        self.check()
        self.barred.add(viewer)
        self._end()

    def watching(self) -> Sequence[Watcher]:
        self.check()
        self._end()
        return list(self.watchers.values())

    def check(self) -> None:
        if self.away:
            raise ForwarderUnavailableError("The forwarder does not answer.")

    def connect(self, share_id: str, viewer: str, user: str) -> bool:
        """Open a connection as nginx would pass it on; return whether it was let through."""
        self.watchers[share_id, viewer] = Watcher(share_id, viewer, user, self.clock())
        self._end()
        return (share_id, viewer) in self.watchers

    def restart(self) -> None:
        """Forget all, as a new process has."""
        self.passages, self.watchers, self.barred = {}, {}, set()

    def _end(self) -> None:
        """Keep the connections that are let through now."""
        self.watchers = {key: one for key, one in self.watchers.items() if self._lets_in(one)}

    def _lets_in(self, one: Watcher) -> bool:
        passage = self.passages.get(one.share_id)
        if passage is None or one.viewer in self.barred or self.clock() >= passage.expires_at:
            return False
        return passage.people is None or one.user in passage.people
