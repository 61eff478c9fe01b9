"""Presentations, workbooks, records, mails with attachments, and pages that are pictures."""

import sys
from datetime import date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pilothouse.kernel.errors import Unavailable
from pilothouse.steps.knowledge.contracts import DocumentQuery, DocumentRef, Parsed
from pilothouse.steps.knowledge.drivers import tesseract, xlsx
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.ports import Picture
from pilothouse.testing.knowledge import Library
from pilothouse.testing.papers import paper, prose, scan
from pilothouse.testing.suites import parser as suite

PARSER = FileParser()


def told(parsed: Parsed, kind: str = "") -> list[str]:
    return [b.text for b in parsed.blocks if kind in ("", b.kind)]


def test_a_slide_is_a_page_with_its_title_texts_table_and_notes() -> None:
    parsed = PARSER.parse("deck.pptx", suite.pptx(
        ("Fees", ["Gold costs 5 EUR.", "Blue is free."]), ("Secret plans", ["not yet"]), ("Limits", ["A day:"]),
        notes="Say that fees\nrise in May.", table=[["Card", "Limit"], ["Gold", "900 EUR"]], hidden=2))
    assert [(b.page, b.kind, b.text) for b in parsed.blocks] == [
        (1, "heading", "Fees"), (1, "item", "Gold costs 5 EUR."), (1, "item", "Blue is free."),
        (1, "paragraph", "Speaker notes: Say that fees"), (1, "paragraph", "Speaker notes: rise in May."),
        (3, "heading", "Limits"), (3, "item", "A day:"), (3, "table", "Card: Gold; Limit: 900 EUR")]
    assert (parsed.title, parsed.pages, parsed.notes) == ("Fees", 3, ("hidden slides were left out: 2",))


def test_a_workbook_is_told_sheet_by_sheet_row_by_row_under_the_names_of_its_columns() -> None:
    parsed = PARSER.parse("fees.xlsx", suite.xlsx({
        "Fees": [["Fees of 2026"], [], ["Card", "Fee", "Share", "From"], ["Gold", 5.0, 0.25, date(2026, 3, 1)],
                 ["Blue", 0, None, datetime(2026, 3, 1, 9, 30)], [], ["Branch", "Open"], ["Cork", True]],
        "Draft": [["never", "shown"]], "Empty": []}, hidden="Draft", formats={"C4": "0%"}))
    assert [(b.kind, b.text) for b in parsed.blocks] == [
        ("heading", "Fees"), ("paragraph", "Fees of 2026"),
        ("table", "Card: Gold; Fee: 5; Share: 25%; From: 2026-03-01"),
        ("table", "Card: Blue; Fee: 0; From: 2026-03-01 09:30"), ("table", "Branch: Cork; Open: yes"),
        ("heading", "Empty")]
    assert parsed.notes == ("1 hidden sheet was left out",)


def test_a_formula_without_a_stored_value_is_said_to_have_none() -> None:
    parsed = PARSER.parse("a.xlsx", suite.xlsx({"S": [["Item", "Sum"], ["A", "=1+1"], ["B", "=2+2"]]}))
    assert told(parsed, "table") == ["Item: A", "Item: B"]
    assert parsed.notes == ("2 formulas have no stored value: open the workbook in a spreadsheet program and save it",)


def test_a_huge_sheet_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "ROWS_MAX", 50)
    with pytest.raises(Unreadable, match="more than 50 filled rows") as refused:
        PARSER.parse("a.xlsx", suite.xlsx({"S": [["a", n] for n in range(60)]}))
    assert refused.value.facts["reason"] == "too-large"


def test_a_sheet_that_is_too_wide_is_refused() -> None:
    wide = suite.xlsx({"S": [["x"] * 300]})
    with pytest.raises(Unreadable, match="more than 256 columns"):
        PARSER.parse("a.xlsx", wide)


def test_records_are_told_one_a_line_with_the_path_of_each_field() -> None:
    parsed = PARSER.parse("x/cards.json", b"""{"title": "Cards", "valid": true, "bank": {"name": "Larkenfeld",
        "city": {"name": "Cork"}}, "none": null, "cards": [{"card": "Gold", "fees": {"yearly": 5.5}, "for": ["a", 2]},
        {"card": "Blue", "history": [{"year": 2025, "fee": 1}]}]}""")
    assert [(b.kind, b.text) for b in parsed.blocks] == [
        ("table", "title: Cards; valid: yes; bank.name: Larkenfeld; bank.city.name: Cork"), ("heading", "cards"),
        ("table", "card: Gold; fees.yearly: 5.5; for: a, 2"), ("table", "card: Blue"), ("heading", "history"),
        ("table", "year: 2025; fee: 1")]
    assert parsed.title == "Cards"


def test_a_line_that_is_no_record_is_named() -> None:
    with pytest.raises(Unreadable, match="line 3"):
        PARSER.parse("a.jsonl", b'{"a": 1}\n\n{broken\n')


def with_attachments(*files: tuple[str, bytes]) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "Minutes", "Ada <ada@bank.example>"
    message.set_content("The minutes are attached.")
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def test_what_attachments_say_is_read_with_the_mail() -> None:
    inner = with_attachments(("limits.csv", b"Item,Limit\nHotels,140 EUR\n"))
    parsed = PARSER.parse("m.eml", with_attachments(
        ("plan.pdf", paper(prose(["The plan of May."]), prose(["The plan of June."]))), ("inner.eml", inner),
        ("lock.pdf", suite.pdf(["x"], encrypted=True))))
    text = told(parsed)
    for said in ("Attachment: plan.pdf", "Page 2", "The plan of June.", "Attachment: limits.csv",
                 "Item: Hotels; Limit: 140 EUR", "Attachment: lock.pdf"):
        assert said in text
    assert parsed.notes == ("attachment 3 was not read: encrypted",)
    assert all(b.page is None for b in parsed.blocks)
    suite.require_whole(parsed)


