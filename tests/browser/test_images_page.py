"""Images through the pages, in a real browser: pulled from a registry, uploaded, removed."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import registry
from playwright.sync_api import Locator, Page, expect

from control_plane.domain.labels import IMAGE

Open = Callable[..., Page]
LIST = "/admin/images"
SLOW = 20_000


@pytest.fixture(scope="module")
def hub() -> Iterator[registry.Registry]:
    with registry.registry() as live:
        yield live


@pytest.fixture
def offered(hub: registry.Registry) -> Iterator[str]:
    """An image that the registry has and the engine does not."""
    labels = {IMAGE + "contract": "1", IMAGE + "ui_name": "Small", IMAGE + "type": "vncapp"}
    name = hub.push(f"lab/page-{secrets.token_hex(4)}", labels=labels)
    yield name
    registry.forget(name)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """What `docker save` writes of an image that the engine does not have any more."""
    name, file = f"remoteapp-test/{secrets.token_hex(4)}:1", tmp_path / "archive.tar"
    with registry.made_image(name):
        file.write_bytes(registry.saved(name))
    yield name, file
    registry.forget(name)


def row(page: Page, name: str) -> Locator:
    return page.locator(f'#images tr[data-key="{name}"]')


def test_an_image_is_pulled_and_removed_by_the_pages(open_page: Open, offered: str) -> None:
    page, other = open_page("admin"), open_page("admin")
    for one in (page, other):
        one.goto(LIST)
    page.get_by_label("Image", exact=True).fill(offered)
    page.get_by_role("button", name="Pull", exact=True).click()
    for one in (page, other):
        expect(one.locator(f'.pull[data-key="{offered}"]')).to_contain_text(
            "It is there now.", timeout=SLOW
        )
        expect(row(one, offered)).to_contain_text("Desktop")
    row(page, offered).get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove the image").click()
    page.wait_for_url(f"**{LIST}?done=removed")
    expect(row(page, offered)).to_have_count(0)


def test_an_archive_is_uploaded_by_the_page(open_page: Open, archive: tuple[str, Path]) -> None:
    name, file = archive
    page = open_page("admin")
    page.goto(LIST)
    expect(row(page, name)).to_have_count(0)
    page.get_by_label("Archive").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(f"**{LIST}?done=uploaded", timeout=SLOW)
    expect(row(page, name)).to_contain_text("Foreign")
