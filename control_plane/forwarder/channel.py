"""What the control plane tells the forwarder, and asks: one JSON object a line, answered by one.

    {"verb": "replace", "passages": [...], "barred": {"<viewer>": "<until>"}}
    {"verb": "put", "passage": {...}}    {"verb": "drop", "share": "<id>"}
    {"verb": "bar", "viewer": "<id>", "until": "<until>"}
    {"verb": "watching"}                 {"verb": "check"}

The answer is `{}`, to `watching` `{"watching": [...]}`, and to what is none of these
`{"error": "<sentence>"}`, which changes nothing.

Invariant: when a line is answered, what it ends has ended; a line is bounded.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from control_plane.domain import forwarding_json
from control_plane.forwarder.table import Table

LONGEST_LINE = 16 * 1024**2


class Channel:
    """Takes the control plane's connections; who may connect is the socket's affair."""

    def __init__(self, table: Table) -> None:
        """Act on this table."""
        self._table = table
        self._verbs = {
            "replace": self._replace,
            "put": self._put,
            "drop": self._drop,
            "bar": self._bar,
            "watching": self._watching,
            "check": self._check,
        }

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer line by line until the control plane has no more."""
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                answer = self._answered(line)
                await asyncio.sleep(0)  # what was cut is closed by the loop, after this turn
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # it has gone, its line is too long, or we end
        finally:
            writer.transport.abort()

    def _answered(self, line: bytes) -> Mapping[str, Any]:
        try:
            said = json.loads(line)
            return self._verbs[said["verb"]](said)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            return {"error": f"{type(error).__name__}: {error}"[:200]}

    def _replace(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = [forwarding_json.passage(one) for one in said["passages"]]
        barred = {str(who): forwarding_json.moment(until) for who, until in said["barred"].items()}
        self._table.replace(wanted, barred)
        return {}

    def _put(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._table.put(forwarding_json.passage(said["passage"]))
        return {}

    def _drop(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._table.drop(str(said["share"]))
        return {}

    def _bar(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._table.bar(str(said["viewer"]), forwarding_json.moment(said["until"]))
        return {}

    def _watching(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"watching": [forwarding_json.written(one) for one in self._table.watching()]}

    def _check(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}
