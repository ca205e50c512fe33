"""The file that says who may run what: read with every fault named by its line, and written.

Invariant: a file that is taken fits together: each name stands there once, and whatever a user or
a grant refers to stands in it too.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from control_plane.adapters import yaml_lines
from control_plane.adapters.yaml_lines import Located, Place
from control_plane.domain import applications, holdings, policy
from control_plane.domain.entities import Application, Grant, Grantee, Holdings, Policy, User
from control_plane.domain.names import shown
from control_plane.errors import FieldError, InvalidError

LARGEST = 16 * 1024**2  # bytes
SECTIONS = ("users", "groups", "applications", "grants")
_ID = re.compile(r"[0-9a-f]{32}")
_HEAD = """\
# Who may run what. `remoteappdb apply FILE` makes it so: what does not stand here is removed.
# Passwords do not stand here; licences do.
"""
_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text; put a number in quotes",
    "bool_type": "must be true or false",
    "list_type": "must be a list; [] is an empty one",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "literal_error": "must be virtual or system",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _User(_Part):
    name: str
    kind: Literal["virtual", "system"] = "virtual"
    enabled: bool = True
    admin: bool = False
    groups: list[str] = []


class _Grant(_Part):
    user: str | None = None
    group: str | None = None
    everyone: bool = False
    image: str
    policy: dict[str, Any] = {}
    id: str = ""


P = TypeVar("P", bound=_Part)
_Sections = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a file wants, for `holdings.matched`, and the line of each thing by its name."""

    wanted: Holdings
    lines: Mapping[str, int]


def read(content: bytes) -> Declaration:
    """Return what a file wants; InvalidError names every fault and its line."""
    found = yaml_lines.read(_text(content))
    sections = _sections(found)
    users = dict(_parts(found, sections, "users", _User))
    groups = dict(_group_names(found, sections))
    made = dict(_applications(found, sections))
    given = dict(_parts(found, sections, "grants", _Grant))
    grants = {place: _grant(found, place, one) for place, one in given.items()}
    found.problems.extend(_strays(found, sections, users, given))
    for keys in (
        {(*place, "name"): one.name for place, one in users.items()},
        groups,
        {(*place, "image"): one.image for place, one in made.items()},
        {(*place, "id"): one.id for place, one in grants.items() if one.id},
        {place: holdings.triple(one) for place, one in grants.items()},
    ):
        found.problems.extend(_twice(found, keys))
    if found.problems:
        problems = sorted(found.problems, key=_line)
        raise InvalidError("The file is refused; nothing was changed.", problems)
    wanted = Holdings(
        users=tuple(_user(one) for one in users.values()),
        groups=tuple(groups.values()),
        applications=tuple(made.values()),
        grants=tuple(grants.values()),
    )
    return Declaration(wanted, _lines(found, wanted))


def write(document: Mapping[str, Any]) -> str:
    """Return a document of `holdings.as_document` as the text of a file."""
    return _HEAD + yaml_lines.write(dict(document))


