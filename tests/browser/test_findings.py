"""A content owner settles a contradiction in the browser and takes it back, with scripts and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Demo

RETENTION = "kyc-refresh-procedure.md"
LIABILITY = "lost-card-procedure.md"


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def test_both_sides_are_shown_with_what_differs_and_a_decision_is_made_and_undone(page: Page, demo: Demo) -> None:
    demo.enter(page, "owner")
    page.goto(demo.address + "/knowledge/findings?kind=contradiction&state=open")
    page.locator("tr", has_text=LIABILITY).filter(has_text="debit-card").first.locator("a").first.click()
    page.wait_for_selector("h2:has-text('What holds?')")
    assert sorted(page.locator(".passage mark strong").all_inner_texts()) == ["EUR 150", "EUR 50"]
    page.select_option("#f-action", "not a problem")
    page.fill("#f-reason", "The procedure speaks of another card")
    page.click("button.primary")
    page.wait_for_selector("text=Decided: not a problem")
    page.click("button:text-is('Undo it')")
    page.wait_for_selector("text=Undone")
    assert page.locator("tr", has_text=LIABILITY).count() >= 1


def test_somebody_who_may_not_read_one_side_is_not_told(page: Page, demo: Demo) -> None:
    demo.enter(page, "employee")
    page.goto(demo.address + "/knowledge/findings?state=any")
    assert page.locator("tr", has_text=RETENTION).count() == 0
