"""The main way in Firefox: sign in, start, enter, stop."""

from browser import firefox
from browser.firefox import ENTER, TAB, until
from portal import RunningPortal

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"


def test_the_main_way_goes_in_firefox(portal: RunningPortal) -> None:
    with firefox.running() as tab:
        tab.open(f"{portal.url}/")
        tab.click("textbox", "Name")
        tab.type(f"alice{TAB}{portal.password('alice')}{ENTER}")
        tab.click("button", "Start Hello")
        until(lambda: "/sessions/" in tab.value("location.pathname"), "no page of a session")
        until(lambda: "a container of your own" in tab.framed(), "no application")
        PICTURES.mkdir(parents=True, exist_ok=True)
        tab.picture(PICTURES / "firefox-session.png")
        tab.click("button", "Stop")
        tab.click("button", "Stop it")
        until(lambda: tab.value("location.pathname") == "/", "it was not stopped")
        until(lambda: tab.value("document.querySelectorAll('.session').length") == 0, "it runs")
    assert portal.api("alice").get("/api/v1/sessions").json()["items"] == []
