"""The plane of the use cases' tests, for a portal that the command line can reach."""

from usecases.conftest import alice, application, charlie, clock, engine, gateway, loop, plane

__all__ = ["alice", "application", "charlie", "clock", "engine", "gateway", "loop", "plane"]
