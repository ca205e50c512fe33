"""Each application opens in the portal, in a real browser; pictures of them are in var/pictures."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect
from portal import RunningPortal

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"


def _screen(frame: FrameLocator) -> Locator:
    return frame.locator("canvas")


def _files(frame: FrameLocator) -> Locator:
    return frame.get_by_role("columnheader", name="File Name")


def _plot(frame: FrameLocator) -> Locator:
    return frame.locator("[data-testid=stVegaLiteChart], [data-testid=stPyplot], canvas").first


@pytest.fixture
def granted(portal: RunningPortal, image: str) -> Iterator[str]:
    """An application that alice may start for this test."""
    portal.remoteappdb("app", "create", image)
    portal.remoteappdb("app", "grant", image, "alice", "--allow-home")
    yield image
    portal.remoteappdb("app", "remove", image)


@pytest.mark.parametrize(
    ("image", "name", "landmark"),
    [
        ("remoteapp/gnuplot", "Gnuplot", _screen),
        ("remoteapp/filemanager", "Files", _files),
        ("remoteapp/streamlit-example", "Data explorer", _plot),
    ],
)
def test_an_application_opens_in_the_portal(
    granted: str,
    name: str,
    landmark: Callable[[FrameLocator], Locator],
    open_page: Callable[[str], Page],
) -> None:
    page = open_page("alice")
    page.get_by_role("button", name=f"Start {name}").click()
    page.wait_for_url("**/sessions/*")
    frame = page.frame_locator("#application")
    for _ in range(
        3
    ):  # a browser beside the engine loses parts of a page when containers come and go
        with suppress(AssertionError):
            expect(landmark(frame)).to_be_visible(timeout=25_000)
            break
        page.reload()
    expect(landmark(frame)).to_be_visible(timeout=25_000)
    page.wait_for_timeout(1500)  # for the picture alone: an application draws after it is there
    page.screenshot(path=PICTURES / f"portal-{granted.rpartition('/')[2]}.png")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/")