def test_mails_within_mails_end_somewhere() -> None:
    mail = with_attachments(("a.txt", b"the innermost words"))
    for _ in range(6):
        mail = with_attachments(("m.eml", mail))
    parsed = PARSER.parse("m.eml", mail)
    assert "the innermost words" not in told(parsed)
    assert any(note.endswith("was not read: too-deep") for note in parsed.notes)


def test_pages_without_a_text_layer_are_named_when_no_engine_is_installed() -> None:
    parsed = PARSER.parse("a.pdf", paper(prose(["Page one has words."]), scan, scan))
    assert parsed.notes == ("no text layer on pages 2, 3; no OCR engine installed",)
    with pytest.raises(Unreadable, match="no text layer on page 1; no OCR engine installed") as refused:
        PARSER.parse("a.pdf", paper(scan))
    assert refused.value.facts["reason"] == "no-text"


def test_what_was_not_read_of_a_document_is_told_with_it(library: Library) -> None:
    library.knowledge = library.opened(parser=FileParser())
    library.define()
    library.write("a.pdf", paper(prose(["Page one has words."]), scan))
    report = library.ingest()
    assert report.notes == ("a.pdf: no text layer on page 2; no OCR engine installed",)
    found = library.run(library.knowledge.list_documents(library.ada, DocumentQuery()))
    view = library.run(library.knowledge.document(library.ada, DocumentRef(document_id=found[0].id)))
    assert view.notes == ("no text layer on page 2; no OCR engine installed",)
    assert library.ingest().notes == ()


ENGINE = """#!{python}
import sys
if sys.argv[1] == "--version":
    print("tesseract 5.9.9\\n leptonica")
    sys.exit()
head = sys.stdin.buffer.readline(), sys.stdin.buffer.readline(), sys.stdin.buffer.readline()
wide, high = map(int, head[1].split())
pixels = sys.stdin.buffer.read()
assert head[0] == b"P5\\n" and len(pixels) == wide * high, head
{then}
"""


def engine(folder: Path, then: str, **limits: Any) -> tesseract.Tesseract:
    """Write a small program that takes a picture as tesseract does, and do `then`."""
    program = folder / "tesseract"
    program.write_text(ENGINE.format(python=sys.executable, then=then))
    program.chmod(0o755)
    return tesseract.Tesseract(program, **limits)


def test_an_engine_reads_what_is_a_picture_and_the_notes_say_so(tmp_path: Path) -> None:
    ocr = engine(tmp_path, "print('Grey words:', wide > 1000, 'deu' in sys.argv[4], '\\n\\nNext part.\\f')",
                 languages="eng+deu")
    parser = FileParser(ocr=ocr)
    parsed = parser.parse("a.pdf", paper(prose(["Page one has words."]), scan))
    assert [(b.page, b.text) for b in parsed.blocks] == [
        (1, "Page one has words."), (2, "Grey words: True True"), (2, "Next part.")]
    assert parsed.notes == ("text of page 2 was recognised by tesseract-5.9.9",)
    assert parser.name.endswith("tesseract-5.9.9")


@pytest.mark.parametrize(("then", "says"), [
    ("import time; time.sleep(30)", "longer than 0.5 seconds"), ("sys.exit(3)", "ended with 3"),
    ("x = bytearray(1 << 30); print('never')", "ended with 1")])
def test_an_engine_that_hangs_fails_or_swells_is_stopped_and_reported(tmp_path: Path, then: str, says: str) -> None:
    ocr = engine(tmp_path, then, memory_bytes=400 << 20)
    ocr._seconds = 0.5 if "sleep" in then else 20
    parsed = FileParser(ocr=ocr).parse("a.pdf", paper(prose(["Page one has words."]), scan))
    assert len(parsed.notes) == 1
    assert parsed.notes[0].startswith("no text layer on page 2; the OCR engine failed")
    assert says in parsed.notes[0]


def test_an_engine_sees_no_credential_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_SECRET", "not for you")
    ocr = engine(tmp_path, "import os; print(sorted(os.environ))")
    assert "BUCKET_SECRET" not in ocr.read(Picture(width=2, height=1, pixels=b"\0\0", dots_per_inch=72))


def test_an_engine_is_looked_for_by_name_and_may_be_refused(tmp_path: Path) -> None:
    program = engine(tmp_path, "print('x')")._program
    found = tesseract.installed(str(program))
    assert found is not None
    assert found.name == "tesseract-5.9.9"
    assert tesseract.installed("none") is None
    assert tesseract.installed(str(tmp_path / "absent")) is None
    with pytest.raises(Unavailable, match="cannot be started"):
        tesseract.Tesseract(tmp_path / "absent")


def test_html_cells_that_span_rows_and_columns_are_told_in_each() -> None:
    page = b"""<h1>Fees</h1><table><tr><th rowspan=2>Card</th><th colspan=2>Fee in</th></tr><tr><th>2025</th>
        <th>2026</th></tr><tr><td rowspan=2>Gold</td><td>5</td><td>6</td></tr><tr><td>7</td><td>8</td></tr>
        <tr><td colspan=3>All in EUR</td></tr></table>"""
    assert told(PARSER.parse("a.html", page), "table") == [
        "Card: Gold; Fee in 2025: 5; Fee in 2026: 6", "Card: Gold; Fee in 2025: 7; Fee in 2026: 8", "Card: All in EUR"]
