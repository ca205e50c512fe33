"""A policy as people fill it in and read it, with what the site has where it says nothing.

Invariant: every field of a policy that the API takes is in the form; a licence is never shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from control_plane.domain import policy as policies
from control_plane.domain.entities import Policy
from control_plane.domain.policy_fields import seconds_of, seconds_text, size_text
from control_plane.domain.ports import Limits
from control_plane.errors import FieldError, InvalidError
from control_plane.web import words
from control_plane.web.forms import Field, Form

_NETWORKS = {"internet": "Everything, the internet too", "none": "Nothing"}
_SHARES = (
    ("none", "Nobody"),
    ("view", "Others, to look on"),
    ("control", "Others, to work in it"),
)
# What few grants need stands behind a line.
RARE = tuple(f"policy.{one}" for one in ("pids", "share", "app_license", "legacy_home"))
_FORGET = Field("forget_license", "Forget the licence that is there", "check")
_LIFETIME = "policy.max_lifetime"
_TIME = "must be a time such as 3600, 90m, 8h or 2d; 0 is no end"


def fields(limits: Limits) -> Sequence[Field]:
    """Return the fields of a new policy on a site with these limits."""
    return (*_files(), *_bounds(limits), *_rare(limits))


def change_fields(limits: Limits, present: Policy) -> Sequence[Field]:
    """Return the fields that change a policy."""
    more = (_FORGET,) if present.app_license else ()
    return (*fields(limits), *more)


def shown(policy: Policy) -> dict[str, Any]:
    """Return what a form of the policy shows."""
    told = policies.as_fields(policy) | {"app_license": ""}
    if policy.memory is not None:
        told["memory"] = size_text(policy.memory)
    if policy.max_lifetime is not None:
        told["max_lifetime"] = seconds_text(policy.max_lifetime)
    return {"policy": told}


def content(form: Form) -> dict[str, Any]:
    """Return the fields of a policy as they were typed, None where nothing was. InvalidError."""
    found: Mapping[str, Any] = form.content().get("policy", {})
    names = [one.name.partition(".")[2] for one in form.fields if one.name.startswith("policy.")]
    made = {name: found.get(name) for name in names}
    errors: list[FieldError] = []
    if typed := made["max_lifetime"]:
        made["max_lifetime"] = seconds_of(typed)
        if made["max_lifetime"] is None:
            errors = [FieldError(_LIFETIME, _TIME)]
    try:
        policies.parse(made)
    except InvalidError as error:
        errors += error.errors
    if errors:
        raise InvalidError("The policy is refused.", errors)
    return made


def changes(form: Form) -> dict[str, Any]:
    """Return what changes a policy: a licence stays unless another one is typed, or it is let go.

    InvalidError.
    """
    made = content(form)
    if not (made["app_license"] or form.text(_FORGET.name)):
        del made["app_license"]
    return made


def said(policy: Policy, limits: Limits) -> list[str]:
    """Return what a session under the policy gets, in sentences, the most important first."""
    whole = policies.effective(policy, limits)
    home = "The home is at /workspace." if whole.allow_home else "No home."
    volumes = [f"{one.source} at {one.target}, {_MODES[one.mode]}." for one in whole.volumes]
    bounds = [
        f"{words.size(whole.memory or 0)} of memory.",
        f"{whole.cpus:g} CPUs." if (whole.cpus or 0) > 1 else f"{whole.cpus:g} CPU.",
        f"{whole.max_sessions} sessions at once."
        if (whole.max_sessions or 0) > 1
        else "One session at once.",
    ]
    end = f"Ends after {words.lasting(whole.max_lifetime)}." if whole.max_lifetime else "No end."
    more = ["A file to open may be named."] if whole.allow_startup_data else []
    more += ["No network."] if whole.network == "none" else []
    more += ["It has a licence."] if whole.app_license else []
    return [home, *volumes, *bounds, end, *more]


_MODES = {"ro": "read only", "rw": "writable"}


def _files() -> Sequence[Field]:
    return (
        Field(
            "policy.allow_home",
            "The home is there",
            "check",
            "At /workspace. Without it, what it writes goes when it stops.",
        ),
        Field(
            "policy.volumes",
            "Directories of this machine",
            "lines",
            "One SOURCE:TARGET:MODE a line, such as /data/lab:/data:ro; the mode is ro or rw.",
            longest=10_000,
        ),
        Field(
            "policy.allow_startup_data",
            "A file to open may be named at the start",
            "check",
            "For images that take one.",
        ),
    )


def _bounds(limits: Limits) -> Sequence[Field]:
    end = words.lasting(limits.max_lifetime) if limits.max_lifetime else "no end"
    network = ("", f"As the site has it: {_NETWORKS[limits.network]}")
    memory = f"Such as 512m or 2g. As the site has it: {words.size(limits.memory)}."
    return (
        Field("policy.memory", "Memory", hint=memory, longest=20),
        Field(
            "policy.cpus",
            "Processors",
            "number",
            f"Such as 0.5 or 4. As the site has it: {limits.cpus:g}.",
            longest=20,
        ),
        Field(
            "policy.max_lifetime",
            "Ends after",
            hint=f"Such as 90m, 8h or 2d; 0: no end. As the site has it: {end}.",
            longest=20,
        ),
        Field(
            "policy.max_sessions",
            "Sessions at once",
            "number",
            f"How many of it one user may have. As the site has it: {limits.max_sessions}.",
            longest=20,
        ),
        Field("policy.network", "It reaches", "choice", "", (network, *_NETWORKS.items())),
    )


def _rare(limits: Limits) -> Sequence[Field]:
    return (
        Field(
            "policy.pids",
            "Processes and threads",
            "number",
            f"At most so many. As the site has it: {limits.pids}.",
            longest=20,
        ),
        Field(
            "policy.share",
            "Who else may be let in",
            "choice",
            "It is kept for later: nothing can be shared yet.",
            _SHARES,
            optional=False,
        ),
        Field(
            "policy.app_license",
            "Licence",
            "password",
            "Reaches the application as APP_LICENSE and is never shown again.",
            longest=4096,
        ),
        Field(
            "policy.legacy_home",
            "An image that starts as root gets the real home and writable directories",
            "check",
            "A risk: it can change, give away or read every file there.",
        ),
    )
