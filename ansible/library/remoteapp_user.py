"""The Ansible module remoteapp_user: who may sign in to a portal."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.remoteapp import (
    Found,
    Outcome,
    Portal,
    RefusedError,
    Wish,
    changed,
    differences,
    fulfilled,
    given_of,
    run,
)

DOCUMENTATION = r"""
---
module: remoteapp_user
short_description: A user of a Remoteapp portal
description:
  - Creates, changes and removes who may sign in, over the portal's HTTP API.
  - What is not given stays as it is.
version_added: "1.0"
author:
  - Remoteapp (@remoteapp)
options:
  name:
    description:
      - The name to sign in with. A virtual user's has 1 to 64 of C(a-z), C(0-9) and C(_ . @ -),
        the first a letter or C(_).
    type: str
    required: true
  kind:
    description:
      - V(virtual) is known to the portal alone, V(system) is an account of its host. Where it is
        not given, a new user is virtual.
      - It cannot change; remove the user first.
    type: str
    choices: [virtual, system]
  password:
    description:
      - A virtual user's password, 8 to 1024 characters. Without one nobody signs in as a new user.
    type: str
  update_password:
    description:
      - With V(on_create), O(password) counts for a new user alone.
      - With V(always) it is set in each run, which cannot be told from a change, and ends the
        user's sign-ins and tokens each time. It needs a token with every scope.
    type: str
    choices: [on_create, always]
    default: on_create
  admin:
    description: Whether the user may administer. It needs a token with every scope.
    type: bool
  enabled:
    description: Whether the user may sign in; V(false) ends sign-ins and what runs.
    type: bool
  groups:
    description:
      - All groups that the user is in, by name; they must be there. Without it they stay.
      - Say who is in a group either here or in O(remoteapp_group#module:members), not in both.
    type: list
    elements: str
  home:
    description:
      - What becomes of a removed virtual user's home once nothing uses it. Without it, it is kept.
    type: str
    choices: [keep, archive, delete]
  keep_running:
    description: >-
      With O(enabled=false) or O(state=absent), what runs computes on and nobody may enter it.
    type: bool
    default: false
  state:
    description: V(absent) removes the user with grants, password, sign-ins and tokens.
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
- name: Have a user who may sign in
  remoteapp_user:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    name: ines
    password: "{{ vault_password_of_ines }}"
    groups: [walkers]

- name: Keep the home of a user who leaves in an archive
  remoteapp_user:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    name: ines
    state: absent
    home: archive
"""

RETURN = r"""
user:
  description: The user as accounting holds it; in check mode as it would be.
  returned: when O(state=present)
  type: dict
  sample:
    id: ines
    name: ines
    kind: virtual
    enabled: true
    admin: false
    uid: 70003
    gid: 70003
    groups: [walkers]
report:
  description: What went with the user; in check mode what would go.
  returned: when O(state=absent) and the user was there
  type: dict
  sample:
    user: ines
    grants: []
    groups: [walkers]
    tokens: 1
    signins: 0
    sessions: []
    home: remoteapp-home-70003
    home_action: archive
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
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["virtual", "system"]},
    "password": {"type": "str", "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["on_create", "always"],
        "default": "on_create",
        "no_log": False,
    },
    "admin": {"type": "bool"},
    "enabled": {"type": "bool"},
    "groups": {"type": "list", "elements": "str"},
    "home": {"type": "str", "choices": ["keep", "archive", "delete"]},
    "keep_running": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_FIELDS = ("name", "kind", "admin", "enabled", "groups")


def ensure(portal: Portal, params: dict[str, Any], check: bool) -> Outcome:  # noqa: FBT001 - named where it is called
    """Make the user as the options say."""
    found = portal.one("users", params["name"])
    if params["state"] == "absent":
        return _removed(portal, found, params, check=check)
    fields = given_of(params, _FIELDS)
    if "groups" in fields:
        fields["groups"] = sorted(set(fields["groups"]))
    wish = Wish("users", _named(params), fields, given_of(params, ("password",)))
    if not found:
        return fulfilled(portal, found, wish, check=check)
    return _changed(portal, found, wish, params, check=check)


def _changed(
    portal: Portal, found: Found, wish: Wish, params: dict[str, Any], *, check: bool
) -> Outcome:
    before, after = differences(found.fields, wish.fields)
    if "kind" in after:
        raise RefusedError(
            f"{wish.name} is a {before['kind']} user, not a {after['kind']} one. A name belongs to"
            " one kind; remove the user first."
        )
    leaves = params["keep_running"] and after.get("enabled") is False
    return changed(
        portal,
        found,
        wish,
        check=check,
        also={"keep_running": True} if leaves else {},
        secret={}
        if params["update_password"] == OPTIONS["update_password"]["default"]
        else wish.new,
    )


def _removed(
    portal: Portal, found: Found | None, params: dict[str, Any], *, check: bool
) -> Outcome:
    if not found:
        return Outcome(_named(params))
    how = given_of(params, ("home",))
    how.update({"keep_running": "true"} if params["keep_running"] else {})
    how.update({"dry_run": "true"} if check else {})
    report = portal.remove("users", found.fields["id"], **how)
    return Outcome(_named(params), found.fields, report=report)


def _named(params: dict[str, Any]) -> str:
    return f"user {params['name']}"


def main() -> None:
    """Run the module."""
    run("user", OPTIONS, ensure)


if __name__ == "__main__":
    main()
