"""Whether the process is up, and whether what it needs answers."""

from dataclasses import replace
from pathlib import Path

from served import portal_of
from starlette.testclient import TestClient

from control_plane.adapters.disk import StateDisk
from control_plane.domain.ports import Plane


def test_a_portal_whose_parts_answer_is_ready(plane: Plane) -> None:
    with TestClient(portal_of(plane)) as client:
        assert client.get("/healthz").json() == {"status": "up"}
        answer = client.get("/readyz")
    checks = dict.fromkeys(("disk", "database", "engine", "routes"), "ok")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": checks})


def test_a_full_disk_is_told_of_by_name_and_the_process_is_still_up(
    plane: Plane, tmp_path: Path
) -> None:
    with TestClient(portal_of(replace(plane, disk=StateDisk(tmp_path, least=2**60)))) as client:
        answer = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    checks = answer.json()["checks"]
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert checks["disk"].startswith("The disk is full:")
    assert {name: said for name, said in checks.items() if said == "ok"} == dict.fromkeys(
        ("database", "engine", "routes"), "ok"
    )
