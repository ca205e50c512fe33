"""Filters on networks that roles need before anything of the project runs on the host.

Invariant: the halves of the session range are those that the control plane takes.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from ansible.errors import AnsibleFilterError


def halves(whole: str) -> dict[str, str]:
    """Return the part of sessions with internet (`open`) and of those without (`closed`)."""
    try:
        lower, upper = ip_network(whole).subnets()
    except ValueError as error:
        raise AnsibleFilterError(
            f"remoteapp_session_range {whole!r} is no network such as 10.213.0.0/20: {error}"
        ) from error
    return {"open": str(lower), "closed": str(upper)}


def overlapping(networks: list[str], other: str) -> list[str]:
    """Return those of the networks that share an address with the other."""
    whole = ip_network(other)
    return [one for one in networks if ip_network(one, strict=False).overlaps(whole)]


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"remoteapp_halves": halves, "remoteapp_overlapping": overlapping}
