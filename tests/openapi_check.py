"""Judges every answer that a test gets from the API by the portal's own OpenAPI document.

Invariant: a route, a status, a media type or a field that the document does not tell of fails.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import httpx2
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Json = Mapping[str, Any]
AnyResponse = httpx.Response | httpx2.Response

_DOCUMENT = "urn:document"
_ASIDE = ("/healthz", "/readyz")
_NOT_ROUTED = ("urn:remoteapp:not-found", "urn:remoteapp:method-not-allowed")


def hook(document: Json) -> Callable[[AnyResponse], None]:
    """Return an httpx event hook that judges every answer of the API by this document."""
    resource = DRAFT202012.create_resource(_closed(document))
    registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)

    def judge(response: AnyResponse) -> None:
        path = response.request.url.path
        if path.startswith("/api/") or path in _ASIDE:
            _judge(document, registry, response)

    return judge


def template_of(document: Json, path: str) -> str | None:
    """Return the path of the document that this one is an instance of."""
    for template in sorted(document["paths"], key=lambda one: str(one).count("{")):
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path):
            return str(template)
    return None


def _judge(document: Json, registry: "Registry[Any]", response: AnyResponse) -> None:
    request, status = response.request, str(response.status_code)
    method = "get" if request.method == "HEAD" else request.method.lower()
    # As it was sent: an encoded slash is part of one segment.
    path = request.url.raw_path.decode().partition("?")[0]
    template = template_of(document, path)
    operation = document["paths"][template].get(method) if template else None
    what = f"{request.method} {request.url.path} -> {status}"
    if operation is None:
        _judge_not_routed(registry, response, what)
        return
    described = operation["responses"].get(status)
    assert described, f"{what}: the document tells of {', '.join(operation['responses'])} only"
    for name in described.get("headers", {}):
        assert name in response.headers, f"{what}: no {name}"
    media, known = _media(response), list(described.get("content", {}))
    assert media in known or (not media and not known), f"{what}: {media or 'no media type'}"
    # An event stream has no end that one could wait for.
    if media.endswith("json") and request.method != "HEAD":
        place = ("paths", template, method, "responses", status, "content", media, "schema")
        _judge_body(registry, _pointer(*place), response, what)


def _judge_not_routed(registry: "Registry[Any]", response: AnyResponse, what: str) -> None:
    """Pass what no route took; fail what a route answered that the document does not tell of."""
    assert _media(response) == "application/problem+json", f"{what}: not in the document"
    _judge_body(registry, _pointer("components", "schemas", "Problem"), response, what)
    said = response.json()["type"]
    assert said in _NOT_ROUTED, f"{what}: {said}, by a route that is not in the document"


def _judge_body(registry: "Registry[Any]", place: str, response: AnyResponse, what: str) -> None:
    response.read()
    validator = Draft202012Validator(
        {"$ref": place}, registry=registry, format_checker=FormatChecker()
    )
    found = [f"{one.json_path}: {one.message}" for one in validator.iter_errors(response.json())]
    assert not found, f"{what}: {'; '.join(found)}"


def _media(response: AnyResponse) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _pointer(*words: str | None) -> str:
    escaped = (str(one).replace("~", "~0").replace("/", "~1") for one in words)
    return f"{_DOCUMENT}#/{'/'.join(quote(one, safe='~') for one in escaped)}"


def _closed(value: Any) -> Any:
    """Return the document with every object closed: a field that is not in it is a fault."""
    if isinstance(value, list):
        return [_closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    closed = {key: _closed(one) for key, one in value.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed
