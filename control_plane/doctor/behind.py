"""What stands behind the control plane: the engine's door with its rules, and the forwarder.

Invariant: each is asked as the service asks it, over its socket, as the service's account.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from control_plane.adapters import sudo_host
from control_plane.adapters.engine_client import EngineClient
from control_plane.adapters.forwarder_client import ForwarderClient
from control_plane.doctor.configuration import unreadable
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import ENGINE_SECONDS, Installation
from control_plane.engine_door import rules_file
from control_plane.engine_door.host import DoorHost
from control_plane.engine_door.rules import Rules
from control_plane.errors import (
    EngineUnavailableError,
    ForwarderUnavailableError,
    SettingsError,
    UnavailableError,
)

_ROLE = "ansible-playbook -i inventory ansible/site.yml --tags control_plane"
_JOURNAL = "journalctl -u remoteapp-{0}; systemctl restart remoteapp-{0}"
_NONE = "Does not apply: no units of the portal's run here, so the engine is asked directly."


def door(one: Installation) -> Iterator[Finding]:
    """See that the engine's door answers, and lets through what the settings promise."""
    if not one.is_apart:
        yield ok(_NONE)
        return
    path = one.places.rules
    try:
        rules = rules_file.load(path)
    except SettingsError as error:
        yield failed(f"{error.message}.", _ROLE)
        return
    bad = [*_differences(one, rules), *_unnamed(one, rules), *_answering(one)]
    if why := unreadable(path, one.places.engine_account):
        told = f"{path} cannot be read by {one.places.engine_account}: {why}."
        bad.append(failed(told, f"chgrp {one.places.engine_account} {path}"))
    yield from bad
    if not bad:
        images = ", ".join(rules.images)
        yield ok(f"The engine's door answers; its rules fit the settings, for images {images}.")


def forwarder(one: Installation) -> Iterator[Finding]:
    """See that those who come by a share get in."""
    if not one.is_apart:
        yield ok(_NONE)
        return
    socket = one.places.forwarder_control
    try:
        with (
            one.as_service(),
            closing(ForwarderClient(socket, lambda: datetime.now(UTC), ENGINE_SECONDS)) as client,
        ):
            count = len(client.watching())
    except ForwarderUnavailableError as error:
        yield failed(f"{error.message} Nobody gets in by a share.", _JOURNAL.format("forwarder"))
        return
    yield ok(f"The forwarder answers; {count} watch by a share.")


def _differences(one: Installation, rules: Rules) -> Iterator[Finding]:
    """Say where the rules are others than the settings, which the role writes both."""
    settings, path = one.settings, one.places.rules
    engine = settings.engine
    pairs = {
        "realm": (rules.realm, settings.realm),
        "virtual_uids": (tuple(rules.virtual_uids), tuple(settings.auth.virtual_uids)),
        "engine.host": (rules.engine.host, engine.host),
        "engine.reach": (rules.engine.reach, engine.reach),
        "engine.session_range": (rules.engine.session_range, engine.session_range),
    }
    for key, (found, wanted) in pairs.items():
        if found != wanted:
            told = f"{key} is {found} in {path} and {wanted} in {one.places.settings}."
            yield failed(told, f"Make them agree: {_ROLE}")
    roots = set(settings.volumes.roots)
    for root in sorted(roots - set(rules.volume_roots)):
        told = f"The settings allow volumes below {root}, and {path} does not."
        yield failed(told, f"Make them agree: {_ROLE}")
    for root in sorted(set(rules.volume_roots) - roots):
        told = f"{path} allows volumes below {root}, which the settings do not."
        yield warning(told, f"Make them agree: {_ROLE}")


def _unnamed(one: Installation, rules: Rules) -> Iterator[Finding]:
    """Say who can become root by sudo, which only root may ask, and is nobody to the rules."""
    if os.geteuid() or rules.allow_powerful_homes:
        return
    try:
        known = DoorHost(rules, elsewhere=False).powerful()
        unnamed = [name for name in sudo_host.everybody() if name not in known]
    except UnavailableError as error:
        yield warning(f"{error.message} So who can become root by it is unknown.", "sudo -l")
        return
    if unnamed:
        told = (
            f"By sudo {', '.join(unnamed)} can become root, and {one.places.rules} has them not in"
            " powerful_users: whoever takes the control plane over reaches their homes, and root."
        )
        yield warning(told, f"{_ROLE}  # or name them in remoteapp_engine_rules")


def _answering(one: Installation) -> Iterator[Finding]:
    try:
        with one.as_service():
            EngineClient(one.places.engine_socket, ENGINE_SECONDS).check()
    except EngineUnavailableError as error:
        yield failed(f"{error.message} {error.hint}".strip(), _JOURNAL.format("engine"))
