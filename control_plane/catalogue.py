"""What a user may start: grants joined with what the engine and the host have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from control_plane.domain import containers, labels, reach
from control_plane.domain.applications import LONGEST, LONGEST_DESCRIPTION
from control_plane.domain.entities import Application, Grant, Image, Policy, Session, User, UserKind
from control_plane.domain.names import shown
from control_plane.domain.policy import effective
from control_plane.domain.ports import Plane
from control_plane.errors import FieldError, ForbiddenError, InvalidError, NotFoundError, StartError


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the catalogue; `image` is None while the engine lacks it.

    `policy` is complete; `problem` is a sentence on what of it the host refuses, or empty, and
    `out_of_reach` on what the engine cannot give where it is.
    """

    grant: Grant
    image: Image | None
    policy: Policy
    problem: str = ""
    out_of_reach: str = ""

    @property
    def unfit(self) -> str:
        """A sentence on what of the image's labels bars its start, or empty."""
        return " ".join(labels.problems(self.image)) if self.image else ""

    @property
    def available(self) -> bool:
        """Whether it can be started here: the engine has the image, in a form that we start."""
        barred = self.unfit or self.problem or self.out_of_reach
        return self.image is not None and not barred

    @property
    def display_name(self) -> str:
        """What people read: the application's own name, the image's, or the image's reference."""
        return name_of(self.grant.application, self.image)

    @property
    def description(self) -> str:
        """A sentence or two, from the application or the image."""
        own = self.grant.application.description
        said = " ".join(labels.label(self.image, "description").split()) if self.image else ""
        return own or (shown(said, LONGEST_DESCRIPTION) if said else "")

    @property
    def name(self) -> str:
        """The image's reference."""
        return self.grant.application.image


def name_of(application: Application, image: Image | None) -> str:
    """Return what people read: the application's own name, the image's, or its reference."""
    said = application.display_name or (labels.label(image, "ui_name") if image else "")
    return shown(said or application.image, LONGEST - 1)


def entries(plane: Plane, user: User) -> Sequence[Entry]:
    """Return the user's catalogue, by name; one query, and the engine is asked for these images."""
    grants = [*plane.accounting.grants_of(user.name), *_demo(plane, user)]
    images = plane.engine.images_named({one.application.image for one in grants})
    found = [_entry(plane, user, one, images.get(one.application.image)) for one in grants]
    return sorted(found, key=lambda entry: (entry.display_name.casefold(), entry.grant.id))


def announcement(plane: Plane) -> str:
    """Return what everyone is told just now; empty when nothing is."""
    found = plane.records.announcement()
    is_over = found is None or (found.until is not None and found.until <= plane.clock())
    return "" if found is None or is_over else found.text


def held(plane: Plane, user: User, grant_id: str) -> Grant:
    """Return a grant that the user holds just now; NotFoundError for any other."""
    pair = (user.name, grant_id)
    demo = {grant.id: grant for grant in _demo(plane, user)}
    grant = plane.accounting.holds({pair}).get(pair) or demo.get(grant_id)
    if grant is None:
        raise NotFoundError("There is no such application for you.")
    return grant


def policy_of(plane: Plane, owner: User, session: Session) -> Policy:
    """Return the complete policy that a session runs under now; NotFoundError without a grant."""
    return effective(held(plane, owner, session.grant_id).policy, plane.site.limits)


def startable(plane: Plane, user: User, grant_id: str) -> tuple[Entry, Image]:
    """Return one entry and its image, fresh, with the volumes' sources resolved.

    NotFoundError if it is not this user's, InvalidError for what the host or the engine refuses.
    """
    grant = held(plane, user, grant_id)
    _must_be_enabled(plane, user, grant)
    image = plane.engine.image(grant.application.image)
    entry = _entry(plane, user, grant, image)
    if entry.unfit:
        raise StartError(
            "image-unfit",
            f"The labels of {image.name} bar its start. {entry.unfit}",
            "Ask whoever made the image; see control-plane image check.",
        )
    if barred := _out_of_reach(plane, grant, image, user.kind):
        raise InvalidError("The policy is refused.", barred)
    if refusal := containers.refused_command(grant.application, image):
        raise InvalidError("The application is refused.", [FieldError("command", refusal)])
    if refusal := containers.refused_mounts(grant.application, entry.policy, image):
        raise InvalidError("The policy is refused.", [FieldError("volumes", refusal)])
    resolved = tuple(plane.folders.resolved(one) for one in entry.policy.volumes)
    return replace(entry, policy=replace(entry.policy, volumes=resolved)), image


def refused(plane: Plane, grant: Grant, image: Image | None) -> str:
    """Return what of a grant is refused here, to this image and its grantee; empty when nothing."""
    known = plane.access.user(grant.grantee.name) if grant.grantee.kind == "user" else None
    barred = _out_of_reach(plane, grant, image, known.kind if known else None)
    return _sentences(barred) or _refused_mounts(plane, grant, image)


def _refused_mounts(plane: Plane, grant: Grant, image: Image | None) -> str:
    try:
        for volume in grant.policy.volumes:
            plane.folders.resolved(volume)
    except InvalidError as error:
        return "; ".join(one.message for one in error.errors) or error.message
    if image is None:
        return ""
    of_command = containers.refused_command(grant.application, image)
    return of_command or containers.refused_mounts(grant.application, grant.policy, image)


def _entry(plane: Plane, user: User, grant: Grant, image: Image | None) -> Entry:
    policy = effective(grant.policy, plane.site.limits)
    barred = _sentences(_out_of_reach(plane, grant, image, user.kind))
    return Entry(grant, image, policy, _refused_mounts(plane, grant, image), barred)


def _out_of_reach(
    plane: Plane, grant: Grant, image: Image | None, kind: UserKind | None
) -> list[FieldError]:
    policy = effective(grant.policy, plane.site.limits)
    as_root = image is not None and containers.runs_as_root(grant.application, image)
    apart = as_root and not policy.legacy_home
    return list(reach.refusals(plane.site.reach, policy, kind, apart=apart))


def _sentences(barred: Sequence[FieldError]) -> str:
    return " ".join(one.message for one in barred)


def _demo(plane: Plane, user: User) -> Sequence[Grant]:
    """Return what the settings grant to everyone who has an identity on this host."""
    return plane.site.demo if user.kind == "system" or user.uid is not None else ()


def _must_be_enabled(plane: Plane, user: User, grant: Grant) -> None:
    known = plane.accounting.user(user.name)
    if not (known.enabled if known else grant in plane.site.demo):
        raise ForbiddenError("This account may not start applications.")
