"""The business case as finance meets it: an input redraws the figures at once, with scripts and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Demo

CASE = "/use-cases/complaint-drafts/case"
REVIEW = 'form[aria-label] input[name="drivers[0].review.high"]'


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def first_figure(page: Page) -> str:
    return page.locator("#outcome .figure-value").first.inner_text()


def test_changing_an_input_redraws_the_figures_and_their_pictures(page: Page, demo: Demo,
                                                                  request: pytest.FixtureRequest) -> None:
    demo.enter(page, "owner")
    page.goto(demo.address + CASE)
    before, picture = first_figure(page), page.locator("#outcome .chart img").first.get_attribute("src")
    page.fill(REVIEW, "12")
    if "no scripts" in request.node.name:
        page.click('button:text-is("Compute")')
    else:
        page.keyboard.press("Tab")
    page.wait_for_selector("text=A draft: nothing of it is kept")
    assert first_figure(page) != before
    drawn = page.locator("#outcome .chart img").first.get_attribute("src")
    assert drawn != picture and drawn is not None
    assert page.request.get(demo.address + drawn).headers["content-type"] == "image/svg+xml"


def test_a_bad_number_is_refused_in_place_and_stays_typed(page: Page, demo: Demo,
                                                          request: pytest.FixtureRequest) -> None:
    demo.enter(page, "owner")
    page.goto(demo.address + CASE)
    page.fill(REVIEW, "-3")
    if "no scripts" in request.node.name:
        page.click('button:text-is("Compute")')
    else:
        page.keyboard.press("Tab")
    page.wait_for_selector("#outcome .refused-box")
    assert "high" in page.locator("#outcome .refused-box").first.inner_text()
    assert page.input_value(REVIEW) == "-3"


def test_an_owner_freezes_a_scenario_compares_it_and_takes_it_to_finance(page: Page, demo: Demo,
                                                                         request: pytest.FixtureRequest) -> None:
    scenario = "strict-review" if "no scripts" in request.node.name else "strict-check"
    demo.enter(page, "owner")
    page.goto(demo.address + CASE + "?scenario=base&version=1&drivers%5B0%5D.review.high=9")
    page.fill("#f-as", scenario)
    page.click("text=Freeze it")
    page.wait_for_selector(".says")
    assert f"Frozen as {scenario}, version 1" in page.locator(".says").inner_text()
    page.goto(demo.address + CASE + f"/compare?left=base:1&right={scenario}:1")
    assert page.locator("text=drivers[Writing minutes of a reply].review.high").count() == 1
    file = page.request.get(demo.address + CASE + f"/{scenario}/1/file.xlsx")
    assert file.body()[:2] == b"PK"
