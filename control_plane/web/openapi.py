"""The OpenAPI 3.1 document of the HTTP API, made from the route table and the models.

Invariant: nothing is described here that the table or a model does not say; what is common to all
operations (who is refused, and how) follows the gate.
"""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from control_plane import __version__
from control_plane.web.operations import Operation
from control_plane.web.schemas import Health, Problem, Readiness, StateEvent
from control_plane.web.signing_in import SigninMethods
from control_plane.web.templating import render_page

Json = dict[str, Any]
Refs = Mapping[type[BaseModel], Json]

PREFIX = "/api/v1"
EVENTS = "text/event-stream"
_INTRODUCTION = """\
Start, watch and stop the applications that you may run.

Programs send a token: `Authorization: Bearer rapp_…`. A browser's cookie reads; it changes
something only with the portal's own `Origin`. Errors are RFC 9457 problems. Times are RFC 3339 in
UTC, durations seconds, memory bytes; ids are opaque. The order of a list stays; `total` counts all
of it, whatever part `limit` and `offset` choose."""
_CREDENTIALS: Json = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-remoteapp",
        "description": "What a browser has after the sign-in.",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "A token: `rapp_…`."},
    "password": {"type": "http", "scheme": "basic", "description": "Sign-in name and password."},
}
_RETRY = ("Retry-After", "Seconds.")
_LOCATION = ("Location", "Where it can be looked at.")
_ETAG = ("ETag", "For If-Match.")
_HEADERS: Mapping[int, Sequence[tuple[str, str]]] = {
    202: (_LOCATION,),
    401: (("WWW-Authenticate", "How to sign in."),),
    405: (("Allow", "The methods that remain."),),
    429: (_RETRY,),
    503: (_RETRY,),
}
_TAGGED: Mapping[int, Sequence[tuple[str, str]]] = {200: (_ETAG,), 201: (_LOCATION, _ETAG)}
_REASONS: Mapping[int, str] = {
    401: "Nobody is signed in, or what was shown does not hold.",
    403: "A scope is missing, or the request came from another origin.",
    404: "Unknown, or not yours.",
    405: "The store is read only.",
    409: "Something stands in the way.",
    412: "It was changed since you looked at it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "Bad fields, each named in `errors`.",
    429: "Too many attempts, or too many streams of one user.",
    500: "A fault of the portal, with its `reference` in the log.",
    503: "The engine or a database is away.",
}


class _Untitled(GenerateJsonSchema):
    """Leaves out titles that only repeat the name of a field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False, whatever the field."""
        del schema
        return False


def build(operations: Sequence[Operation]) -> Json:
    """Return the document of these operations and of the paths beside them."""
    refs, schemas = _schemas(operations)
    paths: dict[str, Json] = {}
    for one in operations:
        described = _operation(one, refs)
        path = PREFIX + re.sub(r":\w+\}", "}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Remoteapp",
            "version": __version__,
            "description": _INTRODUCTION,
        },
        "servers": [{"url": "/"}],
        "paths": paths | _beside(refs),
        "components": {"schemas": schemas, "securitySchemes": _CREDENTIALS},
    }


async def document(request: Request) -> Response:
    """GET /api/v1/openapi.json: for everyone."""
    state = request.app.state
    if not hasattr(state, "document_bytes"):
        state.document_bytes = json.dumps(state.document).encode()
    return Response(state.document_bytes, media_type="application/json")


def page(request: Request) -> Response:
    """GET /api/docs: the same document, for people."""
    described = request.app.state.document
    context = {"document": described, "groups": _by_tag(described["paths"])}
    return render_page(request, "api_docs.html", context)


def _by_tag(paths: Mapping[str, Json]) -> Mapping[str, list[Json]]:
    groups: dict[str, list[Json]] = {}
    for path, methods in paths.items():
        for method, one in methods.items():
            row = {**one, "method": method.upper(), "path": path}
            groups.setdefault(one["tags"][0], []).append(row)
    return groups


def _schemas(operations: Sequence[Operation]) -> tuple[Refs, Json]:
    modes: dict[type[BaseModel], JsonSchemaMode] = {
        one.body: "validation" for one in operations if one.body
    }
    answers = [model for one in operations for model in one.answers.values() if model]
    answers += [one.event for one in operations if one.event]
    answers += [Problem, StateEvent, Health, Readiness, SigninMethods]
    modes |= dict.fromkeys(answers, "serialization")
    found, definitions = models_json_schema(
        list(modes.items()),
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    return {model: found[model, mode] for model, mode in modes.items()}, definitions["$defs"]


def _operation(one: Operation, refs: Refs) -> Json:
    described: Json = {
        "operationId": one.endpoint.__name__,
        "summary": one.summary,
        "tags": [_tag(one.path)],
        "security": _security(one),
        "parameters": _parameters(one),
        "responses": {
            str(status): _answer(one, status, model, refs) for status, model in one.answers.items()
        }
        | ({"200": _told(one, refs)} if one.event else {})
        | {str(status): _problem(status, refs) for status in _problems(one)},
    }
    if one.scope:
        described["description"] = f"Needs the scope `{one.scope}`."
    if one.body or one.upload:
        content = {"application/json": {"schema": refs[one.body]}} if one.body else {one.upload: {}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _tag(path: str) -> str:
    """Return the first word of a path, of an administrator's the first two."""
    words = path.split("/")[1:]
    return "/".join(words[: 2 if words[0] == "admin" else 1])


def _security(one: Operation) -> list[Json]:
    names = ("password", "cookie", "token") if one.basic else ("cookie", "token")
    return [{name: [one.scope] if one.scope else []} for name in names]


def _parameters(one: Operation) -> list[Json]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)", one.path)
    ]
    headers = [_LAST_EVENT_ID] if _streams(one) else []
    return [*path, *_query(one), *headers, *([_IF_MATCH] if _is_conditional(one) else [])]


