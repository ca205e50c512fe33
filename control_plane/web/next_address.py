"""Where to go after signing in.

Invariant: whatever a link says, that is a path of this portal.
"""

import re

_LONGEST = 2048
# A first segment that is a plain word leaves no room for `//`, `/\`, a scheme or an escaped slash;
# the rest is printable ASCII, for browsers drop tabs and newlines from an address.
_OWN = re.compile(r"/(?:(?!log(?:in(?!/token\?)|out)\b)[a-z]+(?:[/?][!-\[\]-~]*)?)?", re.ASCII)


def safe_next(asked: str) -> str:
    """Return `asked` if it is a path of this portal to go to, else the catalogue's."""
    return asked if len(asked) <= _LONGEST and _OWN.fullmatch(asked) else "/"
