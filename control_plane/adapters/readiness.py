"""Whether an application answers: one connection, one GET, one status."""

import asyncio

import h11

_OK = range(200, 300)


async def answers(address: str, port: int, path: str, seconds: float = 2.0) -> bool:
    """Return whether `GET path` is answered with 2xx within that time; never raises for a peer."""
    try:
        async with asyncio.timeout(seconds):
            return await _status(address, port, path) in _OK
    except (OSError, TimeoutError, ValueError, OverflowError, h11.ProtocolError):
        return False


async def _status(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [("host", f"{address}:{port}"), ("connection", "close")]
        request = h11.Request(method="GET", target=path, headers=headers)
        writer.write(connection.send(request) or b"")
        return await _answer(connection, reader)
    finally:
        writer.close()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> int:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(4096))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif not isinstance(event, h11.InformationalResponse):
            return 0
