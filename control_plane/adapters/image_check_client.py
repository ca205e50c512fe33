"""An image checked behind the engine's door, which boots it; who asks only waits.

Invariant: to stop waiting ends the check, and the door clears away what it started.
"""

import json
from pathlib import Path

from control_plane.adapters.engine_link import Link
from control_plane.adapters.image_checks import report_of
from control_plane.domain import applications
from control_plane.domain.entities import Application
from control_plane.domain.image_checks import Report
from control_plane.errors import ControlPlaneError, EngineUnavailableError


def check(socket: Path, application: Application, start_timeout: float) -> Report:
    """Return what the check found; ControlPlaneError says why it found nothing."""
    fields = applications.as_fields(application)
    body = json.dumps({"fields": fields, "start_timeout": start_timeout}).encode()
    for said in Link(socket).lines("/image/check", body):
        if said["out"]:
            return report_of(said["out"])
        lines = [line.strip() for line in said["err"].splitlines() if line.strip()]
        raise ControlPlaneError(lines[-1].removeprefix("control-plane: ") if lines else _SILENT)
    raise EngineUnavailableError(_SILENT)


_SILENT = "The check ended without a word."
