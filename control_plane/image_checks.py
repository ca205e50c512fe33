"""An image is checked for administrators: booted as the portal would, and judged.

Invariant: every check stands in the audit log.
"""

from control_plane import acts
from control_plane.domain.entities import Application
from control_plane.domain.image_checks import Check
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor, must_hold
from control_plane.errors import NotSupportedError

_CHANGE = frozenset({"admin:write"})


def begin(plane: Plane, actor: Actor, application: Application) -> Check:
    """Begin to check an application's image, beside everything else.

    ImageMissingError; ConflictError while another check is under way; NotSupportedError where the
    engine is on another machine.
    """
    must_hold(actor, _CHANGE)
    if plane.site.reach.elsewhere:
        raise NotSupportedError("The engine is on another machine.", "Check the image there.")
    image = plane.engine.image(application.image)
    begun = plane.image_checks.begin(image, application)
    acts.note(plane.books, actor, "image-check", image.name)
    return begun
