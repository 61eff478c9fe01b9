"""The page on connecting sources states the kinds and the limits that the code has."""

from pathlib import Path

from pilothouse.backends.running import LONGEST_WAIT_S, TRIES
from pilothouse.steps.knowledge.contracts.connections import KINDS
from pilothouse.steps.knowledge.drivers import parsing, pdf, reaching, tesseract, xlsx

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "connect-a-source.md"


def test_the_kinds_and_limits_on_the_page_are_those_of_the_code() -> None:
    page = " ".join(PAGE.read_text(encoding="utf8").split())
    assert all(f"| `{kind}` |" in page for kind in KINDS)
    for words in (f"up to {parsing.FILE_BYTES_MAX >> 20} MB a file", f"{xlsx.ROWS_MAX:,} filled rows",
                  f"{xlsx.COLUMNS_MAX} columns", f"{tesseract.SECONDS_MAX:.0f} seconds",
                  f"{pdf.OCR_PAGES_MAX} pages a file",
                  f"up to {reaching.WAIT_S_MAX:.0f} seconds on the spot", f"tried {TRIES} times"):
        assert words in page, words
    assert LONGEST_WAIT_S == 300
