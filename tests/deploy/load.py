"""People who use a portal all the while, and note whatever goes wrong for them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from deploy.hosts import until
from deploy.people import Site

STREAM = {"Accept": "text/event-stream"}
PAUSE = 0.1  # else these clients leave no processor to what they ask


@dataclass
class Load:
    """What was asked how often, and every answer that was not as it should be."""

    session: str
    url: str
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def look(self, api: httpx.Client) -> None:
        self._note("GET", api.get("/api/v1/sessions"))

    def change(self, api: httpx.Client) -> None:
        answer = api.post(f"/api/v1/sessions/{self.session}/extend", json={"seconds": 1})
        self._note("POST", answer)

    def enter(self, api: httpx.Client) -> None:
        self._note("application", api.get(self.url))

    def listen(self, api: httpx.Client) -> None:
        """Follow the events until the stream ends in order, as a browser does before it returns."""
        with api.stream("GET", "/api/v1/sessions", headers=STREAM) as answer:
            self._note("stream", answer)
            for _ in answer.iter_lines():
                if self.over.is_set():
                    return

    def wait_for_more(self, count: int = 5) -> None:
        """Wait until each kind was answered so many times more."""
        before = Counter(self.done)
        until(lambda: all(self.done[kind] >= before[kind] + count for kind in ("GET", "POST")))

    def again_and_again(self, act: Callable[[httpx.Client], None], api: httpx.Client) -> None:
        """Act until the end, with a client of one's own, noting what fails and when."""
        with api:
            while not self.over.is_set():
                try:
                    act(api)
                except httpx.HTTPError as error:
                    self.wrong.append(f"{time.strftime('%T')} {act.__name__}: {error!r}")
                self.over.wait(PAUSE)

    def _note(self, kind: str, answer: httpx.Response) -> None:
        self.done[kind] += 1
        if answer.status_code != httpx.codes.OK:
            self.wrong.append(f"{time.strftime('%T')} {kind}: {answer.status_code}")


@contextmanager
def under_load(site: Site, session: str, url: str) -> Iterator[Load]:
    """Use alice's session in four ways, by two at once, until the context ends; it has an end."""
    load = Load(session, url)
    ways = (load.look, load.change, load.enter, load.listen) * 2
    clients = [(act, site.api("alice")) for act in ways]
    threads = [threading.Thread(target=load.again_and_again, args=one) for one in clients]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.over.set()
        for one in threads:
            one.join()
