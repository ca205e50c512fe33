"""Remoteapp's control plane: who may run what, what runs, and where nginx finds it."""

__version__ = "0.1.0"
