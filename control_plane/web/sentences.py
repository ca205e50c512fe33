"""Sentences of a catalogue, recognised in texts that the program made of them.

Invariant: a text is searched in time that grows with its length alone, whatever stands in its gaps;
what is not recognised stays as it is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

GAP = re.compile(r"\{(\w+)\}")
_END = re.compile(r"(?<=[.!?…]) (?=\S)")
_MOST = 12
_BEGINNING = 6


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence with gaps: the names of these, and the texts before, between and behind them."""

    key: str
    names: Sequence[str]
    texts: Sequence[str]

    def values(self, text: str) -> Mapping[str, str] | None:
        """Return what stands in the gaps, each as short as can be; None: it is not this one."""
        first, *middle, last = self.texts
        if not (text.startswith(first) and text.endswith(last)):
            return None
        end = len(text) - len(last)
        found: list[str] = []
        at = len(first)
        for part in middle:
            begin = text.find(part, at + 1, end)
            if begin < 0:
                return None
            found.append(text[at:begin])
            at = begin + len(part)
        return dict(zip(self.names, [*found, text[at:end]], strict=True)) if at < end else None


@dataclass(frozen=True, slots=True)
class Patterns:
    """Sentences with gaps, those that say most first, by how they begin."""

    by_beginning: Mapping[str, Sequence[Pattern]]

    def like(self, text: str) -> Sequence[Pattern]:
        """Return those that may have made a text."""
        return self.by_beginning.get(text[:_BEGINNING], self.by_beginning[""])


def patterns(keys: Iterable[str]) -> Patterns:
    """Return those of the sentences that have gaps."""
    split = [(key, GAP.split(key)) for key in keys if GAP.search(key)]
    made = [Pattern(key, parts[1::2], parts[::2]) for key, parts in split]
    made.sort(key=lambda one: (-sum(map(len, one.texts)), one.key))
    begin = {one.key: one.texts[0][:_BEGINNING] for one in made}
    any_ = {key for key, beginning in begin.items() if len(beginning) < _BEGINNING}
    return Patterns(
        {
            beginning: [one for one in made if one.key in any_ or begin[one.key] == beginning]
            for beginning in {"", *begin.values()}
        }
    )


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a sentence with its gaps filled."""
    return GAP.sub(lambda gap: values.get(gap[1], gap[0]), template)


class One(Protocol):
    """Says one sentence anew; None: not known. Only a `loose` one has sentences in its gaps."""

    def __call__(self, text: str, *, loose: bool) -> str | None:
        """Return the sentence in another language."""


def said(text: str, one: One) -> str:
    """Say anew a text of one or several sentences.

    Several that are all known come before one whose long value would hide them.
    """
    if (whole := one(text, loose=False)) is not None:
        return whole
    found = list(_in_turn(_END.split(text, _MOST), one))
    if not all(known for _, known in found) and (whole := one(text, loose=True)) is not None:
        return whole
    return " ".join(said for said, _ in found)


def several(text: str) -> bool:
    """Return whether a text is more than one sentence."""
    return _END.search(text) is not None


def _in_turn(pieces: Sequence[str], one: One) -> Iterator[tuple[str, bool]]:
    """Return what is said of the pieces, each time as few as make a sentence that is known."""
    at = 0
    while at < len(pieces):
        ends = range(at + 1, len(pieces) + 1)
        known = ((end, one(" ".join(pieces[at:end]), loose=False)) for end in ends)
        end, found = next(((end, new) for end, new in known if new is not None), (at + 1, None))
        yield (pieces[at], False) if found is None else (found, True)
        at = end
