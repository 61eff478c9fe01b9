"""Connected systems in the console: who may connect one, and that a problem is told where the source stands."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Demo


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def test_an_engineer_connects_a_site_and_reads_why_it_cannot_be_synced(page: Page, demo: Demo,
                                                                        request: pytest.FixtureRequest) -> None:
    name = "plain pages" if "no scripts" in request.node.name else "lively pages"
    demo.enter(page, "engineer")
    page.goto(demo.address + "/knowledge")
    page.fill("#f-name", name)
    page.select_option("#f-kind", "web")
    page.fill("#f-address", "http://127.0.0.1:9/")
    page.fill("#f-options", "depth: 1")
    page.fill("#f-every_minutes", "0")
    page.click('button:text-is("Connect and sync")')
    row = page.locator("tr", has_text="http://127.0.0.1:9/").filter(has_text=name)
    for _ in range(100):
        page.goto(demo.address + "/knowledge")
        if "private network" in row.inner_text():
            break
        page.wait_for_timeout(200)
    assert "is in a private network" in row.inner_text()
    assert "when asked" in row.inner_text()
    row.get_by_text("Stop").click()
    page.wait_for_selector("text=is synced no more")
    assert row.get_by_text("stopped").count() == 1


def test_options_that_are_none_are_refused_by_their_line(page: Page, demo: Demo) -> None:
    demo.enter(page, "engineer")
    page.goto(demo.address + "/knowledge")
    page.fill("#f-name", "never")
    page.select_option("#f-kind", "web")
    page.fill("#f-options", "depth: 1\nnonsense")
    page.click('button:text-is("Connect and sync")')
    page.wait_for_selector("text=line 2 of the options")


def test_an_employee_is_shown_no_connection_and_no_way_to_make_one(page: Page, demo: Demo) -> None:
    demo.enter(page, "employee")
    page.goto(demo.address + "/knowledge")
    assert page.locator("text=Connect a system").count() == 0
    assert page.locator("text=Connected systems").count() == 0
