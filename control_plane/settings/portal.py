"""The section `[portal]`: a site's own face.

Invariant: what stands here can be shown as it is: no address that a browser would run, no letters
that turn others around, no picture that is none.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from control_plane.domain import colours, face
from control_plane.domain.face import Face, FooterLink
from control_plane.domain.pictures import LARGEST, Picture, picture
from control_plane.domain.values import absolute
from control_plane.settings.values import Section

_LONGEST_NAME, _LONGEST_LABEL, _LONGEST_URL, _LONGEST_MESSAGE = 60, 60, 2048, 1000
_MOST_LINKS = 12
_SOURCE_LANGUAGE = "en"
# No second slash or backslash: browsers would take what follows for a host.
_PATH = re.compile(r"/(?![/\\])[!-~]*")
_MAIL = re.compile(r"mailto:[!-~]+@[!-~]+")


def _line(value: str, longest: int) -> str:
    if not value.strip() or len(value) > longest or not value.isprintable():
        raise ValueError(f"one line of 1 to {longest} characters that can be seen")
    return value.strip()


def _name(value: str) -> str:
    return _line(value, _LONGEST_NAME)


def _logo(path: Path) -> Path:
    read_logo(path)
    return path


def _colour(value: str) -> str:
    return colours.parsed(value) if value else ""


def _footer_link(value: Mapping[str, str]) -> Mapping[str, str]:
    """Return a link that leads to a page or to a mailbox; ValueError."""
    if set(value) != {"label", "url"}:
        raise ValueError(f"a label and a url, and nothing else, not {dict(value)}")
    _line(value["label"], _LONGEST_LABEL)
    if not _leads_somewhere(value["url"]):
        allowed = "https://…, http://…, mailto:… or a path of this host such as /imprint.html"
        raise ValueError(f"url must be {allowed}, not {value['url']!r}")
    return value


def _leads_somewhere(url: str) -> bool:
    plain = len(url) <= _LONGEST_URL and url.isascii() and url.isprintable() and " " not in url
    parts = urlsplit(url) if plain else None
    is_page = bool(parts and parts.scheme in ("http", "https") and parts.hostname)
    return plain and bool(is_page or _PATH.fullmatch(url) or _MAIL.fullmatch(url))


def _message(value: str) -> str:
    lines = value.strip().splitlines()
    if len(value) > _LONGEST_MESSAGE or not all(one.isprintable() for one in lines):
        raise ValueError(f"plain text of {_LONGEST_MESSAGE} characters at most")
    return "\n".join(lines)


def _language(value: str) -> str:
    known = _languages()
    if value and value not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return value


def _analytics(value: str) -> str:
    if value and (not value.isascii() or not value.isprintable() or " " in value):
        raise ValueError("an address in plain ASCII")
    return value if not value or face.origin(value) else ""


def _languages() -> list[str]:
    """Return the languages that there is a catalogue of."""
    folder = files("control_plane") / "locale"
    found = folder.iterdir() if folder.is_dir() else ()
    tags = [one.name for one in found if (one / "LC_MESSAGES").is_dir()]
    return [_SOURCE_LANGUAGE, *sorted(tags)]


Link = Annotated[dict[str, str], AfterValidator(_footer_link)]


class PortalSettings(Section):
    """How the portal's pages look, and what they are called."""

    name: Annotated[str, AfterValidator(_name)] = face.NAME
    logo: Annotated[Path, AfterValidator(_logo)] | None = None
    colour: Annotated[str, AfterValidator(_colour)] = ""
    footer: Annotated[tuple[Link, ...], Field(max_length=_MOST_LINKS)] = ()
    signin_message: Annotated[str, AfterValidator(_message)] = ""
    language: Annotated[str, AfterValidator(_language)] = ""
    analytics: Annotated[str, AfterValidator(_analytics)] = ""

    @property
    def face(self) -> Face:
        """All of it as the pages are given it; ValueError when the logo has changed for the bad."""
        return Face(
            name=self.name,
            logo=read_logo(self.logo) if self.logo else None,
            colour=self.colour,
            footer=tuple(FooterLink(one["label"], one["url"]) for one in self.footer),
            signin_message=self.signin_message,
            language=self.language,
            analytics=self.analytics,
        )


def read_logo(path: Path) -> Picture:
    """Return the picture of a file; ValueError says why there is none."""
    try:
        with absolute(path).open("rb") as file:
            return picture(file.read(2 * LARGEST))
    except OSError as error:
        raise ValueError(f"a file that the service can read ({error.strerror})") from error
