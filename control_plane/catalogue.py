"""What a user may start: grants joined with what the engine has."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.domain import labels
from control_plane.domain.entities import Grant, Image, Policy, User
from control_plane.domain.policy import effective
from control_plane.domain.ports import Plane
from control_plane.errors import ForbiddenError, NotFoundError, StartError


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the catalogue; `image` is None while the engine lacks it."""

    grant: Grant
    image: Image | None
    policy: Policy

    @property
    def available(self) -> bool:
        """Whether it can be started here: the engine has the image, in a form that we start."""
        return self.image is not None and not labels.is_older(self.image)

    @property
    def display_name(self) -> str:
        """What people read: the application's own name, the image's, or the image's reference."""
        own = self.grant.application.display_name
        return own or (labels.label(self.image, "ui_name") if self.image else "") or self.name

    @property
    def description(self) -> str:
        """A sentence or two, from the application or the image."""
        own = self.grant.application.description
        return own or (labels.label(self.image, "description") if self.image else "")

    @property
    def name(self) -> str:
        """The image's reference."""
        return self.grant.application.image


def entries(plane: Plane, user: User) -> Sequence[Entry]:
    """Return the user's catalogue, by name; one query and one call of the engine."""
    grants = plane.accounting.grants_of(user.name)
    images = plane.engine.images() if grants else {}
    found = [_entry(plane, grant, images.get(grant.application.image)) for grant in grants]
    return sorted(found, key=lambda entry: entry.display_name.casefold())


def startable(plane: Plane, user: User, grant_id: str) -> tuple[Entry, Image]:
    """Return one entry and its image, fresh; NotFoundError if it is not this user's."""
    _must_be_enabled(plane, user)
    grant = plane.accounting.grant(grant_id)
    if grant is None or grant.user != user.name:
        raise NotFoundError("There is no such application for you.")
    image = plane.engine.image(grant.application.image)
    if labels.is_older(image):
        raise StartError(
            "image-older",
            f"{image.name} was made for simphony-remote; this version cannot start such images.",
            "An image of contract 1 bears the label contract=1.",
        )
    return _entry(plane, grant, image), image


def _entry(plane: Plane, grant: Grant, image: Image | None) -> Entry:
    return Entry(grant, image, effective(grant.policy, plane.site.limits))


def _must_be_enabled(plane: Plane, user: User) -> None:
    known = plane.accounting.user(user.name)
    if known is None or not known.enabled:
        raise ForbiddenError("This account may not start applications.")
