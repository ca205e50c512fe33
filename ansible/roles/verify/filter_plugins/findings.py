"""What `control-plane doctor --json` found, as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def lines(found: Sequence[dict[str, str]], *statuses: str) -> list[str]:
    """Return a line for each finding of these statuses: what was found, and what to do."""
    return [
        f"{one['name']} {one['status']}: {one['found']} To do: {one['todo']}"
        for one in found
        if one["status"] in statuses
    ]


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"remoteapp_findings": lines}
