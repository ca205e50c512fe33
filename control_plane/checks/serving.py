"""What an application serves over HTTP, as a browser behind the portal sees it."""

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from control_plane.adapters.application_client import PORTAL, Answer, ApplicationClient
from control_plane.checks import advice
from control_plane.checks.advice import Clues
from control_plane.checks.booting import Booted, Subject, Waited
from control_plane.checks.report import broken, passed
from control_plane.domain.image_checks import Point
from control_plane.domain.names import shown
from control_plane.errors import ControlPlaneError

_MOST_REDIRECTS = 10
_MOST_PARTS = 20
_MOST_ADDRESSES = 1000
_LONGEST_ADDRESS = 4000  # characters
# Where an address stands in a page, and whether the page is not whole without what it names.
_ADDRESSES = {
    ("script", "src"): True,
    ("link", "href"): True,
    ("img", "src"): True,
    ("iframe", "src"): True,
    ("form", "action"): False,
    ("a", "href"): False,
}
_ORIGIN = f"https://{PORTAL}"
_NEEDS_BASE = (
    "Serve everything below $JPY_BASE_USER_URL/containers/$URL_ID/ ({base_path} in an "
    "application's command or environment), or make addresses relative."
)
_NEEDS_STRIP = "Give it its base path instead of stripping it, where it can take one."


class _BrokenError(ControlPlaneError):
    """A page that does not keep to its session path; the message is what was seen."""


def points(subject: Subject, one: Booted, waited: Waited, clues: Clues) -> Iterator[Point]:
    """Judge where it answers, when, and whether it keeps to its session path."""
    yield _port(subject, one, waited, clues)
    if waited.connected is not None:
        yield _ready(subject, one, waited, clues.tail)
    if waited.ready is not None:
        yield base_path(one.client)


def _port(subject: Subject, one: Booted, waited: Waited, clues: Clues) -> Point:
    port, seconds = one.session.port, subject.terms.start_timeout
    if waited.connected is not None:
        return passed("port", f"Port {port} took a connection after {waited.connected:.1f} s.")
    if waited.status is not None:
        seen = f"{_ended(waited)} before port {port} answered.{clues.tail}"
        return broken("port", seen, advice.of_end(subject))
    seen = f"Nothing answered on port {port} within {seconds:.0f} s.{clues.tail}"
    return broken("port", seen, advice.of_silence(subject, clues.listeners))


def _ready(subject: Subject, one: Booted, waited: Waited, tail: str) -> Point:
    path, seconds = _shortened(one.client, one.session.ready_path), subject.terms.start_timeout
    if waited.ready is not None:
        return passed("ready", f"{path} answered 2xx after {waited.ready:.1f} s.")
    if waited.status is not None:
        seen = f"{_ended(waited)} before it was ready.{tail}"
        return broken("ready", seen, advice.of_end(subject))
    answer = _last(one)
    said = f"the last answer was {_said(one.client, answer)}."
    seen = f"{path} did not answer 2xx within {seconds:.0f} s; {said}"
    return broken("ready", seen, advice.of_answer(subject, answer))


def base_path(client: ApplicationClient) -> Point:
    """Judge whether an application that answers keeps to its session path."""
    todo = _NEEDS_STRIP if client.strips else _NEEDS_BASE
    try:
        path, page = _followed(client, f"{client.base}/")
        for part in _kept_inside(client, path, page)[:_MOST_PARTS]:
            _check_is_there(client, part)
    except _BrokenError as error:
        return broken("base-path", error.message, todo)
    seen = f"Its page is {_shortened(client, path)} for {client.user}"
    return passed("base-path", f"{seen}, and no address in it leads out.")


def _followed(client: ApplicationClient, path: str) -> tuple[str, Answer]:
    """Return where the page is, and the page."""
    for _ in range(_MOST_REDIRECTS):
        answer = client.get(path)
        if not answer.leads_on:
            break
        path = _inside(client, answer.location, f"{_shortened(client, path)} leads to")
    if not answer.is_success:
        raise _BrokenError(f"{_shortened(client, path)} answers {_said(client, answer)}.")
    return path, answer


def _kept_inside(client: ApplicationClient, path: str, page: Answer) -> list[str]:
    """Return the addresses on this origin that the page is not whole without."""
    found = _Addresses(_ORIGIN + path)
    found.feed(page.body)
    needed = {}
    for address, is_needed in found.addresses.items():
        if address.startswith(f"{_ORIGIN}/"):
            inside = _inside(client, address, "The page refers to")
            if is_needed:
                needed[inside] = True
    return list(needed)


def _check_is_there(client: ApplicationClient, part: str) -> None:
    answer = client.get(part)
    if not (answer.is_success or answer.leads_on):
        needed = _shortened(client, part)
        raise _BrokenError(f"The page needs {needed}, which answers {_said(client, answer)}.")


def _inside(client: ApplicationClient, address: str, what: str) -> str:
    """Return the path and query of an address of the session; _BrokenError for any other."""
    parts = urlsplit(address)
    if f"{parts.scheme}://{parts.netloc}" != _ORIGIN:
        raise _BrokenError(f"{what} {shown(address)}, which is another server.")
    if not client.holds(parts.path):
        raise _BrokenError(f"{what} {shown(parts.path)}, which lies outside of its session path.")
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _shortened(client: ApplicationClient, path: str) -> str:
    return shown(path.replace(client.base, "<session path>", 1))


def _ended(waited: Waited) -> str:
    return f"The container ended with status {waited.status}"


def _last(one: Booted) -> Answer:
    base = one.client.base if one.client.strips else ""
    return one.client.get(base + one.session.ready_path)


def _said(client: ApplicationClient, answer: Answer) -> str:
    if answer.leads_on:
        where = _shortened(client, answer.location.removeprefix(_ORIGIN))
        return f"{answer.status}, which leads to {where}"
    return str(answer.status) if answer.status else f"nothing ({shown(answer.body)})"


class _Addresses(HTMLParser):
    """Collects the addresses of a page, absolute, with whether the page needs what they name.

    Only so many, and none that is too long: a page could make them fill the memory.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page
        self._base: str | None = None
        self.addresses: dict[str, bool] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag refers to."""
        for name, value in attrs:
            if not value or len(value) > _LONGEST_ADDRESS:
                continue
            if tag == "base" and name == "href" and self._base is None:  # the first one counts
                self._base = _joined(self._page, value)
            elif (tag, name) in _ADDRESSES and len(self.addresses) < _MOST_ADDRESSES:
                address = _joined(self._base or self._page, value.strip())
                if address is not None:
                    self._keep(address, needed=_ADDRESSES[tag, name])

    def _keep(self, address: str, *, needed: bool) -> None:
        self.addresses[address] = self.addresses.get(address, False) or needed


def _joined(base: str, value: str) -> str | None:
    """Return an address, absolute; None for what no browser follows either."""
    try:
        return urljoin(base, value)
    except ValueError:
        return None