def _text(content: bytes) -> str:
    if len(content) > LARGEST:
        raise InvalidError(f"The file is larger than {LARGEST // 1024**2} MiB.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = FieldError(f"line {line}", "is not UTF-8")
        raise InvalidError("The file is no text.", [problem]) from error


def _sections(found: Located) -> _Sections:
    """Return the four lists, empty where something else stands, which is noted."""
    if not isinstance(found.data, dict):
        problem = FieldError("line 1", f"must be the keys {', '.join(SECTIONS)}")
        raise InvalidError("The file is refused; nothing was changed.", [problem])
    for name in found.data:
        if name not in SECTIONS:
            found.note((name,), f"unknown key; allowed: {', '.join(SECTIONS)}")
    for name in SECTIONS:
        if name not in found.data:
            # A section that was forgotten would remove all that it is about.
            found.note((name,), f"is missing; write {name}: [] for none")
        elif not isinstance(found.data[name], list):
            found.note((name,), _SENTENCES["list_type"])
    return {
        name: value if isinstance(value := found.data.get(name), list) else [] for name in SECTIONS
    }


def _parts(
    found: Located, sections: _Sections, section: str, part: type[P]
) -> Iterator[tuple[Place, P]]:
    for at, raw in enumerate(sections[section]):
        place = (section, at)
        try:
            yield place, part.model_validate(raw)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                found.note((*place, *one["loc"]), _said(one, part))


def _said(error: ErrorDetails, part: type[_Part]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key; allowed: {', '.join(part.model_fields)}"
    return _SENTENCES.get(error["type"], error["msg"])


def _group_names(found: Located, sections: _Sections) -> Iterator[tuple[Place, str]]:
    for at, name in enumerate(sections["groups"]):
        if isinstance(name, str):
            yield ("groups", at), name
        else:
            found.note(("groups", at), _SENTENCES["string_type"])


def _applications(found: Located, sections: _Sections) -> Iterator[tuple[Place, Application]]:
    for at, raw in enumerate(sections["applications"]):
        place = ("applications", at)
        if not isinstance(raw, dict):
            found.note(place, _SENTENCES["dict_type"])
            continue
        try:
            yield place, applications.parse(raw)
        except InvalidError as error:
            _note_fields(found, place, error)


def _grant(found: Located, place: Place, given: _Grant) -> Grant:
    """Return the grant, and note what is wrong with it."""
    whom = [one for one in (given.user, given.group, given.everyone or None) if one is not None]
    if len(whom) != 1:
        found.note(place, "must have one of user, group, everyone: true")
    if given.id and not _ID.fullmatch(given.id):
        found.note((*place, "id"), "must be 32 hex digits, or absent")
    allowed = Policy()
    try:
        allowed = policy.parse(given.policy)
    except InvalidError as error:
        _note_fields(found, (*place, "policy"), error)
    return Grant(given.id, _grantee(given), Application("", given.image), allowed)


def _grantee(given: _Grant) -> Grantee:
    if given.user is not None:
        return Grantee("user", given.user)
    return Grantee("everyone") if given.group is None else Grantee("group", given.group)


def _note_fields(found: Located, place: Place, error: InvalidError) -> None:
    for one in error.errors:
        found.note((*place, one.field), one.message)


def _strays(
    found: Located,
    sections: _Sections,
    users: Mapping[Place, _User],
    grants: Mapping[Place, _Grant],
) -> Iterator[FieldError]:
    """Yield each reference to what does not stand in the file, whether or not it is right."""
    names: dict[str, set[object]] = {
        "user": {_key(one, "name") for one in sections["users"]},
        "group": set(map(str, sections["groups"])),
        "image": {_key(one, "image") for one in sections["applications"]},
    }
    for place, user in users.items():
        for at, group in enumerate(user.groups):
            if group not in names["group"]:
                yield found.problem((*place, "groups", at), _stray("group", group))
    for place, grant in grants.items():
        for kind, known in names.items():
            name = getattr(grant, kind)
            if name is not None and name not in known:
                yield found.problem((*place, kind), _stray(kind, name))


def _key(raw: object, name: str) -> object:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, str) else None


def _stray(kind: str, name: str) -> str:
    return f"no {kind} {shown(name)} stands in this file"


def _twice(found: Located, keys: Mapping[Place, Hashable]) -> Iterator[FieldError]:
    first: dict[Hashable, Place] = {}
    for place, key in keys.items():
        if key in first:
            line = found.line(first[key])
            yield found.problem(place, f"stands there twice, first in line {line}")
        first.setdefault(key, place)


def _user(given: _User) -> User:
    groups = tuple(sorted(set(given.groups)))
    return User(given.name, given.kind, given.enabled, given.admin, groups=groups)


def _lines(found: Located, wanted: Holdings) -> dict[str, int]:
    """Return the line of each thing by its name, as `holdings.named` gives it."""
    sections: dict[str, Sequence[holdings.Thing]] = {
        "users": wanted.users,
        "groups": wanted.groups,
        "applications": wanted.applications,
        "grants": wanted.grants,
    }
    return {
        holdings.named(one): found.line((section, at))
        for section, things in sections.items()
        for at, one in enumerate(things)
    }


def _line(problem: FieldError) -> int:
    digits = re.match(r"line (\d+)", problem.field)
    return int(digits[1]) if digits else 0
