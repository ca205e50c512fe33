"""A provider in memory; it passes the contract tests that the real one passes."""

from dataclasses import dataclass, field

from control_plane.domain.providers import Account, Asking
from control_plane.errors import NotSignedInError, UnavailableError

ISSUER = "https://login.test"


@dataclass
class FakeProvider:
    """A provider in memory: each code is an account; `away` says that it does not answer."""

    accounts: dict[str, Account] = field(default_factory=dict)
    away: bool = False
    label: str = "login.test"
    _asked: dict[str, Asking] = field(default_factory=dict)

    def address(self, asking: Asking) -> str:
        self._answer()
        self._asked[asking.state] = asking
        return f"{ISSUER}/authorise?state={asking.state}"

    def account(self, asking: Asking, code: str) -> Account:
        self._answer()
        if code not in self.accounts or self._asked.get(asking.state) != asking:
            raise NotSignedInError("login.test does not say who you are.")
        return self.accounts.pop(code)

    def _answer(self) -> None:
        if self.away:
            raise UnavailableError("login.test does not answer.")
