"""From domain values to the answers of the API."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from control_plane import catalogue
from control_plane.domain import cautions, labels, options
from control_plane.domain.entities import Image, Policy, Session
from control_plane.domain.names import shown
from control_plane.domain.policy import as_fields
from control_plane.domain.ports import Plane
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotJsonError,
    NotSignedInError,
    NotSupportedError,
    PreconditionError,
    StartError,
    TooLargeError,
    TooManyError,
    UnavailableError,
)
from control_plane.sharing import Entry
from control_plane.web import language, schemas, words

log = logging.getLogger(__name__)

# The one table from what went wrong to a status; a subclass stands before its parent.
STATUS: Mapping[type[ControlPlaneError], int] = {
    NotSignedInError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    NotSupportedError: HTTPStatus.METHOD_NOT_ALLOWED,
    ConflictError: HTTPStatus.CONFLICT,
    StartError: HTTPStatus.CONFLICT,
    PreconditionError: HTTPStatus.PRECONDITION_FAILED,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotJsonError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
RETRY_SECONDS = 5
Access = Literal["owner", "control", "view", "none"]


def answer(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a model as JSON."""
    return Response(model.model_dump_json(), status, headers, "application/json")


def session(plane: Plane, one: Session, access: Access = "owner") -> schemas.SessionAnswer:
    """Return a session; `access` is how the caller may enter it."""
    failure = one.failure and schemas.FailureAnswer.model_validate(one.failure)
    return schemas.SessionAnswer(
        id=one.id,
        grant_id=one.grant_id,
        application=one.application,
        type=one.type,
        owner=one.owner,
        access=access,
        state=one.state.value,
        url=plane.site.origins.session_address(one),
        created_at=one.created_at,
        ready_at=one.ready_at,
        ends_at=one.ends_at,
        ended_at=one.ended_at,
        ends_because=one.ends_because,
        cut_off=one.cut_off,
        failure=failure,
    )


def sessions(plane: Plane, found: Sequence[Session]) -> list[schemas.SessionAnswer]:
    """Return several."""
    return [session(plane, one) for one in found]


def entered(plane: Plane, entry: Entry) -> schemas.SessionAnswer:
    """Return a session as one sees it who may enter it."""
    shown = session(plane, entry.session, entry.access)
    return shown.model_copy(update={"grant_id": ""}) if entry.share else shown


def application(plane: Plane, entry: catalogue.Entry, owner: str) -> schemas.ApplicationAnswer:
    """Return one entry of the owner's catalogue with what runs of it."""
    image = entry.image
    running = plane.access.sessions_of(owner)
    return schemas.ApplicationAnswer(
        grant_id=entry.grant.id,
        display_name=entry.display_name,
        image=entry.name,
        type=labels.app_type(image) if image else "webapp",
        description=entry.description,
        category=entry.grant.application.category,
        icon_url=f"/api/v1/applications/{entry.grant.id}/icon{icon_version(image)}",
        available=entry.available,
        problem=words.problem(entry),
        warnings=cautions.for_user(
            entry.grant.application, entry.policy, image, plane.site.origins.mode
        ),
        policy=policy(entry.policy),
        options=list(options.offered_options(image, entry.policy)) if image else [],
        sessions=sessions(plane, [one for one in running if one.grant_id == entry.grant.id]),
    )


def icon_version(image: Image | None) -> str:
    """Return the query by which an icon may be kept for ever; empty without an image."""
    return f"?digest={image.id.removeprefix('sha256:')[:16]}" if image else ""


def policy(complete: Policy) -> schemas.PolicyAnswer:
    """Return a policy that leaves nothing to a default; never its licence."""
    return schemas.PolicyAnswer.model_validate(policy_fields(complete))


def policy_fields(one: Policy) -> dict[str, object]:
    """Return what people may see of a policy: of its licence no more than that there is one."""
    fields = as_fields(one)
    licence = fields.pop("app_license")
    return fields | {"has_app_license": bool(licence)}


def status_of(error: ControlPlaneError) -> int:
    """Return the HTTP status of an error."""
    return next(
        (int(status) for kind, status in STATUS.items() if isinstance(error, kind)),
        int(HTTPStatus.INTERNAL_SERVER_ERROR),
    )


def problem(plane: Plane, error: ControlPlaneError) -> Response:
    """Return an error as problem+json."""
    body = problem_of(plane, error)
    return _problem(body, headers_of(error, body.status))


def problem_of(plane: Plane, error: ControlPlaneError) -> schemas.Problem:
    """Return an error as it is told."""
    status = status_of(error)
    return schemas.Problem(
        type=f"urn:remoteapp:{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        hint=error.hint or None,
        errors=_fields(error),
        sessions=_in_the_way(plane, error),
    )


def http_problem(error: HTTPException) -> Response:
    """Return what Starlette refused (an unknown path, a wrong method) as problem+json."""
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "-")
    body = schemas.Problem(
        type=f"urn:remoteapp:{code}", title=phrase, status=error.status_code, detail=error.detail
    )
    return _problem(body, dict(error.headers or {}))


def fault(request: Request, error: Exception) -> str:
    """Log what nobody foresaw; return the reference under which the log has it."""
    reference = secrets.token_hex(6)
    log.error("fault reference=%s path=%s", reference, request.url.path, exc_info=error)
    return reference


def fault_problem(reference: str) -> Response:
    """Return an unforeseen fault as problem+json."""
    body = schemas.Problem(
        type="urn:remoteapp:fault",
        title="Internal Server Error",
        status=500,
        detail="Something went wrong here.",
        hint="Tell an administrator the reference.",
        reference=reference,
    )
    return _problem(body, {})


def headers_of(error: ControlPlaneError, status: int) -> dict[str, str]:
    """Return the headers an error's status calls for."""
    if isinstance(error, TooManyError):
        return {"Retry-After": str(error.retry_after)}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return {"Allow": "GET, HEAD"}  # a store that is read only
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": str(RETRY_SECONDS)}
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="remoteapp"'}
    return {}


def _problem(body: schemas.Problem, headers: Mapping[str, str]) -> Response:
    absent = {name for name in type(body).model_fields if getattr(body, name) is None}
    content = body.model_dump_json(exclude=absent)
    said = {"Content-Language": language.spoken().tag, "Vary": language.DEPENDS}
    return Response(content, body.status, {**headers, **said}, "application/problem+json")


def _fields(error: ControlPlaneError) -> list[schemas.FieldProblem] | None:
    if not isinstance(error, InvalidError):
        return None
    return [
        schemas.FieldProblem(field=shown(one.field), message=one.message) for one in error.errors
    ]


def _in_the_way(plane: Plane, error: ControlPlaneError) -> list[schemas.SessionAnswer] | None:
    if not isinstance(error, ConflictError):
        return None
    found = [one for one in error.details if isinstance(one, Session)]
    return sessions(plane, found) or None