def _query(one: Operation) -> list[Json]:
    described = one.query.model_json_schema(schema_generator=_Untitled) if one.query else {}
    return [
        {"name": name, "in": "query", **_said(schema), "schema": _present(schema)}
        for name, schema in described.get("properties", {}).items()
    ]


def _said(schema: Json) -> Json:
    text = schema.get("description")
    return {"description": text} if text else {}


def _present(schema: Json) -> Json:
    """Return the schema of what is sent: a query has no null, it leaves the word out."""
    kinds = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "description")}
    if not kinds:
        return kept
    return {key: value for key, value in (kept | kinds[0]).items() if key != "default"}


_LAST_EVENT_ID: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The last event that came: the stream goes on after it.",
    "schema": {"type": "string"},
}
_IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of what you looked at; absent: change it whatever it is.",
    "schema": {"type": "string"},
}


def _is_conditional(one: Operation) -> bool:
    return one.tagged and one.method == "PATCH"


def _streams(one: Operation) -> bool:
    return EVENTS in (one.media, one.also) and not one.changes


def _problems(one: Operation) -> list[int]:
    """Return what the gate, the stores or the operation itself may refuse with."""
    found = {401, 500, 503, *one.problems}
    if one.scope or one.changes:
        found.add(403)
    if _streams(one):
        found.add(429)
    if one.body or one.upload:
        found |= {413, 415, 422}
    if one.query:
        found.add(422)
    if _is_conditional(one):
        found.add(412)
    return sorted(found)


def _told(one: Operation, refs: Refs) -> Json:
    """Return what the operation answers instead where events are accepted."""
    events = {
        "type": "string",
        "description": "Server-sent events: `progress` until `done` or `failed`.",
        "contentMediaType": EVENTS,
        "contentSchema": refs[cast("type[BaseModel]", one.event)],
    }
    return _response("Event by event", ()) | {"content": {EVENTS: {"schema": events}}}


def _answer(one: Operation, status: int, model: type[BaseModel] | None, refs: Refs) -> Json:
    headers = _TAGGED[status] if one.tagged else _HEADERS.get(status, ())
    described = _response(HTTPStatus(status).phrase, headers)
    content: Json = {}
    if model:
        content[one.media] = {"schema": refs[model]}
    elif status != HTTPStatus.NO_CONTENT:
        content[one.media] = _plain(one.media)
    if _streams(one):
        content[EVENTS] = {"schema": _events(refs)}
    elif one.also:
        content[one.also] = _plain(one.also)
    return described | ({"content": content} if content else {})


def _plain(media: str) -> Json:
    return {"schema": {"type": "string"}} if media.startswith("text/") else {}


def _problem(status: int, refs: Refs) -> Json:
    content = {"application/problem+json": {"schema": refs[Problem]}}
    return _response(_REASONS[status], _HEADERS.get(status, ())) | {"content": content}


def _response(text: str, headers: Sequence[tuple[str, str]]) -> Json:
    if not headers:
        return {"description": text}
    described = {
        name: {"description": meaning, "required": True, "schema": {"type": "string"}}
        for name, meaning in headers
    }
    return {"description": text, "headers": described}


def _events(refs: Refs) -> Json:
    event = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"const": "state"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": refs[StateEvent],
            },
        },
    }
    return {
        "type": "string",
        "description": "Server-sent events, each with a StateEvent as its data.",
        "contentMediaType": EVENTS,
        "contentSchema": {"type": "array", "items": event},
    }


def _beside(refs: Refs) -> dict[str, Json]:
    """Return the paths that need no sign-in and are not in the table."""
    readiness = {"schema": refs[Readiness]}
    return {
        f"{PREFIX}/openapi.json": _open("document", "This document", {200: {"schema": {}}}),
        f"{PREFIX}/signin-methods": _open(
            "signin_methods", "How people sign in here", {200: {"schema": refs[SigninMethods]}}
        ),
        "/api/docs": _open(
            "page", "This document, for people", {200: {"schema": {"type": "string"}}}, "text/html"
        ),
        "/healthz": _open("healthz", "Whether the process is up", {200: {"schema": refs[Health]}}),
        "/readyz": _open(
            "readyz", "Whether all that is needed answers", {200: readiness, 503: readiness}
        ),
    }


def _open(
    name: str, summary: str, answers: Mapping[int, Json], media: str = "application/json"
) -> Json:
    responses = {
        str(status): {"description": HTTPStatus(status).phrase, "content": {media: content}}
        for status, content in answers.items()
    }
    described = {"operationId": name, "summary": summary, "tags": ["portal"], "security": []}
    return {"get": described | {"responses": responses}}
