"""The Ansible module remoteapp_group: a named set of a portal's users."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.remoteapp import Outcome, Portal, Wish, fulfilled, removed, run

DOCUMENTATION = r"""
---
module: remoteapp_group
short_description: A group of users of a Remoteapp portal
description:
  - Creates, changes and removes a named set of users over the portal's HTTP API.
version_added: "1.0"
author:
  - Remoteapp (@remoteapp)
options:
  name:
    description: The name, 1 to 64 of C(a-z), C(0-9) and C(_ . @ -), the first a letter or C(_).
    type: str
    required: true
  members:
    description:
      - All members, by name; nobody else is in it then. Without it, who is in it stays.
      - Say who is in a group either here or in O(remoteapp_user#module:groups), not in both.
    type: list
    elements: str
  state:
    description: V(absent) removes the group and the grants to it; its members stay users.
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
- name: Have a group
  remoteapp_group:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    name: walkers
"""

RETURN = r"""
group:
  description: The group as it is; in check mode as it would be.
  returned: when O(state=present)
  type: dict
  sample: {id: walkers, name: walkers, members: [ines]}
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
    "members": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def ensure(portal: Portal, params: dict[str, Any], check: bool) -> Outcome:  # noqa: FBT001 - named where it is called
    """Make the group as the options say."""
    found = portal.one("groups", params["name"])
    fields = {"name": params["name"]}
    if params["members"] is not None:
        fields["members"] = sorted(set(params["members"]))
    wish = Wish("groups", f"group {params['name']}", fields)
    act = removed if params["state"] == "absent" else fulfilled
    return act(portal, found, wish, check=check)


def main() -> None:
    """Run the module."""
    run("group", OPTIONS, ensure)


if __name__ == "__main__":
    main()
