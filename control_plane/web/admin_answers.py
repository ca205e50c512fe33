"""What administration tells of applications and grants: the same to programs and on pages.

Invariant: an engine that is away bars no bookkeeping; it is told of instead.
"""

from collections.abc import Mapping
from dataclasses import asdict

from control_plane import catalogue
from control_plane.domain import cautions
from control_plane.domain.entities import Application, Grant, Image
from control_plane.domain.ports import Plane
from control_plane.errors import EngineUnavailableError
from control_plane.web import admin_schemas as schemas
from control_plane.web import render

Images = Mapping[str, Image] | None


def application(plane: Plane, known: Application, images: Images) -> schemas.AdminApplicationAnswer:
    """Return an application with what bars its start just now, or has a catch."""
    image = (images or {}).get(known.image)
    warnings = _barred(image, images) + cautions.of_application(
        known, image, plane.site.origins.mode
    )
    return schemas.AdminApplicationAnswer.model_validate({**asdict(known), "warnings": warnings})


def images(plane: Plane) -> Images:
    """Return the engine's images by name; None while it is away."""
    try:
        return plane.engine.images()
    except EngineUnavailableError:
        return None


def _barred(image: Image | None, images: Images) -> list[str]:
    if images is None:
        return ["The container engine does not answer, so its image was not looked for."]
    return [] if image else ["This machine does not have its image."]


def grant(plane: Plane, known: Grant, images: Images) -> schemas.GrantAnswer:
    """Return a grant with why it cannot be started, and what its policy lifts."""
    kind, name = known.grantee.kind, known.grantee.name
    image = (images or {}).get(known.application.image)
    return schemas.GrantAnswer(
        id=known.id,
        user=name if kind == "user" else None,
        group=name if kind == "group" else None,
        everyone=kind == "everyone",
        application=known.application.id,
        image=known.application.image,
        policy=schemas.StoredPolicyAnswer.model_validate(render.policy_fields(known.policy)),
        problem=catalogue.refused(plane, known, image),
        warnings=cautions.of_policy(known.policy, known.application, image, plane.site.reach),
    )
