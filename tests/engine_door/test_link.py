"""How long the control plane waits for a door that takes connections and says nothing."""

import socket
import time
from pathlib import Path

import pytest

from control_plane.adapters import engine_link
from control_plane.adapters.engine_client import EngineClient
from control_plane.errors import EngineUnavailableError


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineClient:
    """A door whose socket is systemd's, and which cannot start; a wait is a tenth of what it is."""
    found = {call: seconds / 10 for call, seconds in engine_link.SOONER.items()}
    monkeypatch.setattr(engine_link, "SOONER", found)
    path = tmp_path / "engine.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    monkeypatch.setattr(EngineClient, "listener", listener, raising=False)  # it lives as long
    return EngineClient(path, 30)


def test_who_looks_is_told_soon_and_readiness_sooner(silent: EngineClient) -> None:
    for look, most in (
        (silent.check, 1),
        (silent.images, 2),
        (lambda: silent.images_named(["x"]), 2),
        (lambda: silent.image("x"), 2),
        (lambda: silent.log("x", 1), 2),
    ):
        begun = time.monotonic()
        with pytest.raises(EngineUnavailableError, match="in time") as caught:
            look()
        assert time.monotonic() - begun < most
        assert "remoteapp-engine.service" in caught.value.hint


def test_readiness_is_told_before_whoever_asks_gives_up() -> None:
    assert engine_link.SOONER["engine", "check"] < 10  # doctor's patience
    assert ("engine", "run") not in engine_link.SOONER
