"""The contract of a parser as checks that run on any driver, and a file of each kind to run them on."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from email.message import EmailMessage

from pilothouse.steps.knowledge.contracts import Parsed
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.ports import Parser

LINES = ("Travel Policy", "Version: 3", "Effective date: 1 March 2026", "Supersedes: version 2 of 2024-05-01",
         "Hotels cost at most 140 EUR a night.")
MARKDOWN = "# {}\n\n{}  \n{}  \n{}\n\n{}\n".format(*LINES)
HTML = ("<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p><p>{2}</p><p>{3}</p>"
        "<p>{4}</p></body></html>").format(*LINES)


def pdf(*pages: Sequence[str], title: str = "", encrypted: bool = False) -> bytes:
    """Write a PDF with one line of text under the other; `encrypted` asks for a password nobody knows."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>",
               b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
                   len(pages), b" ".join(b"%d 0 R" % (5 + 2 * n) for n in range(len(pages)))),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", b"<< /Title (%s) >>" % title.encode()]
    for n, lines in enumerate(pages):
        shown = b"".join(b"(%s) Tj T* " % _escaped(line) for line in lines)
        text = b"BT /F1 10 Tf 14 TL 50 780 Td " + shown + b"ET"
        objects += [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font"
                    b" << /F1 3 0 R >> >> >>" % (6 + 2 * n),
                    b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text)]
    return _pdf_file(objects, encrypted)


def _escaped(line: str) -> bytes:
    return line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _pdf_file(objects: Sequence[bytes], encrypted: bool) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    key = b"<%s>" % (b"5a" * 32)
    locked = b" /Encrypt << /Filter /Standard /V 1 /R 2 /O %s /U %s /P -4 >> /ID [%s %s]" % ((key,) * 4)
    table = b"".join(b"%010d 00000 n \n" % at for at in places)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R%s >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1, locked if encrypted else b"", len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer


def docx(*paragraphs: tuple[str, str], table: Sequence[Sequence[str]] = ()) -> bytes:
    """Write a Word document of (style, text) paragraphs and perhaps a table."""
    import docx as word

    document = word.Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style=style)
    if table:
        grid = document.add_table(rows=len(table), cols=len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def pptx(*slides: tuple[str, Sequence[str]], notes: str = "", table: Sequence[Sequence[str]] = (),
         hidden: int = 0) -> bytes:
    """Write a presentation of (title, lines) slides: notes go to the first, the table to the last."""
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    for number, (title, lines) in enumerate(slides, start=1):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text_frame.text = "\n".join(lines)
        if notes and number == 1:
            slide.notes_slide.notes_text_frame.text = notes
        if table and number == len(slides):
            grid = slide.shapes.add_table(len(table), len(table[0]), Inches(1), Inches(4), Inches(6), Inches(2)).table
            for r, row in enumerate(table):
                for c, text in enumerate(row):
                    grid.cell(r, c).text = text
        if number == hidden:
            slide._element.set("show", "0")
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], *, hidden: str = "", title: str = "",
         formats: Mapping[str, str] | None = None) -> bytes:
    """Write a workbook of sheets by name; `formats` gives number formats by cell of the first sheet."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        sheet.sheet_state = "hidden" if name == hidden else "visible"
    for cell, shown in (formats or {}).items():
        book.worksheets[0][cell].number_format = shown
    book.properties.title = title
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def package(members: Mapping[str, bytes]) -> bytes:
    """Write a zipped package of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def bomb(unpacked_bytes: int) -> bytes:
    """Write a Word file whose body unpacks to so many zeros."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as body:
        for _ in range(unpacked_bytes >> 20):
            body.write(bytes(1 << 20))
    return out.getvalue()


def mail(*, html: bool = False, attachment: str = "") -> bytes:
    """Write an e-mail with the sample's lines."""
    message = EmailMessage()
    message["Subject"], message["From"] = LINES[0], "Ada <ada@bank.example>"
    message["Date"] = "Mon, 2 Mar 2026 09:00:00 +0100"
    message.set_content(HTML if html else "\n\n".join(LINES[1:]), subtype="html" if html else "plain")
    if attachment:
        message.add_attachment(b"\x00secret", maintype="application", subtype="octet-stream", filename=attachment)
    return message.as_bytes()


