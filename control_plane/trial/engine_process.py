"""The engine's door of a portal: its rules, its directory and the command that runs it.

Invariant: the rules follow from the portal's settings as the launcher wrote them, and are root's;
the control plane's account can neither write them nor become the door's.
"""

import json
import os
import socket
from collections.abc import Mapping

from control_plane.trial.account import ENGINE, beside, environment
from control_plane.trial.places import Places, PortalOptions, command
from control_plane.trial.supervised import Command

# The keys of [engine] in the settings that are rules as well.
_ENGINE = ("host", "tls_ca", "tls_cert", "tls_key", "reach", "session_range")


def prepare(places: Places, options: PortalOptions) -> None:
    """Write the rules, and make the door's directory."""
    account = beside(options.account, ENGINE)
    places.engine_rules.write_text(rules(options))
    places.engine_rules.chmod(0o640)
    os.chown(places.engine_rules, 0, account.gid)
    places.engine_state.mkdir(mode=0o700, exist_ok=True)
    for path in (places.engine_state, *places.engine_state.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def process(places: Places, options: PortalOptions, listener: socket.socket) -> Command:
    """Return the command that serves the socket, as the one account in the engine's group."""
    return Command(
        name="engine",
        words=options.door or (command("control-plane"), "engine"),
        log=places.logs / "engine.log",
        environment=environment(
            ENGINE_RULES=str(places.engine_rules),
            STATE_DIRECTORY=str(places.engine_state),
            HOME=str(places.engine_state),
        ),
        account=beside(options.account, ENGINE),
        listener=listener,
    )


def rules(options: PortalOptions) -> str:
    """Return the file of rules that belongs to a portal's settings."""
    settings = options.settings
    given: dict[str, object] = {"realm": options.realm}
    if roots := settings.get("volumes", {}).get("roots"):
        given["volume_roots"] = roots
    if uids := settings.get("auth", {}).get("virtual_uids"):
        given["virtual_uids"] = uids
    engine = {name: one for name, one in settings.get("engine", {}).items() if name in _ENGINE}
    return _lines({**given, **options.engine_rules}) + "[engine]\n" + _lines(engine)


def _lines(keys: Mapping[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
