"""Those who vouch for people elsewhere, as the use cases see them.

Invariant: an account elsewhere is its issuer and subject; the name is only what it asks to be
called here.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asking:
    """What one browser is sent away with, and what its return is held against."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a provider vouches for; `groups` are None where it is not asked for them."""

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...] | None = None


class Provider(Protocol):
    """One provider at which people sign in; every call may take seconds."""

    @property
    def label(self) -> str:
        """What people call it."""

    def address(self, asking: Asking) -> str:
        """Return where the browser goes to sign in; UnavailableError."""

    def account(self, asking: Asking, code: str) -> Account:
        """Return who came back with that code.

        NotSignedInError when the provider does not vouch for it, UnavailableError.
        """
