"""A form as a page shows it and as a browser sends it.

Invariant: what was typed is never lost: a refused form is shown again with it, each complaint at
the field it is about. What a value may be is judged where the API's are, never here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from starlette.datastructures import FormData
from starlette.requests import Request

from control_plane.errors import ControlPlaneError, InvalidError

Kind = Literal["text", "password", "number", "check", "choice", "lines", "pairs", "area", "moment"]
_MOST_FIELDS = 200
_LONGEST = 64 * 1024
_MOST_BOXES = 40
_MEDIA = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Field:
    """A field by the name that the API has for it, with its English label and a hint.

    `lines` is a list, one a line, or boxes to tick where there are `choices`; `pairs` is
    `NAME=value`, one a line; `moment` is a day and a time, in UTC or with a zone; `choices` are
    pairs of value and label. What is `optional` and left empty is not sent at all. `fill` is
    what a browser may fill it with (HTML's `autocomplete`).
    """

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    optional: bool = True
    longest: int = 255
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in a form: text by field, complaints by field, and one about the whole."""

    fields: Sequence[Field]
    values: Mapping[str, str] = field(default_factory=dict)
    complaints: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def refused(self) -> bool:
        """Whether there is something to put right."""
        return bool(self.problem or self.complaints)

    def text(self, name: str) -> str:
        """Return what stands in a field."""
        return self.values.get(name, "")

    def content(self) -> dict[str, Any]:
        """Return it as the API would be sent it: `a.b` becomes b in a; empty options are absent."""
        found: dict[str, Any] = {}
        for one in self.fields:
            value = _value(one, self.text(one.name))
            if value is not None:
                _put(found, one.name.split("."), value)
        return found

    def refuse(self, error: ControlPlaneError) -> "Form":
        """Return the form with what an error says, each part of it at its field."""
        told: dict[str, str] = {}
        left: list[str] = []
        for one in error.errors if isinstance(error, InvalidError) else ():
            if place := self._place(one.field):
                told[place] = f"{told[place]} {one.message}" if place in told else one.message
            else:
                left.append(f"{one.field}: {one.message}")
        whole = [] if told and not left else [error.message, *left, error.hint]
        return Form(self.fields, self.values, told, " ".join(filter(None, whole)))

    def _place(self, name: str) -> str:
        """Return the field that a complaint about `name`, such as `groups.0`, belongs to."""
        known = {one.name for one in self.fields}
        parts = name.split(".")
        tries = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
        direct = next((one for one in tries if one in known), "")
        # The domain speaks of a policy's fields without the policy.
        return direct or next((one for one in known if one.endswith(f".{parts[0]}")), "")


async def sent(request: Request, fields: Sequence[Field]) -> Form:
    """Return what a browser sent, field by field; what it sent beside them counts for nothing."""
    if not request.headers.get("content-type", "").startswith(_MEDIA):
        return Form(fields)
    async with request.form(max_fields=_MOST_FIELDS, max_part_size=_LONGEST) as found:
        return Form(fields, {one.name: _text(found, one.name) for one in fields})


def filled(fields: Sequence[Field], content: Mapping[str, Any]) -> Form:
    """Return a form that shows what an answer of the API holds."""
    return Form(fields, {one.name: _shown(_got(content, one.name.split("."))) for one in fields})


def choosing(form: Form, name: str, values: Sequence[str]) -> Form:
    """Return the form with boxes to tick for a list's values, where they are few enough to see."""
    if not 0 < len(values) <= _MOST_BOXES:
        return form
    known = tuple((one, one) for one in dict.fromkeys([*values, *form.text(name).splitlines()]))
    fields = [
        replace(one, choices=known, hint="") if one.name == name else one for one in form.fields
    ]
    return replace(form, fields=fields)


def _text(found: FormData, name: str) -> str:
    values = [str(one) for one in found.getlist(name)]
    return "\n".join(values)


def _value(one: Field, text: str) -> Any:
    if one.kind == "check":
        return bool(text)
    if one.kind in ("lines", "pairs"):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines if one.kind == "lines" else _pairs(lines)
    stripped = text if one.kind in ("password", "area") else text.strip()
    if not stripped and one.optional:
        return None
    return _number(stripped) if one.kind == "number" else stripped


def _number(text: str) -> Any:
    """Return a number where it is one; the API says what is wrong with anything else."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    split = (line.partition("=") for line in lines)
    return {name.strip(): value for name, _, value in split}


def _put(found: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        found = found.setdefault(part, {})
    found[path[-1]] = value


def _got(content: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = content
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _shown(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(str(one) for one in value)
    return "on" if value is True else str(value)
