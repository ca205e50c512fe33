"""What the usage ledger counts of a real container, and what no log may hold."""

import json
import secrets
from collections.abc import Iterator

import docker
import pytest
from portal import JUPYTER, RunningPortal
from stack.conftest import until

# Says on every path what CPU time it has taken; beside that it burns three seconds.
BURNER = """
import http.server, threading, time
def burn():
    while time.process_time() < 3: pass
threading.Thread(target=burn).start()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        words = str(time.process_time()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)
http.server.ThreadingHTTPServer(("", 8888), Answer).serve_forever()
"""
BURNT = 3
NEAR = 0.1


@pytest.fixture
def burner(portal: RunningPortal) -> Iterator[str]:
    """An application of bob's that burns CPU; its image's name."""
    image = f"remoteapp/burner-{secrets.token_hex(3)}:latest"
    engine = docker.from_env()
    engine.images.get(JUPYTER).tag(image)
    admin = portal.api("admin")
    wanted = {"image": image, "display_name": image, "command": ["python3", "-c", BURNER]}
    made = admin.post("/api/v1/admin/applications", json=wanted)
    assert made.status_code == 201, made.text
    application = made.json()["id"]
    granted = admin.post("/api/v1/admin/grants", json={"user": "bob", "application": application})
    portal.grants["bob", image] = granted.json()["id"]
    yield image
    admin.delete(f"/api/v1/admin/applications/{application}").raise_for_status()
    engine.images.remove(image)
    engine.close()


def test_the_ledger_counts_what_a_burner_burns(portal: RunningPortal, burner: str) -> None:
    session = portal.start("bob", burner)
    bob = portal.api("bob")
    until(lambda: float(bob.get(session["url"]).text) > BURNT, 120, "it does not burn")
    taken = float(bob.get(session["url"]).text)
    portal.stop("bob", session["id"])
    lines = portal.api("admin").get("/api/v1/admin/usage", params={"by": "application"}).json()
    (line,) = [one for one in lines["items"] if one["name"] == session["application"]]
    assert line["sessions"] == 1
    assert line["cpu_seconds"] == pytest.approx(taken, rel=NEAR)
    assert line["memory_gib_seconds"] > 0


def test_no_secret_stands_in_a_log_the_ledger_or_the_audit(portal: RunningPortal) -> None:
    licence = f"LICENCE-{secrets.token_hex(8)}"
    portal.remoteappdb("app", "create", (image := _own_name()), "--no-verify")
    admin = portal.api("admin")
    found = admin.get("/api/v1/admin/applications", params={"limit": 500}).json()["items"]
    (application,) = [one["id"] for one in found if one["image"] == image]
    grant = {"user": "bob", "application": application, "policy": {"app_license": licence}}
    made = admin.post("/api/v1/admin/grants", json=grant)
    assert made.status_code == 201, made.text
    assert made.json()["policy"]["has_app_license"] is True
    portal.grants["bob", image] = made.json()["id"]
    session = portal.start("bob", image)
    told = [
        made.text,
        admin.get("/api/v1/admin/grants", params={"limit": 500}).text,
        portal.api("bob").get("/api/v1/applications").text,
        portal.api("bob").get(f"/api/v1/sessions/{session['id']}").text,
        admin.get("/api/v1/admin/audit", params={"limit": 500}).text,
        json.dumps(admin.get("/api/v1/admin/usage").json()),
        *(path.read_text(errors="replace") for path in portal.portal.places.logs.glob("*")),
    ]
    secret = (portal.portal.places.credentials / "secret").read_text()
    hidden = [licence, secret, portal.token("bob"), portal.token("admin")]
    hidden += [portal.password(name) for name in ("alice", "bob", "admin")]
    assert [one for one in hidden for text in told if one in text] == []
    portal.stop("bob", session["id"])
    admin.delete(f"/api/v1/admin/applications/{application}").raise_for_status()
    docker.from_env().images.remove(image)


def _own_name() -> str:
    """Give an image of the tests' a name that no grant has yet."""
    image = f"remoteapp/licensed-{secrets.token_hex(3)}:latest"
    docker.from_env().images.get(JUPYTER).tag(image)
    return image
