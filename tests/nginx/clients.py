"""What stands in front of nginx in its tests: a client of exact words, a browser's WebSockets."""

import asyncio
import http.client
import json
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

ALICE, BOB, CHARLIE = "alice-sign-in.0123", "bob-sign-in.4567", "charlie-sign-in.89ab"
TOKEN = "rapp_alicesToken-1"
DESKTOP, NOTEBOOK = "a" * 32, "b" * 32
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def told(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    def sent(self, name: str) -> list[str]:
        """The values of a header as the other side of nginx saw it."""
        headers = self.told["headers"]
        assert isinstance(headers, list)
        return [value for key, value in headers if key.lower() == name.lower()]


@dataclass(frozen=True)
class Client:
    """A client that sends exactly what it is told to, over TLS."""

    port: int
    ca: Path
    name: str = "localhost"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def connect(self) -> http.client.HTTPSConnection:
        made = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=15)
        made.connect()
        return made

    def ask(
        self, path: str, headers: Headers | None = None, *, method: str = "GET", body: bytes = b""
    ) -> Answer:
        connection = self.connect()
        try:
            return self.ask_over(connection, path, headers, method=method, body=body)
        finally:
            connection.close()

    def ask_over(
        self,
        connection: http.client.HTTPSConnection,
        path: str,
        headers: Headers | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"{self.name}:{self.port}")
        for name, value in headers or []:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return Answer(answer.status, answer.msg, answer.read())


class Browser:
    """Opens WebSockets through nginx; one thread has them all, a TLS stream does not bear two."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._opened: list[ClientConnection] = []
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, client: Client, path: str, headers: Headers) -> ClientConnection:
        """Shake hands; websockets' InvalidStatus has the answer that refuses it."""
        url = f"wss://{client.name}:{client.port}{path}"

        async def shake() -> ClientConnection:
            return await connect(
                url,
                host="localhost",  # whatever host of it is asked for
                server_hostname="localhost",
                ssl=client.context,
                additional_headers=headers,
                compression=None,
                max_size=None,
            )

        self._opened.append(asyncio.run_coroutine_threadsafe(shake(), self._loop).result(20))
        return self._opened[-1]

    def echo(self, socket: ClientConnection, message: bytes = b"frame") -> bool:
        """Whether it comes back."""

        async def there_and_back() -> bool:
            await socket.send(message)
            return await socket.recv() == message

        return asyncio.run_coroutine_threadsafe(there_and_back(), self._loop).result(20)

    def close(self) -> None:
        """Close every one."""

        async def close() -> None:
            await asyncio.gather(*(one.close() for one in self._opened))

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(30)
        self._opened.clear()


def signed_in(value: str) -> Headers:
    """The header of a browser that is signed in so."""
    return [("Cookie", f"__Host-remoteapp={value}")]


def path_of(session: str, rest: str = "", owner: str = "alice") -> str:
    """An address below a session's."""
    return f"/user/{owner}/containers/{session}/{rest}"
