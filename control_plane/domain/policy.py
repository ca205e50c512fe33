"""What a grant allows: read from fields that people wrote, and completed by the site's defaults.

Invariant: a policy holds only what is enforced; every field that is not is refused by name.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

from control_plane.domain import volumes
from control_plane.domain.entities import Policy, Volume
from control_plane.domain.policy_fields import CHECKS, LATER, size_of
from control_plane.domain.ports import Limits
from control_plane.errors import FieldError, InvalidError


def parse(fields: Mapping[str, object]) -> Policy:
    """Return the policy of these fields; InvalidError names every bad one.

    `memory` is a number of bytes or text such as `512m`, a volume is `SOURCE:TARGET:MODE`; None
    is as good as absent.
    """
    errors = [
        FieldError(name, problem) for name in fields if (problem := _problem(name, fields[name]))
    ]
    if not errors and (problem := _together(fields)):
        errors = [FieldError("volumes", problem)]
    if errors:
        raise InvalidError("The policy is refused.", errors)
    given = {name: value for name, value in fields.items() if value is not None}
    if "memory" in given:
        given["memory"] = size_of(given["memory"])
    if "volumes" in given:
        written = cast("list[str]", given["volumes"])
        given["volumes"] = tuple(volumes.parse(one) for one in written)
    return Policy(**cast("dict[str, Any]", given))


def as_fields(policy: Policy) -> dict[str, Any]:
    """Return the fields as `parse` takes them, the licence too; a volume is text."""
    return asdict(policy) | {"volumes": [str(one) for one in policy.volumes]}


def merged(policy: Policy, fields: Mapping[str, object]) -> Policy:
    """Return the policy with these fields put over it; None puts the default back."""
    return parse(as_fields(policy) | dict(fields))


def effective(policy: Policy, limits: Limits) -> Policy:
    """Return the policy with the site's default wherever it says nothing: no None is left."""
    defaults = {
        "memory": limits.memory,
        "cpus": limits.cpus,
        "pids": limits.pids,
        "network": limits.network,
        "max_sessions": limits.max_sessions,
        "max_lifetime": limits.max_lifetime,
    }
    unsaid = {name: value for name, value in defaults.items() if getattr(policy, name) is None}
    return replace(policy, **cast("dict[str, Any]", unsaid))


def narrowed(was: Policy, now: Policy) -> str:
    """Return what a running session has and may not have any more; empty when nothing.

    Both are complete. Limits are not asked here: they can be put on what runs.
    """
    if was.allow_home and not now.allow_home:
        return "the home"
    if was.legacy_home and not now.legacy_home:
        return "the legacy home"
    lost = [volume for volume in was.volumes if not _covered(volume, now.volumes)]
    if lost:
        return f"the volume at {lost[0].target}"
    return "the network" if was.network == "internet" and now.network == "none" else ""


def _covered(volume: Volume, allowed: tuple[Volume, ...]) -> bool:
    return volume in allowed or replace(volume, mode="rw") in allowed


def _problem(name: str, value: object) -> str:
    if name in LATER:
        return "not supported by this version yet"
    if name not in CHECKS:
        return f"unknown; allowed: {', '.join(CHECKS)}"
    return "" if value is None else CHECKS[name](value)


def _together(fields: Mapping[str, object]) -> str:
    """Return what is wrong with fields that are right one by one."""
    written = cast("list[str]", fields.get("volumes") or [])
    parsed = [volumes.parse(one) for one in written]
    return volumes.clash(parsed, home=bool(fields.get("allow_home")))
