"""Charts, figures and long work as people meet them: with scripts, without, by keyboard, on a phone, for everybody."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import Demo

CASE = "/use-cases/complaint-drafts/case"
SEQUENCE = "/use-cases/payment-investigations/experiments/cases-one-by-one"
WITH_CHARTS = ("/", "/portfolio", "/portfolio/priorities", "/portfolio/budget", "/adoption", CASE, SEQUENCE,
               "/use-cases/complaint-drafts", "/use-cases/complaint-drafts/experiments/drafts-by-team",
               "/use-cases/complaint-drafts/kpis/minutes-per-reply")
WITH_FIGURES = (*WITH_CHARTS[1:], "/objectives")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page of a browser that runs no script."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=False)
    yield made.new_page()
    made.close()


def drawn(page: Page, demo: Demo, path: str) -> None:
    """Open a page once its charts are drawn in the page; the first one only begins to make their script."""
    for _ in range(40):
        page.goto(demo.address + path)
        if page.locator("figure[data-chart^='/static/charts-']").count():
            page.wait_for_selector("figure[data-drawn] .chart-live svg")
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"the charts' script was never made: {path}")


def test_charts_are_drawn_in_the_page_under_the_strict_policy_with_one_script(page: Page, demo: Demo) -> None:
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: said.append(str(e)))
    demo.enter(page, "sponsor")
    drawn(page, demo, CASE)
    scripts: list[str] = []
    page.on("request", lambda r: scripts.append(r.url) if "/static/charts-" in r.url else None)
    for path in WITH_CHARTS:
        scripts.clear()
        drawn(page, demo, path)
        until(page, "[...document.querySelectorAll('figure.chart')].every(f => f.dataset.drawn)")
        assert len(scripts) <= 1, (path, scripts)
        assert not page.locator("figure.chart picture").first.is_visible(), path
    assert said == []


def test_the_script_is_named_by_its_content_packed_and_kept_for_good(page: Page, demo: Demo) -> None:
    demo.enter(page, "sponsor")
    drawn(page, demo, "/portfolio")
    address = str(page.locator("figure.chart").first.get_attribute("data-chart"))
    answer = page.request.get(demo.address + address)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert page.request.get(demo.address + "/static/charts-0000.js").status == 404
    page.goto(demo.address + "/settings")
    assert page.locator("script[src*='charts-']").count() == 0


def test_a_chart_shows_its_figures_under_the_pointer(page: Page, demo: Demo) -> None:
    demo.enter(page, "sponsor")
    drawn(page, demo, SEQUENCE)
    page.locator("figure.chart").first.locator("path[aria-roledescription=point], .mark-symbol path").last.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "200" in page.inner_text("#vg-tooltip-element") and "min" in page.inner_text("#vg-tooltip-element")


def until(page: Page, true: str) -> None:
    """Wait until an expression is true; the page's own policy forbids the waiting that compiles one in it."""
    for _ in range(100):
        if page.evaluate(true):
            return
        page.wait_for_timeout(100)
    raise AssertionError(true)


def dragged(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Drag over the first chart's plot, from one corner to the other, as shares of its width and height."""
    box = page.locator("figure.chart .chart-live svg .background").first.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + left * width, y + top * height)
    page.mouse.down()
    page.mouse.move(x + (left + right) / 2 * width, y + (top + bottom) / 2 * height, steps=4)
    page.mouse.move(x + right * width, y + bottom * height, steps=4)
    page.mouse.up()


@pytest.mark.parametrize("path", ["/portfolio", "/portfolio/priorities"])
def test_dragging_over_the_matrix_filters_the_list_and_the_address_and_a_click_opens(page: Page, demo: Demo, path: str
                                                                                     ) -> None:
    demo.enter(page, "sponsor")
    drawn(page, demo, path)
    everything = page.locator("#listed tbody tr").count()
    dragged(page, 0.02, 0.03, 0.62, 0.55)
    until(page, "location.search.includes('complexity_from=')")
    until(page, f"document.querySelectorAll('#listed tbody tr').length < {everything}")
    left = page.locator("#listed tbody th > a").all_inner_texts()
    assert left and len(left) < everything
    shared = page.url
    assert set(parse_qs(urlparse(shared).query)) >= {"complexity_from", "complexity_to"}
    page.goto(shared)  # whoever gets the address sees the same, drawn and listed
    page.wait_for_selector("figure[data-drawn] svg")
    assert page.locator("#listed tbody th > a").all_inner_texts() == left
    assert page.locator("figure.chart svg .brush_brush, figure.chart svg .mark-rect").count() >= 1
    drawn(page, demo, path)
    points = page.locator("figure.chart svg path[aria-roledescription=point], figure.chart svg .mark-symbol path")
    points.first.click()
    page.wait_for_url("**/use-cases/*")


