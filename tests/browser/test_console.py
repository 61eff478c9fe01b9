"""The console as people meet it: each role's pages, the main journeys, without scripts, on a phone, for everybody."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ROLES, Demo

EVERYBODY = ("/", "/ask", "/portfolio", "/portfolio/new", "/use-cases/policy-desk", "/use-cases/product-finder",
             "/use-cases/product-finder/kpis/minutes-per-product-question", "/knowledge", "/knowledge/documents",
             "/knowledge/findings",
             "/people", "/people/courses/review-basics", "/adoption", "/rollout", "/settings", "/find?q=leave",
             "/portfolio/reasons", "/objectives", "/learnings", "/use-cases/product-finder/decision",
             "/use-cases/complaint-drafts/experiments", "/use-cases/complaint-drafts/experiments/drafts-by-team",
             "/use-cases/payment-investigations/experiments/cases-one-by-one")
LEADS = ("/reviews", "/ledger?kind=portfolio.use_case_proposed", "/ledger/7", "/models", "/workflows",
         "/use-cases/complaint-drafts/case", "/portfolio/priorities", "/portfolio/budget")
PICTURED = ("/", "/portfolio", "/use-cases/product-finder", "/knowledge", "/adoption", "/rollout", "/reviews",
            "/ledger")
ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "test-artifacts"


class Watched:
    """A page whose script errors and refused contents are collected."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda m: self.said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.said.append(str(e)))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_its_pages_and_is_refused_the_others(browser: Browser, demo: Demo, role: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watched = Watched(context.new_page())
    demo.enter(watched.page, role)
    for path in (*EVERYBODY, *LEADS):
        answer = watched.page.goto(demo.address + path)
        assert answer is not None
        allowed = path in EVERYBODY or role != "employee"
        assert answer.status == (200 if allowed else 403), f"{role} {path}: {answer.status}"
        assert watched.page.locator(".demo-band").count() == 1 or not allowed or path in (
            "/portfolio/new", "/people", "/people/courses/review-basics", "/ask", "/find?q=leave", "/models")
    assert [s for s in watched.said if "403" not in s] == []
    context.close()


README: dict[str, tuple[str, str]] = {
    "home": ("sponsor", "/"), "decision": ("sponsor", "/use-cases/product-finder/decision"),
    "reasons": ("sponsor", "/portfolio/reasons"), "answer": ("employee", "/ask?use_case=policy-desk"),
    "review": ("reviewer", "/reviews")}


@pytest.mark.parametrize("name", README)
def test_the_pictures_of_the_readme_can_be_made(browser: Browser, demo: Demo, name: str) -> None:
    """They are written beside the others, or with PILOTHOUSE_SCREENSHOTS=docs to where the README shows them."""
    folder = ROOT / "docs" / "images" if os.environ.get("PILOTHOUSE_SCREENSHOTS") == "docs" else SHOTS
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport={"width": 1120, "height": 720}, color_scheme="light")
    page = context.new_page()
    role, path = README[name]
    demo.enter(page, role)
    page.goto(demo.address + path, wait_until="networkidle")
    if name == "answer":
        page.fill("#text", "How long are call recordings kept?")
        page.click("main button.primary")
        page.wait_for_selector(".answer")
    if name == "review":
        page.click("tbody th a >> nth=0")
        page.wait_for_selector("h1")
    picture = folder / f"{name}.png"
    page.screenshot(path=str(picture))
    Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)  # text in few colours: a third
    assert 5_000 < picture.stat().st_size < 150_000
    context.close()


def test_a_person_asks_sees_the_sources_and_follows_the_receipt_to_its_proof(page: Page, demo: Demo) -> None:
    demo.enter(page, "employee")
    page.goto(demo.address + "/ask?use_case=policy-desk")
    page.fill("#text", "How long are call recordings kept?")
    page.click("main button.primary")
    page.wait_for_selector(".answer")
    assert "13 months" in page.inner_text(".answer")
    assert "24 months" not in page.inner_text(".answer")  # the policy of 2023 was replaced
    assert page.locator(".answer a.cite").count() >= 1
    page.click("main a.receipt >> nth=0")
    page.wait_for_selector("h1:has-text('Receipt')")
    assert "extractive" in page.inner_text("main")


def test_a_question_without_a_source_is_declined_in_plain_words(page: Page, demo: Demo) -> None:
    demo.enter(page, "employee")
    page.goto(demo.address + "/ask?use_case=policy-desk")
    page.fill("#text", "Who won the football world cup in 1998?")
    page.click("main button.primary")
    page.wait_for_selector(".answer")
    assert "do not answer" in page.inner_text(".answer")


def test_a_reviewer_approves_what_was_seen_and_reading_changes_nothing(page: Page, demo: Demo) -> None:
    demo.enter(page, "reviewer")
    page.goto(demo.address + "/reviews")
    waiting = page.locator("tbody tr").count()
    assert waiting >= 1
    opened = 0
    for link in [a.get_attribute("href") for a in page.locator("tbody th a").all()]:
        page.goto(demo.address + str(link))
        if page.locator("button[value=approve]").count():
            opened += 1
            page.click("button[value=approve]")
            page.wait_for_selector(".says")
            break
    assert opened == 1
    page.goto(demo.address + "/reviews")
    assert page.locator("tbody tr").count() == waiting - 1


