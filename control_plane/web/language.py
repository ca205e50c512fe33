"""The language that a visitor reads, and every sentence in it.

Invariant: English is the source: what a catalogue lacks is shown in English, never as a gap. A
catalogue's keys are the sentences themselves, with `{name}` where a value stands.
"""

import gettext
import io
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from babel import Locale
from babel.core import negotiate_locale
from babel.messages import Message, mofile, pofile
from babel.numbers import format_decimal
from starlette.requests import HTTPConnection

from control_plane.web import sentences
from control_plane.web.gate import plane_of

SOURCE = "en"
COOKIE = "remoteapp-language"
DEPENDS = "Accept-Language, Cookie"
_FILES = "remoteapp.po"
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ([A-Za-z]+)", re.ASCII)
# "de-CH;q=0.8": a tag of a language, and how welcome it is (RFC 9110, section 12.5.4).
_WISH = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_MOST_WISHES = 20
_KEPT_SENTENCES = 2048
_spoken = ContextVar("spoken", default=SOURCE)


class Translations(gettext.GNUTranslations):
    """A catalogue in which a sentence that has a plural too is found without a number."""

    def gettext(self, message: str) -> str:
        """Return a sentence in the language, or as it is."""
        found = super().gettext(message)
        return self.ngettext(message, message, 1) if found == message else found


@dataclass(frozen=True)
class Language:
    """One language: its tag, its own name, its catalogue, and what of it the scripts say.

    `made` are the sentences that Python makes: only what stands in these may be found by its gaps.
    """

    tag: str
    catalogue: gettext.NullTranslations
    keys: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def locale(self) -> Locale:
        """How numbers and lists are written in it."""
        return Locale.parse(self.tag, sep="-")

    @cached_property
    def name(self) -> str:
        """Its name in itself, such as `Deutsch`."""
        return (self.locale.get_display_name() or self.tag).capitalize()

    def sentence(self, text: str) -> str:
        """Return an English sentence of this program in the language; as it is when unknown.

        It may come from another process or from a database: what stood in its gaps is found by the
        words around them.
        """
        return text if self.tag == SOURCE else _sentence(self.tag, text)

    def number(self, value: float) -> str:
        """Return a number as it is written in the language, with at most one decimal."""
        return str(format_decimal(round(value, 1), locale=self.locale))

    def value(self, text: str) -> str:
        """Return what stands in a gap: a sentence, or an amount such as `1.5 GiB`; else as it is.

        A single word is a name.
        """
        if amount := _AMOUNT.fullmatch(text):
            return f"{self.number(float(amount[1]))} {amount[2]}"
        return self.sentence(text) if " " in text else text

    def translated(self, text: str) -> str:
        """Return what `sentence` keeps."""
        return sentences.said(text, self._known)

    @cached_property
    def _patterns(self) -> sentences.Patterns:
        return sentences.patterns(self.made)

    def _known(self, text: str, *, loose: bool) -> str | None:
        """Return one sentence in the language; None when the catalogue does not have it."""
        if text in self.keys:
            return self.catalogue.gettext(text)
        for one in self._patterns.like(text):
            values = one.values(text)
            if values and (loose or not any(map(sentences.several, values.values()))):
                told = {name: self.value(value) for name, value in values.items()}
                return sentences.filled(self.catalogue.gettext(one.key), told)
        return None


@cache
def languages() -> Mapping[str, Language]:
    """Return every language there is, by its tag; the source comes first."""
    found = {SOURCE: Language(SOURCE, gettext.NullTranslations())}
    for place in sorted(_folder().iterdir(), key=lambda one: one.name):
        if (file := place / "LC_MESSAGES" / _FILES).is_file():
            found[place.name] = _read(place.name, file)
    return found


def of(visitor: HTTPConnection) -> Language:
    """Return the language of a visitor: the one chosen, else one that the browser asks for.

    Where none of those is there, it is the site's.
    """
    known = languages()
    chosen = visitor.cookies.get(COOKIE, "")
    sites = plane_of(visitor).site.face.language or SOURCE
    return known.get(chosen) or wished(visitor.headers.get("accept-language", ""), sites)


def listen(visitor: HTTPConnection) -> None:
    """Let everything that is said from here on, in this task and its children, be in theirs.

    A program, which asks for no language, is told in the source.
    """
    asks = COOKIE in visitor.cookies or "accept-language" in visitor.headers
    _spoken.set(of(visitor).tag if asks else SOURCE)


def spoken() -> Language:
    """Return the language of whoever is being answered; the source where nobody is."""
    return languages()[_spoken.get()]


def wished(header: str, otherwise: str = SOURCE) -> Language:
    """Return what suits an Accept-Language header best; the language `otherwise` if none does."""
    known = {tag.lower(): one for tag, one in languages().items()}
    found = negotiate_locale(_tags(header), list(known), sep="-")
    return known[(found or otherwise).lower()]


def _tags(header: str) -> list[str]:
    """Return the tags of an Accept-Language header, the most welcome first."""
    matches = [_WISH.fullmatch(one) for one in header.split(",")[:_MOST_WISHES]]
    weighed = [(float(one[2] or 1), one[1]) for one in matches if one]
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight]


@lru_cache(maxsize=_KEPT_SENTENCES)
def _sentence(tag: str, text: str) -> str:
    return languages()[tag].translated(text)


def _folder() -> Traversable:
    return files("control_plane") / "locale"


def _read(tag: str, file: Traversable) -> Language:
    catalogue = pofile.read_po(io.BytesIO(file.read_bytes()), locale=tag.replace("-", "_"))
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue)
    compiled.seek(0)
    said = [one for one in catalogue if one.id and isinstance(one.id, str) and one.string]
    keys, made = (frozenset(str(one.id) for one in said if _is_in(one, end)) for end in ("", ".py"))
    words = {str(one.id): str(one.string) for one in said if _is_in(one, ".js")}
    return Language(tag, Translations(compiled), keys, made, words)


def _is_in(message: Message, end: str) -> bool:
    """Return whether a file whose name ends so says it."""
    return any(name.endswith(end) for name, _ in message.locations)
