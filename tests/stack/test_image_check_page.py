"""An administrator's page checks an image on the real engine, as the service's own account."""

import re

import docker
from portal import HELLO, RunningPortal
from stack.conftest import until

from control_plane.checks.report import NAMES


def test_the_service_checks_an_image_and_leaves_nothing_of_it(
    portal: RunningPortal, engine_api: docker.DockerClient
) -> None:
    known = portal.api("admin").get("/api/v1/admin/applications", params={"image": HELLO}).json()
    here = f"/admin/applications/{known['items'][0]['id']}"
    admin = portal.client("admin")
    assert admin.post(f"{here}/check").status_code == 303
    until(lambda: 'data-every="2"' not in admin.get(here).text, 90, "the check does not end")
    page = admin.get(here).text
    assert "It keeps every promise that could be looked at." in page, page
    results = re.findall(r'<tr data-result="([a-z ]+)">', page)
    assert len(results) == len(NAMES)
    assert results.count("pass") > len(NAMES) / 2
    left = engine_api.containers.list(all=True, filters={"name": "remoteapp-check-"})
    assert left == []
    assert list((portal.portal.places.state / "checks").iterdir()) == []
