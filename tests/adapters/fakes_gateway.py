"""A gateway in memory; it passes the contract tests of the real one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from control_plane.domain.routes import Route


@dataclass
class FakeGateway:
    """The routes as a set."""

    routes: set[Route] = field(default_factory=set)

    def publish(self, route: Route) -> None:
        self.withdraw(route.session_id)
        self.routes.add(route)

    def withdraw(self, session_id: str) -> None:
        self.routes -= {route for route in self.routes if route.session_id == session_id}

    def replace(self, routes: Sequence[Route]) -> bool:
        changed = self.routes != set(routes)
        self.routes = set(routes)
        return changed

    def poke(self) -> None:
        """Nothing is ever put off."""

    def check(self) -> None:
        """Whatever is handed over is taken."""
