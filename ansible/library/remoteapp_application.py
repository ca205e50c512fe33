"""The Ansible module remoteapp_application: an image that a portal's users may be granted."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.remoteapp import (
    Found,
    Outcome,
    Portal,
    Wish,
    fulfilled,
    given_of,
    removed,
    run,
)

DOCUMENTATION = r"""
---
module: remoteapp_application
short_description: An application of a Remoteapp portal
description:
  - Creates, changes and removes an application over the portal's HTTP API.
  - An application is known by its image, which no two have in common.
  - What is not given stays as it is.
  - The portal need not have the image yet; it warns as long as it lacks it.
version_added: "1.0"
author:
  - Remoteapp (@remoteapp)
options:
  image:
    description: The image's name, such as C(remoteapp/terminal) or C(lab/server:1).
    type: str
    required: true
  display_name:
    description: What people read; empty for what the image says.
    type: str
  description:
    description: A sentence or two for people; empty for what the image says.
    type: str
  category:
    description: Under which heading it stands.
    type: str
  port:
    description: For an image that declares nothing, the port it serves; 0 for what the image says.
    type: int
  command:
    description:
      - For an image that declares nothing, the words of its command; an empty list for its own.
      - C({base_path}), C({session_id}) and C({user}) stand for those of the session, here, in
        O(environment) and in O(ready_path).
    type: list
    elements: str
  environment:
    description: All variables of its own, each with a text (a number in quotes).
    type: dict
  ready_path:
    description: The path that answers when it can be used.
    type: str
  strip_path:
    description: Whether it sees the path below the session's, as what insists on C(/) needs.
    type: bool
  run_as:
    description: As whom an image without labels of Remoteapp starts.
    type: str
    choices: [user, root]
  state:
    description: V(absent) removes the application and its grants; what runs of it ends.
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
- name: Have a terminal in the catalogue
  remoteapp_application:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    image: remoteapp/terminal
    display_name: Terminal

- name: Have an image that knows nothing of Remoteapp
  remoteapp_application:
    url: https://remote.example.org
    token: "{{ vault_remoteapp_token }}"
    image: lab/server:1
    port: 5000
    command: [serve, --base-path, "{base_path}/"]
    environment: {WORKERS: "2"}
    ready_path: "{base_path}/health"
"""

RETURN = r"""
application:
  description: The application as accounting holds it; in check mode as it would be.
  returned: when O(state=present)
  type: dict
  sample:
    id: 7d1f0c2b9e4a4d6f8a0b1c2d3e4f5a6b
    image: remoteapp/terminal
    display_name: Terminal
    description: ""
    category: ""
    port: null
    command: []
    environment: {}
    ready_path: ""
    strip_path: false
    run_as: user
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
    "image": {"type": "str", "required": True},
    "display_name": {"type": "str"},
    "description": {"type": "str"},
    "category": {"type": "str"},
    "port": {"type": "int"},
    "command": {"type": "list", "elements": "str"},
    "environment": {"type": "dict"},
    "ready_path": {"type": "str"},
    "strip_path": {"type": "bool"},
    "run_as": {"type": "str", "choices": ["user", "root"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_FIELDS = tuple(name for name in OPTIONS if name != "state")


def ensure(portal: Portal, params: dict[str, Any], check: bool) -> Outcome:  # noqa: FBT001 - named where it is called
    """Make the application as the options say."""
    fields = given_of(params, _FIELDS)
    if fields.get("port") == 0:
        fields["port"] = None
    wish = Wish("applications", f"application {params['image']}", fields)
    act = removed if params["state"] == "absent" else fulfilled
    return act(portal, _found(portal, params["image"]), wish, check=check)


def _found(portal: Portal, image: str) -> Found | None:
    listed = portal.every("applications", image=image)
    return portal.one("applications", listed[0]["id"]) if listed else None


def main() -> None:
    """Run the module."""
    run("application", OPTIONS, ensure)


if __name__ == "__main__":
    main()
