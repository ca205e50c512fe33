"""A filter that tells a mistyped variable from one that a role takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches


def strangers(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a few words on each name that is not known, with the closest that is."""
    names = sorted(set(known))
    return [f"{one}{_closest(one, names)}" for one in sorted(set(given).difference(names))]


def _closest(name: str, names: list[str]) -> str:
    found = get_close_matches(name, names, n=1)
    return f" (did you mean {found[0]}?)" if found else ""


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filter by its name."""
        return {"remoteapp_strangers": strangers}
