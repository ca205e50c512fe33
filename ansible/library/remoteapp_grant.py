"""The Ansible module remoteapp_grant: who may start which application, under which policy."""

from __future__ import annotations

import re
from typing import Any

from ansible.module_utils import remoteapp_policy as policy
from ansible.module_utils.remoteapp import (
    Found,
    Outcome,
    Portal,
    RefusedError,
    Wish,
    differences,
    run,
)

DOCUMENTATION = r"""
---
module: remoteapp_grant
short_description: A grant of a Remoteapp portal
description:
  - Lets a user, a group or everyone start an application under a policy, over the portal's HTTP
    API, changes that policy and takes the grant back.
  - "A grant is known by who holds it and by the application: while they hold one of that
    application, its policy is changed, it keeps its id, and what runs under it goes on as far as
    the new policy allows."
  - Whoever holds several of one application says which one by O(id), or with O(several=true) by
    the policy, as C(remoteappdb apply) does.
version_added: "1.0"
author:
  - Remoteapp (@remoteapp)
options:
  user:
    description: Who holds it, by name. One of this, O(group) and O(everyone) is needed.
    type: str
  group:
    description: The group that holds it, by name.
    type: str
  everyone:
    description: Whether every user whom accounting knows holds it.
    type: bool
  application:
    description: The application's image, its id, or the display name if only one is called so.
    type: str
    required: true
  policy:
    description:
      - All of the policy; a field that does not stand here has its default. Without O(policy), a
        grant that is there keeps the one it has, and a new one has defaults alone.
      - What each field means stands in C(control_plane/README.md).
    type: dict
    suboptions:
      allow_home:
        description: Whether the user's home is mounted at C(/workspace).
        type: bool
      volumes:
        description: Each C(SOURCE:TARGET:MODE), the mode C(ro) or C(rw).
        type: list
        elements: str
      allow_startup_data:
        description: Whether whoever starts it may name a file to open.
        type: bool
      app_license:
        description: A secret for the application; no answer shows it, so see O(update_license).
        type: str
      share:
        description: What its sessions may be shared for.
        type: str
        choices: [none, view, control]
      memory:
        description: Bytes, or text such as C(512m) or C(2g).
        type: str
      cpus:
        description: At most so much of the host's processors.
        type: float
      pids:
        description: At most so many processes and threads.
        type: int
      network:
        description: V(none) lets it reach nothing.
        type: str
        choices: [internet, none]
      max_sessions:
        description: So many at once, for each user.
        type: int
      max_lifetime:
        description: Seconds; 0 is no end.
        type: int
      legacy_home:
        description: For an image that starts as root, the real home and writable volumes; a risk.
        type: bool
  update_license:
    description:
      - With V(on_create), C(policy.app_license) counts where the grant has no licence yet.
      - With V(always) it is sent in each run; the result says whether it was another one. Check
        mode cannot know that and says that it changes.
    type: str
    choices: [on_create, always]
    default: on_create
  several:
    description:
      - With V(true), each of their grants of the application is known by its policy but for the
        licence, and another policy is another grant.
    type: bool
    default: false
  id:
    description: The id of the grant, where they hold several.
    type: str
  keep_running:
    description: With O(state=absent), what runs computes on and nobody may enter it.
    type: bool
    default: false
  state:
    description:
      - V(absent) takes back every grant of theirs of that application; with O(policy), those with
        that policy; with O(id), the one of that id.
    type: str
    choices: [present, absent]
    default: present
  url:
    description: The portal's address, such as C(https://remote.example.org).
    type: str
    required: true
  token:
    description:
      - An administrator's token with the scopes C(admin:read) and C(admin:write), as
        C(remoteapprest login URL --admin) makes one.
      - Without it the variable E(REMOTEAPP_TOKEN) counts, on the machine where the module runs.
    type: str
    required: true
  ca_file:
    description:
      - A PEM file on the machine where the module runs; certificates of its authorities alone
        count. Without it, those of the system do.
      - The certificate is always verified.
    type: path
attributes:
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows the fields that change, before and after; no secret stands in it.
"""

EXAMPLES = r"""
- name: Let a group start a terminal
  remoteapp_grant:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    group: walkers
    application: remoteapp/terminal
    policy:
      allow_home: true
      memory: 2g
      volumes: ["/srv/data:/data:ro"]
      max_lifetime: 28800

- name: Take everyone's grant of it back
  remoteapp_grant:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    everyone: true
    application: remoteapp/terminal
    state: absent
"""

RETURN = r"""
grant:
  description: >-
    The grant as accounting holds it; in check mode as it would be. A policy's field that is null
    has the site's default.
  returned: when O(state=present)
  type: dict
  sample:
    id: 0123456789abcdef0123456789abcdef
    user: null
    group: walkers
    everyone: false
    application: 7d1f0c2b9e4a4d6f8a0b1c2d3e4f5a6b
    image: remoteapp/terminal
    policy:
      allow_home: true
      volumes: ["/srv/data:/data:ro"]
      allow_startup_data: false
      share: none
      memory: 2147483648
      cpus: null
      pids: null
      network: null
      max_sessions: null
      max_lifetime: 28800
      legacy_home: false
      has_app_license: false
    problem: ""
    warnings: []
status:
  description: The HTTP status of the refusal; 0 without an answer.
  returned: failure
  type: int
errors:
  description: The fields that were refused, each with what is allowed.
  returned: failure
  type: list
  elements: dict
"""

