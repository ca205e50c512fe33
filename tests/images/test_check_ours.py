"""Our own images keep every promise of the contract, by `control-plane image check`."""

import pytest
from images.checks import DESKTOP, aside, built, checked

pytestmark = pytest.mark.usefixtures("images")
DESKTOPS = ("base-vnc", "terminal")
SERVERS = ("hello", "jupyter")
READ_ONLY = "It became ready with a root that cannot be written."


@pytest.mark.parametrize("name", DESKTOPS)
def test_a_desktop_of_ours_keeps_every_promise(name: str) -> None:
    points = checked(f"remoteapp/{name}")
    assert aside(points) == []
    assert points["resize"]["seen"] == (
        "It follows the browser's window; asked to start with 1016x648 it does."
    )
    assert points["clipboard"]["seen"] == (
        "It takes a text copied in the browser (every character); "
        "what is copied in the desktop was not tried."
    )
    assert points["read-only"]["seen"] == READ_ONLY


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_of_ours_keeps_every_promise_that_a_desktop_alone_does_not_make(name: str) -> None:
    points = checked(f"remoteapp/{name}")
    assert aside(points) == list(DESKTOP)
    assert points["read-only"]["seen"] == READ_ONLY


def test_an_older_desktop_passes_and_it_is_said_what_does_not_apply() -> None:
    points = checked(built("older"), "--start-timeout", "120")
    assert aside(points) == ["contract", "application", "user", "listeners", "read-only"]
    assert points["capabilities"]["seen"] == (
        "It became ready as root with CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID alone."
    )


def test_a_foreign_server_passes_by_the_fields_of_its_application() -> None:
    fields = ("--port", "80", "--run-as", "root", "--strip-path")
    points = checked(built("foreign-static"), *fields)
    assert aside(points) == ["contract", "labels", "icon", *DESKTOP, "user", "read-only"]
