"""A site's own face: what its pages are called and look like, and who counts their visitors."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from control_plane.domain.pictures import Picture

NAME = "Remoteapp"


@dataclass(frozen=True, slots=True)
class FooterLink:
    """One link below every page."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Face:
    """What a site has said of its looks; empty where it has said nothing.

    `colour` is `#rrggbb`, `language` a tag such as `de`, `analytics` the https address of a script.
    """

    name: str = NAME
    logo: Picture | None = None
    colour: str = ""
    footer: tuple[FooterLink, ...] = ()
    signin_message: str = ""
    language: str = ""
    analytics: str = ""


def origin(address: str) -> str:
    """Return the origin of an https address whose host is plain ASCII; ValueError."""
    parts = urlsplit(address)
    if parts.scheme != "https" or not re.fullmatch(r"[a-z0-9.-]+(?::[0-9]{1,5})?", parts.netloc):
        raise ValueError("the https address of a script, such as https://stats.example.org/s.js")
    return f"https://{parts.netloc}"