OPTIONS: dict[str, Any] = {
    "user": {"type": "str"},
    "group": {"type": "str"},
    "everyone": {"type": "bool"},
    "application": {"type": "str", "required": True},
    "policy": {"type": "dict", "options": policy.OPTIONS},
    "update_license": {"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
    "several": {"type": "bool", "default": False},
    "id": {"type": "str"},
    "keep_running": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_ID = re.compile(r"[0-9a-f]{32}")


def ensure(portal: Portal, params: dict[str, Any], check: bool) -> Outcome:  # noqa: FBT001 - named where it is called
    """Make the grant as the options say."""
    kind, holder = _holder(params)
    application = _application(portal, params["application"])
    wish = Wish(
        "grants",
        f"grant of {params['application']} to {f'{kind} {holder}'.rstrip()}",
        policy.whole(params["policy"]),
        {kind: holder or True, "application": application["id"]},
    )
    where = {kind: holder or "true", "application": application["id"]}
    held = portal.every("grants", **where) if application["id"] else []
    if params["id"]:
        held = [one for one in held if one["id"] == params["id"]]
    if params["state"] == "absent":
        return _taken_back(portal, held, wish, params, check=check)
    chosen = _chosen(held, wish, params)
    if chosen:
        return _changed(portal, chosen, wish, params, check=check)
    return _made(portal, application, wish, params, check=check)


def _made(
    portal: Portal,
    application: dict[str, Any],
    wish: Wish,
    params: dict[str, Any],
    *,
    check: bool,
) -> Outcome:
    if params["id"]:
        raise RefusedError(f"id: {params['id']} is not the id of a {wish.name}.")
    if not (application["id"] or check):
        raise RefusedError(
            f"application: the portal knows no application {params['application']}. Create it"
            " first, with remoteapp_application."
        )
    said = {name: value for name, value in wish.fields.items() if value != policy.DEFAULTS[name]}
    told = {**wish.new, "application": application["image"], "policy": said}
    made = {**wish.new, "image": application["image"], "policy": {**policy.DEFAULTS, **said}}
    if not check:
        body = {**wish.new, "policy": policy.sent(said, params["policy"])}
        made = portal.create("grants", body)
    return Outcome(wish.name, {}, told, made)


def _changed(
    portal: Portal, chosen: str, wish: Wish, params: dict[str, Any], *, check: bool
) -> Outcome:
    """Change what differs in the policy; a licence of which nobody knows whether it does, too."""
    found = portal.one("grants", chosen)
    if not found:
        raise RefusedError(f"The {wish.name} was taken back meanwhile; run it again.")
    before, after = differences(found.fields["policy"], wish.fields)
    unsure = _is_unsure(params, after)
    sent = policy.sent(after, params["policy"], licence=unsure)
    now = Found({**found.fields, "policy": {**found.fields["policy"], **after}}, "")
    if sent and not check:
        now = portal.change("grants", found, {"policy": sent})
    if unsure and now.tag != found.tag:
        before, after = {**before, "app_license": "as it was"}, {**after, "app_license": "set anew"}
    return Outcome(wish.name, _under_policy(before), _under_policy(after), now.fields)


def _taken_back(
    portal: Portal,
    held: list[dict[str, Any]],
    wish: Wish,
    params: dict[str, Any],
    *,
    check: bool,
) -> Outcome:
    gone = [one for one in held if policy.is_as(one["policy"], wish.fields)]
    query = {"keep_running": "true"} if params["keep_running"] else {}
    for one in [] if check else gone:
        portal.remove("grants", one["id"], **query)
    return Outcome(wish.name, {one["id"]: one["policy"] for one in gone})


def _holder(params: dict[str, Any]) -> tuple[str, str]:
    """Return who holds it: a kind and a name, which everyone has not."""
    for kind in ("user", "group"):
        if params[kind]:
            return kind, params[kind]
    if not params["everyone"]:
        raise RefusedError("One of user, group, and everyone: true is needed.")
    return "everyone", ""


def _application(portal: Portal, word: str) -> dict[str, Any]:
    """Return the application of that image, id or display name; with an empty id for none."""
    found = portal.every("applications", image=word)
    if not found and _ID.fullmatch(word):
        one = portal.one("applications", word)
        found = [one.fields] if one else []
    if not found:
        listed = portal.every("applications", q=word)
        found = [one for one in listed if one["display_name"] == word]
    if len(found) > 1:
        images = ", ".join(one["image"] for one in found)
        raise RefusedError(f"application: several are called {word}; name its image: {images}.")
    return found[0] if found else {"id": "", "image": word}


def _chosen(held: list[dict[str, Any]], wish: Wish, params: dict[str, Any]) -> str:
    """Return the id of the grant that is meant, empty for none."""
    if params["several"] and not params["id"]:
        held = [one for one in held if policy.is_as(one["policy"], wish.fields)]
    if len(held) > 1 and params["policy"] is not None:
        ids = ", ".join(one["id"] for one in held)
        raise RefusedError(
            f"There are {len(held)} of the {wish.name}. Say which one by id ({ids}), or set"
            " several: true, so that the policy says it."
        )
    return held[0]["id"] if held else ""


def _is_unsure(params: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a licence is sent that the portal may have already."""
    licence = (params["policy"] or {}).get("app_license")
    return bool(licence and params["update_license"] == "always" and policy.LICENCE not in after)


def _under_policy(fields: dict[str, Any]) -> dict[str, Any]:
    return {"policy": fields} if fields else {}


def main() -> None:
    """Run the module."""
    holders = ["user", "group", "everyone"]
    run("grant", OPTIONS, ensure, required_one_of=[holders], mutually_exclusive=[holders])


if __name__ == "__main__":
    main()
