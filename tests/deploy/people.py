"""The people and applications of a provisioned host, and what they do over HTTPS as a client does.

Everything is made by the commands that an operator types on the host.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from deploy.hosts import Host

HELLO, TERMINAL = "remoteapp/hello:latest", "remoteapp/terminal:latest"
PEOPLE = ("alice", "bob", "admin")
PATIENCE = 60.0


@dataclass
class Site:
    """A host that has been provisioned; `grants` are the ids by user and image."""

    host: Host
    grants: dict[tuple[str, str], str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def password(self, name: str) -> str:
        return f"{name}-has-a-long-password"

    def remoteappdb(self, line: str, given: str | None = None) -> str:
        """Run a verb as an operator does; return what it prints."""
        return self.host.run(f"remoteappdb {line}", given=given).stdout.strip()

    def furnish(self) -> None:
        """Make the cast and what they may start; alice and bob start what is in the engine."""
        for image in (HELLO, TERMINAL):
            self.remoteappdb(f"app create {image}")
        for name in PEOPLE:
            role = " --admin" if name == "admin" else ""
            self.remoteappdb(f"user create {name}{role}")
            self.remoteappdb(f"user password {name} --stdin", given=self.password(name))
        for name in ("alice", "bob"):
            for image in (HELLO, TERMINAL):
                grant = self.remoteappdb(f"app grant {image} {name} --allow-home")
                self.grants[name, image] = grant

    def api(self, name: str) -> httpx.Client:
        """Return a client that brings the person's token."""
        if name not in self.tokens:
            with self.host.client() as client:
                credentials = (name, self.password(name))
                answer = client.post("/api/v1/tokens", json={"name": "tests"}, auth=credentials)
            assert answer.status_code == 201, answer.text
            self.tokens[name] = answer.json()["token"]
        return self.host.client(Authorization=f"Bearer {self.tokens[name]}")

    def start(self, name: str, image: str = HELLO) -> dict[str, Any]:
        """Start an application and wait until it is ready; return the session."""
        with self.api(name) as api:
            body = {"grant_id": self.grants[name, image]}
            answer = api.post("/api/v1/sessions", json=body)
            assert answer.status_code == 202, answer.text
            return self.wait_for(api, answer.json()["id"], "ready")

    def stop(self, name: str, session_id: str) -> None:
        """Stop a session and wait until it is gone."""
        with self.api(name) as api:
            answer = api.delete(f"/api/v1/sessions/{session_id}")
        assert answer.status_code == 204, answer.text

    def sessions(self, name: str) -> list[str]:
        """Return the ids of what somebody runs."""
        with self.api(name) as api:
            return [one["id"] for one in api.get("/api/v1/sessions").json()["items"]]

    def stop_all(self, name: str) -> None:
        """Stop what somebody runs."""
        for session_id in self.sessions(name):
            self.stop(name, session_id)

    def wait_for(self, api: httpx.Client, session_id: str, state: str) -> dict[str, Any]:
        """Return the session once it is in that state."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = api.get(f"/api/v1/sessions/{session_id}")
            except httpx.RemoteProtocolError:  # a kept connection, cut by a reload of nginx
                continue
            found: dict[str, Any] = answer.json()
            if found["state"] == state:
                return found
            assert found["state"] != "failed", found["failure"]
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        """Wait until the portal says that all its parts answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self._readiness()
            if said == "ready":
                return
            assert time.monotonic() < deadline, said
            time.sleep(0.2)

    def _readiness(self) -> str:
        try:
            with self.host.client() as client:
                answer = client.get("/readyz")
        except httpx.TransportError as error:
            return str(error)
        return "ready" if answer.status_code == httpx.codes.OK else answer.text
