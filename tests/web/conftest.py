"""The plane of the use cases' tests, served."""

from usecases.conftest import alice, application, charlie, clock, engine, gateway, loop, plane

__all__ = ["alice", "application", "charlie", "clock", "engine", "gateway", "loop", "plane"]
