"""The assist on a page of another origin, whose policy allows no inline script: it drafts and never submits."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import Demo, HostPage

PAGE = Path(__file__).parent / "pages" / "assist_host.html"
QUESTION = "How long are call recordings kept?"


def test_a_draft_lands_in_the_field_is_labelled_can_be_put_back_and_is_never_sent(
        browser: Browser, demo: Demo, host_page: HostPage) -> None:
    host_page.html = PAGE.read_text(encoding="utf8").replace("HOST", demo.address).replace(
        "complaint-drafts", "policy-desk").encode()
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.goto(host_page.address)
    page.fill("#complaint", QUESTION)
    page.fill("#reply", "Dear customer,")
    page.fill("#key", demo.keys["PILOTHOUSE_KEY_EMPLOYEE"])
    page.click("text=Draft with AI >> nth=0")
    page.wait_for_selector("text=AI-assisted", timeout=30_000)
    assert "13 months" in page.input_value("#reply")
    found = [v["id"] for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    page.click("text=Put my text back")
    assert page.input_value("#reply") == "Dear customer,"
    assert (found, said, host_page.sent) == ([], [], 0)
    assert page.url.rstrip("/") == host_page.address
    context.close()


def test_without_a_key_the_assist_says_so_and_changes_nothing(browser: Browser, demo: Demo, host_page: HostPage
                                                              ) -> None:
    host_page.html = PAGE.read_text(encoding="utf8").replace("HOST", demo.address).encode()
    context = browser.new_context()
    page = context.new_page()
    page.goto(host_page.address)
    page.fill("#reply", "Dear customer,")
    page.fill("#key", "ph_not_a_key")
    page.click("text=Draft with AI >> nth=0")
    page.wait_for_selector(".refused")
    assert (page.input_value("#reply"), host_page.sent) == ("Dear customer,", 0)
    context.close()