def test_a_sponsor_kills_on_evidence_and_the_next_question_is_refused(page: Page, demo: Demo) -> None:
    demo.enter(page, "sponsor")
    page.goto(demo.address)
    page.click("text=a kill criterion fired")
    assert page.input_value("#f-verdict") == "kill"
    with page.expect_download() as paper:
        page.click("text=PDF to sign")
    assert Path(paper.value.path()).read_bytes().startswith(b"%PDF")
    page.click("#decide button.primary")  # the browser itself asks for the reason
    page.fill("#f-reason", "No minute was saved in fourteen weeks.")
    page.click("#decide button.primary")
    page.wait_for_selector(".says")
    assert "retired" in page.inner_text(".says")
    page.goto(demo.address + "/ask")
    assert page.locator("main option[value=product-finder]").count() == 0
    page.goto(demo.address + "/use-cases/product-finder")
    page.click("text=as decided >> nth=0")
    assert "Decided" in page.inner_text("main") and "No minute was saved" in page.inner_text("main")


def test_intake_keeps_what_was_typed_when_it_refuses(page: Page, demo: Demo) -> None:
    demo.enter(page, "owner")
    page.goto(demo.address + "/portfolio/new")
    page.fill("#f-title", "Hire faster")
    page.fill("#f-problem", "Too short")
    page.fill("#f-unit_of_work", "application read")
    page.click("button[value=propose]")
    page.wait_for_selector(".refused")
    assert page.input_value("#f-title") == "Hire faster"
    assert "10 to" in page.inner_text(".refused")


def test_asking_works_without_scripts(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    demo.enter(page, "owner")
    page.goto(demo.address + "/ask?use_case=policy-desk")
    page.fill("#text", "What is the daily allowance on trips?")
    page.click("main button.primary")
    assert "EUR" in page.inner_text(".answer")
    context.close()


def test_the_keyboard_finds_and_walks_lists(page: Page, demo: Demo) -> None:
    demo.enter(page, "owner")
    page.goto(demo.address + "/portfolio")
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("payment")
    page.wait_for_selector("#palette li:has-text('Where is my payment?')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/use-cases/payment-investigations")
    page.select_option("#switch", "policy-desk")
    page.wait_for_url("**/use-cases/policy-desk")
    page.goto(demo.address + "/portfolio")
    page.keyboard.press("j")
    assert page.locator("tbody tr.at").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_pass_the_accessibility_rules_and_fit_a_phone(browser: Browser, demo: Demo,
                                                            scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    demo.enter(page, "sponsor")
    wrong: list[Any] = []
    for path in (*EVERYBODY, *LEADS):
        page.goto(demo.address + path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append((path, "wider than the screen"))
        found = Axe().run(page).response["violations"]
        wrong += [(path, v["id"], v["nodes"][0]["html"][:120]) for v in found if v["impact"] in ("serious", "critical")]
    assert wrong == []
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_pictures_are_kept_of_the_main_pages(browser: Browser, demo: Demo, width: int, scheme: Literal["light", "dark"]
                                             ) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    demo.enter(page, "risk")
    SHOTS.mkdir(exist_ok=True)
    for path in PICTURED:
        page.goto(demo.address + path, wait_until="networkidle")
        picture = SHOTS / f"{path.strip('/').replace('/', '-') or 'home'}-{width}-{scheme}.png"
        page.screenshot(path=str(picture), full_page=True)
        assert picture.stat().st_size > 5_000
    context.close()


def test_an_objective_and_a_learning_are_entered_in_the_browser(page: Page, demo: Demo) -> None:
    demo.enter(page, "sponsor")
    page.goto(demo.address + "/objectives")
    page.fill("#f-title", "Fewer complaints come back")
    page.fill("#f-slug", "Not A Slug")
    page.fill("#f-statement", "By next summer one complaint in twenty is reopened.")
    page.click("text=Define it")
    page.wait_for_selector(".refused-box")
    assert page.input_value("#f-title") == "Fewer complaints come back"
    page.fill("#f-slug", "fewer-reopened")
    page.click("text=Define it")
    page.wait_for_selector("h2:has-text('Fewer complaints come back')")
    page.goto(demo.address + "/learnings?q=product+sheet+search+baseline")
    assert "a better search saves nothing" in page.inner_text("main")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_home_with_one_picture(page: Page, demo: Demo, role: str) -> None:
    demo.enter(page, role)
    page.goto(demo.address)
    assert page.inner_text("h1 + .chip") == role
    assert page.locator("figure.chart img").count() <= 1
    for picture in page.locator("figure.chart img").all():
        drawn = page.request.get(demo.address + str(picture.get_attribute("src")))
        assert drawn.ok and "svg" in drawn.headers["content-type"]


def test_pages_are_light_before_their_charts(page: Page, demo: Demo) -> None:
    demo.enter(page, "risk")
    heavy = {path: len(page.request.get(demo.address + path).body()) for path in (*EVERYBODY, *LEADS)}
    assert {path: n for path, n in heavy.items() if n > 100_000} == {}