def samples() -> dict[str, bytes]:
    """Return one good file of each kind, all saying the same."""
    return {"a.md": MARKDOWN.encode(), "a.txt": "\n\n".join(LINES).encode(), "a.html": HTML.encode(),
            "a.pdf": pdf(LINES, title=LINES[0]), "a.eml": mail(), "b.eml": mail(html=True, attachment="x.bin"),
            "a.docx": docx(("Title", LINES[0]), *(("Normal", line) for line in LINES[1:])),
            "a.pptx": pptx((LINES[0], LINES[1:])),
            "a.xlsx": xlsx({"Limits": [["Item", "Limit"], ["Hotels", "140 EUR a night"], ["Meals", "40 EUR"]]}),
            "a.json": b'{"title": "Travel Policy", "limits": [{"item": "Hotels", "limit": "140 EUR a night"}]}',
            "a.jsonl": b'{"item": "Hotels", "limit": "140 EUR a night"}\n\n{"item": "Meals", "limit": "40 EUR"}\n',
            "a.csv": b"Item,Limit,Version: 3\nHotels,140 EUR a night,\nMeals,40 EUR,\n"}


Check = Callable[[Parser, str, bytes], None]


def require_whole(parsed: Parsed) -> None:
    """Require what every reader of a parsed document relies on."""
    assert parsed.title.strip() == parsed.title != ""
    assert " ".join((parsed.title, parsed.supersedes, *(b.text for b in parsed.blocks))).encode()
    assert parsed.media_type.count("/") == 1
    assert not parsed.effective_on or date.fromisoformat(parsed.effective_on)
    for block in parsed.blocks:
        assert block.text.strip() == block.text != ""
        assert (block.level > 0) == (block.kind == "heading")
        assert block.page is None or 1 <= block.page <= (parsed.pages or 0)


def a_good_file_is_read_whole(parser: Parser, name: str, content: bytes) -> None:
    parsed = parser.parse(name, content)
    require_whole(parsed)
    assert "140 EUR" in " ".join(b.text for b in parsed.blocks)


def the_same_bytes_are_read_the_same(parser: Parser, name: str, content: bytes) -> None:
    assert parser.parse(name, content) == parser.parse(name, content)


def the_parser_names_itself_with_a_version(parser: Parser, name: str, content: bytes) -> None:
    assert any(c.isdigit() for c in parser.name)


def a_file_cut_short_is_read_or_refused_with_a_reason(parser: Parser, name: str, content: bytes) -> None:
    for share in range(1, 20):
        outcome(parser, name, content[:len(content) * share // 20])


def a_name_says_nothing_but_its_kind(parser: Parser, name: str, content: bytes) -> None:
    kind = name.rpartition(".")[2]
    plain, odd = parser.parse(name, content), parser.parse(f"../Ordner ü/…/{'x' * 200}.{kind.upper()}", content)
    assert plain.blocks == odd.blocks


def outcome(parser: Parser, name: str, content: bytes) -> str:
    """Return `read`, or the reason for which the file was refused; nothing else may come out of a parser."""
    try:
        parsed = parser.parse(name, content)
    except Unreadable as refused:
        assert refused.facts["reason"]
        assert refused.message
        return str(refused.facts["reason"])
    require_whole(parsed)
    return "read"


CHECKS: tuple[Check, ...] = (
    a_good_file_is_read_whole, the_same_bytes_are_read_the_same, the_parser_names_itself_with_a_version,
    a_file_cut_short_is_read_or_refused_with_a_reason, a_name_says_nothing_but_its_kind,
)
