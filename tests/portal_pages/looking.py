"""A person's look at a page: how it is opened, and what is found wrong with it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
CHECKS = (Path(__file__).parent / "checks.js").read_text()
VIOLATIONS = """window.violated = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.violated.push(`against the policy: ${event.violatedDirective} ${event.blockedURI}`));"""
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# What a theme changes, and what a width does; all else in a page is the same in each.
OF_A_THEME = ("color-contrast",)
OF_A_WIDTH = ("target-size", "scrollable-region-focusable", "color-contrast")
AXE = """async (only) => {
    const found = await axe.run(document, { runOnly: only, resultTypes: ["violations"],
        iframes: false });
    return found.violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) =>
        `axe ${id}: ${node.html.slice(0, 120)} ${node.any[0]?.message ?? ""}`));
}"""
# Whatever changed the look of the page is drawn.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
HEIGHT, LONGEST_PICTURE = 900, 6000  # px
# Stops beside the controls: the parts of dates, and what scrolls.
PARTS = 30
Theme = Literal["light", "dark"]
Forced = Literal["active", "none"]


@dataclass
class Look:
    """A page of a browser in which every address is opened, and what was wrong with each."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    _at: str = ""

    def __post_init__(self) -> None:
        """Listen to all that a page does."""
        self.page.add_init_script(VIOLATIONS)
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complain([f"script: {error}"]))
        self.page.on("dialog", self._dialog)

    def open(self, address: str, status: int = 200) -> None:
        """Open an address and complain of its status if it is another."""
        self._at = address[:70]
        answer = self.page.goto(address)
        assert answer
        if answer.status != status:
            self.complain([f"answered {answer.status}, not {status}"])
        if not answer.url.endswith(address):
            self.complain([f"led on to {answer.url}"])
        self.page.evaluate(CHECKS)

    def check(self, name: str) -> None:
        """Run one of the checks of checks.js."""
        self.complain(self.page.evaluate(f"window.checks.{name}()"))

    def load_axe(self) -> None:
        """Have axe on the page; the policy does not bind what is evaluated."""
        self.page.evaluate(AXE_SCRIPT)

    def axe(self, rules: Sequence[str] = ()) -> None:
        """Ask axe: by all rules of WCAG 2.2 AA, or by these."""
        only = {"type": "rule", "values": list(rules)} if rules else list(TAGS)
        self.complain(self.page.evaluate(AXE, only))

    def size(self, width: int) -> None:
        """Make the window that wide."""
        self.page.set_viewport_size({"width": width, "height": HEIGHT})

    @contextmanager
    def theme(self, theme: Theme, width: int, forced: Forced = "none") -> Iterator[None]:
        """Look at it in a theme and a width; complaints name both."""
        before, self._at = self._at, f"{self._at} ({theme}, {width})"
        self.page.emulate_media(color_scheme=theme, forced_colors=forced)
        self.size(width)
        self.page.evaluate(PAINTED)
        yield
        self.page.emulate_media(color_scheme=theme, forced_colors="none")
        self._at = before

    def picture(self, name: str) -> None:
        """Leave a picture in var/pictures, of all of it where that is not endless."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        is_short = self.page.evaluate("document.documentElement.scrollHeight") <= LONGEST_PICTURE
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=is_short)

    def tab_through(self) -> None:
        """Press Tab until everything was reached, or long enough for what holds it longer."""
        for _ in range(self.page.evaluate("window.checks.listen()")):
            self.page.keyboard.press("Tab")
        for _ in range(PARTS):
            if self.page.evaluate("window.checks.arrived()"):
                break
            self.page.keyboard.press("Tab")
        self.check("missed")

    def complain(self, found: Sequence[str]) -> None:
        """Note what is wrong here."""
        self.complaints += [f"{self._at}: {one}" for one in found]

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.complain([f"asked elsewhere: {request.url}"])

    def _console(self, line: ConsoleMessage) -> None:
        # A page that is to answer 404 is told of as an error of its own.
        is_own = line.location["url"] == self.page.url and "status of" in line.text
        if line.type == "error" and not is_own:
            self.complain([f"console: {line.text}"])

    def _dialog(self, dialog: Dialog) -> None:
        self.complain([f"asks: {dialog.message}"])
        dialog.dismiss()
