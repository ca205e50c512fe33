"""The main ways in a browser that runs no scripts: every act is a form."""

import re

from playwright.sync_api import Locator, Page, expect
from portal_pages import hostile
from portal_pages.conftest import People, Site, sign_in


def card(page: Page, name: str) -> Locator:
    return page.locator(f".application[data-name='{name}']")


def test_an_application_is_started_entered_and_stopped(people: People) -> None:
    page = people.page(scripts=False)
    sign_in(page, "alice")
    card(page, "Hello").get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    application = page.frame_locator("#application").get_by_role("heading", name="An application")
    page.reload()  # as the page does itself while it starts
    expect(application).to_be_visible()
    page.goto("/")
    card(page, "Hello").get_by_role("button", name="Stop Hello").click()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/?done=stopped")
    expect(page.locator(".session")).to_have_count(0)


def test_a_user_and_a_group_are_made_and_removed(people: People) -> None:
    page = people.page(scripts=False)
    sign_in(page, hostile.ADMIN)
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Users").first.click()
    page.get_by_role("link", name="New user").click()
    page.get_by_role("textbox", name="Name").fill("noscript")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Create the user").click()
    expect(page.locator("[aria-invalid]")).to_have_count(1)
    expect(page.get_by_role("textbox", name="Name")).to_have_value("noscript")
    page.get_by_label("Password").fill(hostile.password("noscript"))
    page.get_by_role("button", name="Create the user").click()
    page.wait_for_url("**/admin/users/noscript?done=created")
    sign_in(people.page(scripts=False), "noscript")
    page.goto("/admin/users/noscript/remove")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/admin/users?done=removed")


def test_an_application_is_made_and_granted(people: People, site: Site) -> None:
    page = people.page(hostile.ADMIN, scripts=False)
    page.goto("/admin/applications/new")
    page.get_by_role("textbox", name="Or another image").fill("lab/without-scripts:1")
    page.get_by_role("textbox", name=re.compile("^Name")).fill("Without scripts")
    page.get_by_role("button", name="Create the application").click()
    page.wait_for_url("**/admin/applications/*?done=created")
    page.goto("/admin/grants/new")
    page.get_by_label("Without scripts").check()
    page.get_by_label("Users").fill("charlie")
    page.get_by_role("button", name="Grant it").click()
    page.wait_for_url("**/admin/grants*done=*")
    held = site.plane.accounting.grants_of("charlie")
    assert "lab/without-scripts:1" in {one.application.image for one in held}
