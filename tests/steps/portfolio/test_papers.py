"""The board's paper as PDF: what it says, also with letters that its typeface lacks."""

import pypdfium2
import pytest

from pilothouse.doors.console import papers
from pilothouse.kernel.codec import convert
from pilothouse.steps.portfolio.contracts.deciding import BoardPaper

USE_CASE = {
    "id": "uc_1", "slug": "desk", "title": "Desk <b>&amp;", "problem": "Waiting, waiting.", "outcome": "speed",
    "unit_of_work": "case", "volume_per_month": None, "current_cost_eur": None, "audience": "employees",
    "autonomy": "drafts for a person", "data_classes": [], "geographies": [], "units": [], "sources": [],
    "owner": "o", "proposed_by": "p", "risk_tier": "high", "tier_reasons": [], "stage": "pilot", "trial": False,
    "proposed_at": "2026-01-01T00:00:00.000000Z", "demo": True}
PAPER = {
    "use_case": USE_CASE, "question": "Gate out of pilot: what becomes of Desk <b>&amp;?",
    "assessment": {"use_case_id": "uc_1", "stage": "pilot", "recommended": "hold", "why": ["Minutes: no evidence"],
                   "results": [{"kpi": {"use_case_id": "uc_1", "slug": "m", "title": "Minutes", "unit": "min",
                                        "shape": "mean", "better": "lower", "least_change": 2.0},
                                "baseline": None, "estimate": None, "grade": "E0", "status": "no data",
                                "n_current": 0, "period": ""}],
                   "facts": [], "evidence": list(range(40)), "digest": "ab" * 32},
    "policy": {"stage": "pilot", "risk_tier": "high", "quorum": 2, "grade_min": "E1", "valid_days": 180},
    "votes": [{"use_case_id": "uc_1", "by": "v", "verdict": "go", "reason": None,
               "at": "2026-02-01T00:00:00.000000Z", "expires_at": "2026-03-01", "seq": 7}],
    "conditions": [], "reasons": []}


@pytest.fixture(scope="module")
def text() -> str:
    made = papers.board_paper(convert(PAPER, BoardPaper), {"o": "Ágnes Ąłgőrska", "v": "李雷"},
                              at="2026-11-23T10:00:00.000000Z")
    document = pypdfium2.PdfDocument(made)
    assert len(document) == 1
    found: str = document[0].get_textpage().get_text_range()
    return " ".join(found.split())


def test_the_paper_says_what_is_asked_what_is_known_and_that_it_is_demo_data(text: str) -> None:
    for said in ("what becomes of Desk <b>&amp;?", "DEMONSTRATION DATA", "recommends: hold", "no data",
                 "Signature", "ab" * 32, "28 more"):
        assert said in text


def test_letters_that_the_typeface_lacks_become_their_base_letter_or_a_question_mark(text: str) -> None:
    assert "Ágnes Ałgorska" in text
    assert "??" in text


def test_a_quorum_of_two_has_two_lines_to_sign(text: str) -> None:
    assert text.count("Signature") == 2
    assert "erased" in text


def test_the_same_paper_is_the_same_file() -> None:
    paper = convert(PAPER, BoardPaper)
    assert papers.board_paper(paper, {}, at="2026-11-23T10:00:00.000000Z") == papers.board_paper(
        paper, {}, at="2026-11-23T10:00:00.000000Z")
