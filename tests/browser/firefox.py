"""A Firefox that is driven by WebDriver BiDi, which it speaks itself: no driver stands between.

Its profile is new and goes with it; it takes any certificate, as the other browser of the tests.
"""

import base64
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeVar

from websockets.sync.client import ClientConnection, connect

FIREFOX = "firefox-esr"
PATIENCE = 30.0
TAB, ENTER = "\ue004", "\ue007"  # WebDriver's
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_SCROLL = "(element) => element.scrollIntoView({ block: 'center', behavior: 'instant' })"
T = TypeVar("T")


@dataclass(frozen=True)
class Tab:
    """One page of it; elements are found as assistive technology finds them: by role and name."""

    _line: ClientConnection
    _context: str
    _ids: Iterator[int]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; what it tells besides is passed over."""
        number = next(self._ids)
        self._line.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self._line.recv(timeout=PATIENCE))
            if told.get("id") == number:
                assert told["type"] == "success", told
                found: dict[str, Any] = told["result"]
                return found

    def open(self, url: str) -> None:
        self.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def value(self, expression: str) -> Any:
        """Return what a script says, as long as it is text, a number or a truth."""
        target = {"context": self._context}
        found = self.ask("script.evaluate", expression=expression, target=target, awaitPromise=True)
        return found["result"].get("value")

    def click(self, role: str, name: str) -> None:
        """Click in the middle of an element once it is there."""
        element = until(lambda: self._element(role, name), f"no {role} called {name}")
        target = {"context": self._context}
        self.ask(
            "script.callFunction",
            functionDeclaration=_SCROLL,
            target=target,
            arguments=[element],
            awaitPromise=False,
        )
        origin = {"type": "element", "element": element}
        moves = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def type(self, text: str) -> None:
        """Press the keys of a text, for whatever has the focus."""
        keys = [{"type": kind, "value": one} for one in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": keys})

    def framed(self) -> str:
        """Return the text of the frame in the page; empty where there is none yet."""
        (tree,) = self.ask("browsingContext.getTree", root=self._context)["contexts"]
        inner = [Tab(self._line, one["context"], self._ids) for one in tree["children"]]
        return str(inner[0].value("document.body?.innerText ?? ''")) if inner else ""

    def picture(self, path: Path) -> None:
        found = self.ask("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(found["data"]))

    def _element(self, role: str, name: str) -> dict[str, str] | None:
        locator = {"type": "accessibility", "value": {"role": role, "name": name}}
        nodes = self.ask("browsingContext.locateNodes", context=self._context, locator=locator)
        return next(({"sharedId": one["sharedId"]} for one in nodes["nodes"]), None)

    def _act(self, source: dict[str, Any]) -> None:
        self.ask("input.performActions", context=self._context, actions=[source])


@contextmanager
def running() -> Iterator[Tab]:
    """Run a Firefox with one tab, until the context ends."""
    with ExitStack() as undo:
        profile = undo.enter_context(tempfile.TemporaryDirectory())
        words = [FIREFOX, "--headless", "--no-remote", "--remote-debugging-port=0"]
        process = undo.enter_context(
            subprocess.Popen(
                [*words, "--profile", profile],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        undo.callback(process.terminate)
        assert process.stderr
        address = _address(process.stderr)
        line = undo.enter_context(connect(f"{address}/session", max_size=None))
        first = Tab(line, "", count(1))
        wanted = {"alwaysMatch": {"acceptInsecureCerts": True}}
        first.ask("session.new", capabilities=wanted)
        (tree,) = first.ask("browsingContext.getTree")["contexts"]
        yield Tab(line, tree["context"], first._ids)  # noqa: SLF001 - a tab of the same line


def until(found: Callable[[], T | None], lacking: str) -> T:
    """Return what is found at last."""
    deadline = time.monotonic() + PATIENCE
    while not (one := found()):
        assert time.monotonic() < deadline, lacking
        time.sleep(0.1)
    return one


def _address(output: IO[str]) -> str:
    for line in output:
        if match := _LISTENING.search(line):
            return match[1]
    raise AssertionError("Firefox has ended before it listened.")