def test_the_same_filter_works_without_scripts_and_by_keyboard(plain: Page, page: Page, demo: Demo) -> None:
    demo.enter(plain, "sponsor")
    plain.goto(demo.address + "/portfolio")
    plain.fill("[name=complexity_to]", "4")
    plain.press("[name=complexity_to]", "Enter")
    assert plain.locator("#listed tbody tr").count() == 2
    assert "2 of 7 use cases in this range" in plain.inner_text("#listed caption")
    plain.wait_for_selector("figure.chart img", state="visible")
    plain.goto(demo.address + "/portfolio?spend_from=much")
    assert plain.locator("#filter-refused").inner_text().startswith("write a number")
    assert plain.locator("#listed tbody tr").count() == 7
    demo.enter(page, "sponsor")
    page.goto(demo.address + "/portfolio")
    page.focus("[name=complexity_to]")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#listed tbody tr').length === 2")
    page.locator("#listed").focus()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/use-cases/product-finder")


@pytest.mark.parametrize("scripts", [True, False])
def test_every_figure_opens_its_provenance_in_place(browser: Browser, demo: Demo, scripts: bool) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=scripts)
    page = context.new_page()
    demo.enter(page, "sponsor")
    for path in WITH_FIGURES:
        page.goto(demo.address + path)
        assert page.locator(".figure .figure-value").count() == page.locator(
            ".figure .figure-value > button.opens").count(), path
        for button in page.locator("button.opens").all()[:3]:
            before = page.url
            button.click()
            sheet = page.locator(".provenance:popover-open")
            told = sheet.inner_text()
            assert page.url == before and "Formula" in told and "Source" in told, path
            assert "not stated" not in told, (path, told)
            page.keyboard.press("Escape")
            assert sheet.count() == 0
    context.close()


def test_ids_are_unique_also_after_a_fragment_was_put_in(page: Page, demo: Demo) -> None:
    demo.enter(page, "owner")
    page.goto(demo.address + CASE)
    page.fill('form[aria-label] input[name="drivers[0].review.high"]', "12")
    page.keyboard.press("Tab")
    page.wait_for_selector("text=A draft: nothing of it is kept")
    page.wait_for_selector("#outcome figure[data-drawn] svg")
    twice = page.evaluate("""() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
        return ids.filter((id, i) => ids.indexOf(id) !== i); }""")
    assert twice == []
    page.locator("#outcome button.opens").first.click()
    assert "a draft, not frozen" in page.locator(".provenance:popover-open").inner_text()


def test_the_experiment_shows_its_sequence_with_bar_and_stop_line_its_power_and_its_verdict(plain: Page, demo: Demo
                                                                                            ) -> None:
    demo.enter(plain, "sponsor")
    plain.goto(demo.address + SEQUENCE)
    says = plain.locator("figure.chart img").first.get_attribute("alt") or ""
    assert "planned end 240 people" in says and "The bar is" in says
    svg = plain.request.get(demo.address + SEQUENCE + "/sequence.svg").text()
    assert all(words in svg for words in (">bar: worth acting on<", ">planned end: stop<", ">no effect<"))
    assert "80" in plain.request.get(demo.address + SEQUENCE + "/power.svg").text()
    plain.locator("summary:has-text('Numbers of this picture')").first.click()
    # ten looks; the first or two saw too few people in one arm, as the lots fell
    assert 8 <= plain.locator(".chart-data[open] tbody tr").count() <= 10
    assert plain.request.get(demo.address + SEQUENCE + "/effect.svg").status == 404


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_drawn_charts_open_sheets_and_long_work_pass_the_accessibility_rules(
        browser: Browser, demo: Demo, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    demo.enter(page, "engineer")
    wrong = []
    for path in WITH_CHARTS:
        if path != "/":
            drawn(page, demo, path)
        if page.locator("button.opens").count():
            page.locator("button.opens").first.click()
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append((path, "wider than the screen", ""))
        wrong += [(path, v["id"], v["nodes"][0]["html"][:120]) for v in Axe().run(page).response["violations"]
                  if v["impact"] in ("serious", "critical")]
    assert wrong == [], wrong
    context.close()


def test_finished_work_is_shown_to_the_end_and_cannot_be_cancelled(page: Page, demo: Demo) -> None:
    demo.enter(page, "engineer")
    jobs = page.request.get(demo.address + "/api/v1/jobs", headers={
        "authorization": f"Bearer {demo.keys['PILOTHOUSE_KEY_ENGINEER']}"}).json()
    job = next(j for j in jobs if j["kind"] == "demo.history")
    page.goto(demo.address + f"/work/{job['id']}")
    assert "done" in page.inner_text(".head") and page.locator("button.danger").count() == 0
    demo.enter(page, "employee")
    answer = page.goto(demo.address + f"/work/{job['id']}")
    assert answer is not None and answer.status == 403
