"""A site's own face as browsers get it: its logo and its colour, each by its digest.

Invariant: an address names its content, so it may be kept for ever; whatever a logo holds, nothing
of it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from control_plane.domain import colours
from control_plane.domain.colours import Shades
from control_plane.domain.face import Face, FooterLink
from control_plane.errors import NotFoundError
from control_plane.web import consent
from control_plane.web.consent import Consent
from control_plane.web.gate import plane_of

LOGO_HEIGHT = 32
_WIDEST_LOGO = 200
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
# Drawing programs write styles into an SVG, and Firefox holds a picture to the policy that it comes
# with; scripts, frames and requests are barred.
_LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@dataclass(frozen=True, slots=True)
class Look:
    """A site's face as templates have it: addresses are empty where the site has said nothing."""

    name: str
    logo: str
    logo_width: int
    sheet: str
    footer: tuple[FooterLink, ...]
    message: str
    consent: Consent


def of(request: Request) -> Look:
    """Return what a page of this request looks like."""
    face = plane_of(request).site.face
    logo = face.logo
    return Look(
        name=face.name,
        logo=f"/face/{logo.digest}.{logo.suffix}" if logo else "",
        logo_width=min(_WIDEST_LOGO, logo.width_at(LOGO_HEIGHT)) if logo else 0,
        sheet=f"/face/{_sheet(face.colour)[0]}.css" if face.colour else "",
        footer=face.footer,
        message=face.signin_message,
        consent=consent.of(request),
    )


def file(request: Request) -> Response:
    """GET /face/{file}: for everyone."""
    found = _files(plane_of(request).site.face).get(request.path_params["file"])
    if found is None:
        raise NotFoundError("There is no such page.")
    content, media, policy = found
    return Response(content, 200, _KEPT | policy, media)


def _files(face: Face) -> Mapping[str, tuple[bytes, str, dict[str, str]]]:
    found: dict[str, tuple[bytes, str, dict[str, str]]] = {}
    if face.colour:
        digest, text = _sheet(face.colour)
        found[f"{digest}.css"] = text.encode(), "text/css", {}
    if logo := face.logo:
        policy = {"Content-Security-Policy": _LOGO_POLICY}
        found[f"{logo.digest}.{logo.suffix}"] = logo.content, logo.media, policy
    return found


@lru_cache(maxsize=8)
def _sheet(colour: str) -> tuple[str, str]:
    """Return the digest and the text of the style sheet that a colour makes."""
    light, dark = (_variables(colours.shades(colour, theme)) for theme in ("light", "dark"))
    text = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
    return sha256(text.encode()).hexdigest()[:16], text


def _variables(found: Shades) -> str:
    return (
        f":root {{ --accent: {found.plain}; --accent-strong: {found.strong};"
        f" --on-accent: {found.text}; }}"
    )
