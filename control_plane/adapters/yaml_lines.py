"""YAML as plain data that knows the line of each of its keys.

Invariant: reading takes time and room in proportion to the text: an anchor, an alias or a tag is
refused, whatever it would make, and so is what lies too deep.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as seen
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from control_plane.domain.names import shown
from control_plane.errors import FieldError, InvalidError

Place = tuple[str | int, ...]
DEEPEST = 8
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
# Longer or with an exponent it is an id, which people forget to quote.
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]{0,18}\.[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Located:
    """Plain data, the line of each place in it (from 1), and what is wrong with it."""

    data: Any
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[FieldError] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest one that holds it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, message: str) -> FieldError:
        """Return a problem that names the line and the place."""
        return FieldError(f"line {self.line(place)}: {named(place)}".removesuffix(": "), message)

    def note(self, place: Place, message: str) -> None:
        """Keep a problem that names the line and the place."""
        self.problems.append(self.problem(place, message))


def read(text: str) -> Located:
    """Return what a text of one document says; InvalidError names the line where it is no YAML."""
    found = Located(None)
    try:
        events = YAML(typ="safe", pure=True).parse(StringIO(text))
        data = _document(events, found)
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line = f"line {mark.line + 1}" if mark else "text"
        said = (error.problem if isinstance(error, MarkedYAMLError) else None) or "no YAML"
        raise InvalidError("The file is no YAML.", [FieldError(line, shown(said))]) from error
    return Located(data, found.lines, found.problems)


def write(data: object) -> str:
    """Return plain data as YAML, with long lines left whole."""
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(_quoted(data), out)
    return out.getvalue()


def named(place: Place) -> str:
    """Return a place as people write it: `users[2].name`."""
    words = [f"[{one}]" if isinstance(one, int) else f".{shown(one)}" for one in place]
    return "".join(words).removeprefix(".")


def _quoted(data: Any) -> Any:
    """Return it with every odd text in quotes, its odd characters escaped."""
    if isinstance(data, Mapping):
        return {_quoted(key): _quoted(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_quoted(one) for one in data]
    if isinstance(data, str) and not data.isprintable():
        return DoubleQuotedScalarString(data)  # ruamel leaves some line ends as they are
    return data


def _document(events: Iterator[Any], found: Located) -> Any:
    data, documents = None, 0
    for event in events:
        if isinstance(event, seen.DocumentStartEvent):
            documents += 1
            found.lines[()] = event.start_mark.line + 1
            if documents > 1:
                raise InvalidError("The file holds more than one document; one is allowed.")
            data = _value(events, next(events), (), found)
    return data


def _value(events: Iterator[Any], event: Any, place: Place, found: Located) -> Any:
    found.lines.setdefault(place, event.start_mark.line + 1)
    if len(place) > DEEPEST:
        problem = found.problem(place[:DEEPEST], f"lies deeper than {DEEPEST} levels")
        raise InvalidError("The file is refused.", [problem])
    if getattr(event, "anchor", None):
        found.note(place, "anchors and aliases are not allowed")
    if isinstance(event, seen.NodeEvent) and getattr(event, "tag", None):
        found.note(place, "tags are not allowed")
    if isinstance(event, seen.MappingStartEvent):
        return _mapping(events, place, found)
    if isinstance(event, seen.SequenceStartEvent):
        return _sequence(events, place, found)
    return _scalar(event) if isinstance(event, seen.ScalarEvent) else None


def _sequence(events: Iterator[Any], place: Place, found: Located) -> list[Any]:
    items: list[Any] = []
    for event in events:
        if isinstance(event, seen.SequenceEndEvent):
            break
        items.append(_value(events, event, (*place, len(items)), found))
    return items


def _mapping(events: Iterator[Any], place: Place, found: Located) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for event in events:
        if isinstance(event, seen.MappingEndEvent):
            break
        key = event.value if isinstance(event, seen.ScalarEvent) else None
        if key is None:
            raise InvalidError(
                "The file is refused.",
                [FieldError(f"line {event.start_mark.line + 1}", "a key must be a word")],
            )
        line = event.start_mark.line + 1
        if key in items:
            at = f"line {line}: {named((*place, key))}"
            found.problems.append(FieldError(at, "stands there twice"))
        found.lines[*place, key] = line
        items[key] = _value(events, next(events), (*place, key), found)
    return items


def _scalar(event: Any) -> Any:
    """Return what a word means, nearly as in YAML 1.2; a quoted one is text."""
    text = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
