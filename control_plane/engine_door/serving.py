"""The door on the socket that it is given, until it is told to end.

Invariant: the socket is never made here; what is asked while the process restarts waits in it.
"""

import os
import socket
from pathlib import Path

import uvicorn

from control_plane.adapters.docker_files import DockerFiles
from control_plane.adapters.docker_homes import DockerHomes
from control_plane.adapters.docker_library import DockerLibrary
from control_plane.adapters.engine import DockerEngine
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.watched_server import WatchedServer
from control_plane.engine_door import rules_file
from control_plane.engine_door.app import Door, create
from control_plane.engine_door.guards import (
    GuardedCondition,
    GuardedEngine,
    GuardedFiles,
    GuardedHomes,
    GuardedLibrary,
)
from control_plane.engine_door.host import DoorHost
from control_plane.engine_door.image_check import ImageCheck
from control_plane.engine_door.rules import Rules

STATE = Path("/var/lib/remoteapp-engine")
_GRACE_SECONDS = 5


def serve(ours: Door, listener: socket.socket) -> None:
    """Serve these ports on a socket until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        create(ours),
        access_log=False,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
    )
    WatchedServer(config).run(sockets=[listener])
    ours.image_check.wait()


def state() -> Path:
    """Return the door's own directory."""
    return Path(os.environ.get("STATE_DIRECTORY") or STATE)


def rules() -> Rules:
    """Return the rules of the file that is meant; SettingsError."""
    return rules_file.load(Path(os.environ.get("ENGINE_RULES") or rules_file.FILE))


def door(rules: Rules, state: Path, people: PamHost | None = None) -> Door:
    """Return the guarded ports of an engine that may be away; SettingsError.

    `people` are the host's, if not those of its user database.
    """
    place = rules_file.place(rules)
    engine = DockerEngine(
        rules.realm,
        place,
        directory=state / "identities",
        session_range=rules.engine.session_range,
    )
    library = DockerLibrary(place, admits=rules.admits_image)
    host = DoorHost(rules, elsewhere=place.elsewhere, state=state, people=people)
    return Door(
        GuardedEngine(rules, engine, library, host),
        GuardedLibrary(rules, library),
        GuardedHomes(rules, DockerHomes(rules.realm, place)),
        GuardedFiles(rules, DockerFiles(rules.realm, place), library, host),
        GuardedCondition(rules, place),
        ImageCheck(rules, state / "checks"),
    )
