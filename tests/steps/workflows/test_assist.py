"""The assist, read as text: it fills a field of another page and leaves everything else to the person."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

SCRIPT = (files("pilothouse.doors.console") / "static" / "assist.js").read_text(encoding="utf8")
CODE = "\n".join(line for line in SCRIPT.splitlines() if not line.strip().startswith("//"))
HOST_PAGE = Path(__file__).parents[2] / "browser" / "pages" / "assist_host.html"


@pytest.mark.parametrize("way", [r"\.submit\b", r"requestSubmit", r"\.click\(", r"\"submit\"", r"KeyboardEvent",
                                 r"new (Submit|Mouse)Event", r"closest\(\"form", r"\.form\b"])
def test_the_assist_knows_no_way_to_submit_a_form(way: str) -> None:
    assert not re.search(way, CODE)


def test_every_button_of_the_assist_is_of_the_kind_that_submits_nothing() -> None:
    assert CODE.count('made("button"') == 1
    assert re.search(r'made\("button", text, \{ type: "button" \}\)', CODE)


@pytest.mark.parametrize("way", [r"\beval\(", r"new Function", r"innerHTML", r"outerHTML", r"insertAdjacentHTML",
                                 r"document\.write", r"\.style\b", r"setAttribute\(\"style",
                                 r"createElement\(\"s(tyle|cript)"])
def test_the_assist_works_under_a_strict_content_policy(way: str) -> None:
    assert not re.search(way, CODE)


def test_the_assist_styles_itself_inside_its_own_shadow() -> None:
    assert "adoptedStyleSheets" in CODE
    assert "attachShadow" in CODE


def test_the_assist_calls_the_server_it_came_from_and_keeps_cookies_out() -> None:
    assert "script.src" in CODE
    assert not re.search(r"https?://", CODE)
    assert 'credentials: "omit"' in CODE


def test_the_assist_labels_what_it_wrote_and_shows_held_and_refused_answers() -> None:
    for said in ("AI-assisted", '"held"', "said.title", 'role: "status"', "aria-pressed"):
        assert said in CODE, said


def test_the_host_page_allows_neither_inline_scripts_nor_inline_styles() -> None:
    page = HOST_PAGE.read_text(encoding="utf8")
    assert "unsafe" not in page
    assert not re.search(r"<style|style=|<script>|\son\w+=", page)
