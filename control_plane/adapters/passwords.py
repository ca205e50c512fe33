"""Passwords of virtual users, by argon2.

Invariant: a check takes as long for a name that has no password as for one that has.
"""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2Passwords:
    """Argon2id with the cost that OWASP's password storage sheet gives as its first choice."""

    def __init__(self) -> None:
        """Hash a dummy once, for names without a password."""
        # 19 MiB and two passes on one lane: sixty people at once do not exhaust a small host.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._dummy = self._hasher.hash("")

    def hash(self, password: str) -> str:
        """Return the encoded hash, salt and cost within."""
        return self._hasher.hash(password)

    def verify(self, digest: str | None, password: str) -> bool:
        """Compare in constant time; False, and as slow, without a digest."""
        try:
            return self._hasher.verify(digest or self._dummy, password) and digest is not None
        except (VerificationError, InvalidHashError):
            return False
