"""Names of people: which are allowed, how a hostile one is shown, what a container calls them.

Invariant: nothing that somebody typed reaches a terminal, a page or a log unescaped and uncut
when it went through `shown`.
"""

import re

from control_plane.errors import ConflictError, FieldError, InvalidError

LONGEST_SHOWN = 60
FALLBACK_LOGIN = "user"
_VIRTUAL = re.compile(r"[a-z_][a-z0-9_.@-]{0,63}")
# What Debian's useradd takes: NAME_REGEX of its adduser, 32 characters at most.
_USERADD = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_RULE = "1 to 64 of a-z, 0-9 and _ . @ -, the first a letter or _"
# Accounts and groups of Debian's base-passwd and of packages that images often have; useradd
# refuses the name of a group, too.
_STOCK = """
    root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats _apt
    nobody adm tty disk dialout fax voice cdrom floppy tape sudo audio dip operator src shadow
    utmp video sasl plugdev staff users nogroup kmem crontab input sgx kvm render netdev docker
    messagebus sshd ssh avahi polkitd rtkit pulse colord saned tcpdump dnsmasq
"""


def check_virtual_name(name: str) -> None:
    """Raise InvalidError unless a virtual user may have this name; root is a ConflictError."""
    if not _VIRTUAL.fullmatch(name):
        raise InvalidError(
            f"A virtual user cannot be called {shown(name)}.", [FieldError("name", _RULE)]
        )
    if name == "root":
        raise ConflictError("The name root is the host's.", "Choose another name.")


def shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Return `text` as it may stand in a message: odd characters escaped, the rest cut off."""
    safe = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text[: longest + 1])
    if not safe.strip():
        return f"'{safe}'"
    return safe if len(safe) <= longest else f"{safe[:longest]}…"


def container_login(name: str) -> str:
    """Return what the account inside the container is called."""
    taken = name in _STOCK.split() or name.startswith("systemd-")
    return name if _USERADD.fullmatch(name) and not taken else FALLBACK_LOGIN
