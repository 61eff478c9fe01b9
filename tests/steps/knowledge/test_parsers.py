"""Every kind of file: what is read of it, what is refused and why, and that hostile bytes end in a reason."""

import io
import time
import zipfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import pilothouse.app
from pilothouse.steps.knowledge.contracts import Parsed
from pilothouse.steps.knowledge.drivers.declared import declared
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.testing.suites import parser as suite
from pilothouse.testing.suites.parser import LINES, docx, mail, outcome, pdf, samples

PARSER = FileParser()
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
SAMPLES = samples()
DEMO = Path(pilothouse.app.__file__).parent / "demo" / "documents"
MANIFEST = yaml.safe_load((DEMO / "manifest.yaml").read_text(encoding="utf8"))["documents"]
FILINGS = Path(__file__).parents[4] / "shared" / "data" / "docugami" / "docs"


def text_of(parsed: Parsed) -> str:
    return "\n".join(b.text for b in parsed.blocks)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda c: c.__name__)
def test_a_parser_keeps_its_contract(check: suite.Check, name: str) -> None:
    check(PARSER, name, SAMPLES[name])


@pytest.mark.parametrize("name", [n for n in SAMPLES if not n.endswith((".csv", ".eml", ".xlsx", ".json", ".jsonl"))])
def test_declarations_are_found_in_every_kind(name: str) -> None:
    parsed = PARSER.parse(name, SAMPLES[name])
    assert (parsed.title, parsed.declared_version, parsed.effective_on, parsed.supersedes) == (
        "Travel Policy", "3", "2026-03-01", "version 2 of 2024-05-01")


@pytest.mark.parametrize("about", MANIFEST, ids=lambda a: a["path"])
def test_the_demo_documents_say_what_their_manifest_says(about: dict[str, object]) -> None:
    parsed = PARSER.parse(str(about["path"]), (DEMO / str(about["path"])).read_bytes())
    suite.require_whole(parsed)
    assert parsed.title
    if parsed.declared_version:
        assert parsed.declared_version.startswith(str(about["version"]).split(".")[0])
    if parsed.effective_on:
        assert parsed.effective_on == str(about["effective"])
    assert any(b.kind == "heading" for b in parsed.blocks) or str(about["path"]).endswith(".csv")
    assert "| Larkenfeld" not in parsed.title


def test_almost_every_demo_document_declares_its_date_where_a_reader_would_look() -> None:
    dated = [a["path"] for a in MANIFEST if "effective" in a
             and not PARSER.parse(a["path"], (DEMO / a["path"]).read_bytes()).effective_on]
    assert len(dated) <= 5, dated


@pytest.mark.skipif(not FILINGS.exists(), reason="needs the public evaluation data beside the checkout")
def test_filings_are_read_page_by_page_without_their_running_lines() -> None:
    for path in sorted(FILINGS.glob("2023 Q*.pdf"))[:6]:
        started = time.perf_counter()
        parsed = PARSER.parse(path.name, path.read_bytes())
        assert time.perf_counter() - started < 10
        suite.require_whole(parsed)
        assert parsed.pages is not None
        assert parsed.pages > 20
        assert {b.page for b in parsed.blocks} > set(range(2, parsed.pages - 3))
        assert sum(b.kind == "heading" for b in parsed.blocks) > 15
        assert sum(c.isalpha() for c in parsed.title) > 3 or path.stem in parsed.title
        assert sum(b.text == "Table of Contents" for b in parsed.blocks) <= 1


@pytest.mark.parametrize(("name", "content", "reason"), [
    ("a.pdf", pdf(LINES, encrypted=True), "encrypted"),
    ("a.docx", OLD_OFFICE + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    ("a.docx", OLD_OFFICE, "wrong-extension"),
    ("a.pdf", b"just words", "wrong-extension"),
    ("a.md", pdf(LINES), "wrong-extension"),
    ("a.txt", SAMPLES["a.docx"], "wrong-extension"),
    ("a.docx", pdf(LINES), "wrong-extension"),
    ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(40), "wrong-extension"),
    ("a.exe", b"MZ" + bytes(40), "unknown-kind"),
    ("noextension", b"words", "unknown-kind"),
    ("a.md", b"", "empty"),
    ("a.txt", b" \n\t \n", "empty"),
    ("a.md", b"\xef\xbb\xbf", "empty"),
    ("a.txt", b"broken \x81\x8d\x8f bytes", "encoding"),
    ("a.md", b"words \x00 and a null", "encoding"),
    ("a.txt", "日本語の文書です。".encode("shift-jis") * 5, "encoding"),
    ("a.txt", b"\xff\xfea", "encoding"),
    ("a.csv", b"\xfe\xff\xd8\x00", "encoding"),
    ("a.html", b"<p>null \x00 byte</p>", "encoding"),
    ("a.pdf", b"%PDF-1.7\ngarbage", "malformed"),
    ("a.docx", b"PK\x03\x04garbage", "malformed"),
    ("a.xlsx", b"PK\x03\x04garbage", "malformed"),
    ("a.pptx", SAMPLES["a.xlsx"], "malformed"),
    ("a.xlsx", SAMPLES["a.pptx"], "malformed"),
    ("a.xlsx", OLD_OFFICE + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    ("a.pptx", OLD_OFFICE, "wrong-extension"),
    ("a.xlsm", SAMPLES["a.xlsx"], "macros"),
    ("a.docm", SAMPLES["a.docx"], "macros"),
    ("a.xls", OLD_OFFICE, "unknown-kind"),
    ("a.xlsx", suite.package({"xl/vbaProject.bin": b"x" * 40, "xl/workbook.xml": b"<workbook/>"}), "macros"),
    ("a.xlsx", suite.package({"xl/workbook.xml": b"<!DOCTYPE lolz [<!ENTITY a 'b'>]><w>&a;</w>"}), "malformed"),
    ("a.xlsx", suite.package({f"xl/{n}.xml": b"" for n in range(5_001)}), "zip-bomb"),
    ("a.json", b"{broken", "malformed"),
    ("a.json", b"[" * 60 + b"1" + b"]" * 60, "malformed"),
    ("a.json", b'{"n": ' + b"9" * 5_000 + b"}", "malformed"),
    ("a.jsonl", b'{"a": 1}\n{broken\n', "malformed"),
    ("a.json", b"\x89PNG\r\n\x1a\n", "wrong-extension"),
])
def test_a_bad_file_is_refused_for_its_reason(name: str, content: bytes, reason: str) -> None:
    assert outcome(PARSER, name, content) == reason


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(kind: str) -> None:
    content = suite.bomb(300 << 20)
    started = time.perf_counter()
    assert outcome(PARSER, f"a.{kind}", content) == "zip-bomb"
    assert time.perf_counter() - started < 0.2


def test_a_zip_that_lies_about_its_sizes_is_not_believed_either() -> None:
    content = bytearray(suite.bomb(64 << 20))
    at = content.rindex(b"PK\x01\x02") + 24  # the unpacked size in the central directory
    content[at:at + 4] = (1000).to_bytes(4, "little")
    started = time.perf_counter()
    assert outcome(PARSER, "a.docx", bytes(content)) in ("malformed", "zip-bomb")
    assert time.perf_counter() - started < 0.5


def test_a_zip_of_something_else_is_no_word_document() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert outcome(PARSER, "a.docx", out.getvalue()) == "malformed"


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.html", "a.csv", "a.eml", "a.pdf"])
def test_a_file_beyond_the_limits_is_refused_at_once(name: str) -> None:
    started = time.perf_counter()
    assert outcome(PARSER, name, b"words, " * 8_000_000) == "too-large"
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.csv", "a.html"])
def test_a_text_of_more_than_twenty_million_characters_is_refused_without_parsing_it(name: str) -> None:
    started = time.perf_counter()
    assert outcome(PARSER, name, b"<p>words, \n" * 2_000_000) == "too-large"
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(("content", "shown"), [
    ("Müller – 5 €".encode(), "Müller – 5 €"), (b"\xef\xbb\xbf" + "Müller".encode(), "Müller"),
    ("Müller – 5 €".encode("utf-16"), "Müller – 5 €"), (b"\xfe\xff" + "Müller".encode("utf-16-be"), "Müller"),
    ("Müller – 5 € naïve".encode("cp1252"), "Müller – 5 € naïve"),
])
@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.csv", "a.html"])
def test_usual_encodings_are_read(content: bytes, shown: str, name: str) -> None:
    assert text_of(PARSER.parse(name, content)) == shown


def test_html_obeys_the_charset_it_declares() -> None:
    page = '<html><head><meta charset="iso-8859-2"></head><body><p>Łódź</p></body></html>'
    assert text_of(PARSER.parse("a.html", page.encode("iso-8859-2"))) == "Łódź"


def test_markdown_keeps_headings_lists_tables_and_front_matter() -> None:
    parsed = PARSER.parse("a.md", b"---\ntitle: \"Own title\"\nversion: 2.1\neffective: 2026-04-01\n---\n# Top\n\n"
                          b"## Sub\n- one\n- two **bold**\n\n| Card | Fee |\n|---|---|\n| Gold | 5 EUR |\n\n```\ncode\n"
                          b"```\n\nA\nline.\n")
    assert [(b.kind, b.level, b.text) for b in parsed.blocks] == [
        ("heading", 1, "Top"), ("heading", 2, "Sub"), ("item", 0, "one"), ("item", 0, "two bold"),
        ("table", 0, "Card: Gold; Fee: 5 EUR"), ("code", 0, "code"), ("paragraph", 0, "A line.")]
    assert (parsed.title, parsed.declared_version, parsed.effective_on) == ("Own title", "2.1", "2026-04-01")


def test_a_very_long_markdown_file_is_read_as_if_it_were_in_one_piece() -> None:
    section = ("## Part {0}\n\nText of {0}.\n\n- item\n\n  more of it\n\n```\ncode\n\nand more\n\n# of it\n```\n\n"
               "> said\n\n")
    many = 8_000  # about 600 kB: more than one part
    parsed = PARSER.parse("a.md", "".join(section.format(n) for n in range(many)).encode())
    assert len(parsed.blocks) == 6 * many
    kinds = ("heading", "paragraph", "item", "item", "code", "paragraph")
    assert tuple(b.kind for b in parsed.blocks) == kinds * many


def test_html_shows_what_a_reader_sees() -> None:
    parsed = PARSER.parse("a.html", b"<title>Loan | Bank</title><body><nav>menu</nav><script>x()</script><h1>Loan</h1>"
                          b"<div>Loose text <b>bold</b> end<ul><li>first<li>second <p>inner</p></ul></div><table><tr>"
                          b"<th>Term<th>Rate<tr><td>5 years<td>3.1 %</table><p hidden>not this</p></body>")
    text = text_of(parsed)
    assert parsed.title == "Loan"
    assert "Term: 5 years; Rate: 3.1 %" in text
    assert "Loose text bold end" in text
    assert "inner" in text
    assert not {"menu", "x()", "not this"} & set(text.split("\n"))


def test_html_meta_declares_too() -> None:
    parsed = PARSER.parse("a.html", b"<meta name=version content=7><meta name='Effective-Date' content='5 May 2026'>"
                          b"<h1>Terms</h1>")
    assert (parsed.declared_version, parsed.effective_on) == ("7", "2026-05-05")


def test_a_table_repeats_its_header_in_every_row() -> None:
    for content in (b"Branch;City\nB1;Cork\n\nB2;\"Graz; Mitte\"\n", b"Branch\tCity\nB1\tCork\nB2\tGraz; Mitte\n"):
        assert [b.text for b in PARSER.parse("x/branch-list.csv", content).blocks] == [
            "Branch: B1; City: Cork", "Branch: B2; City: Graz; Mitte"]


def test_word_keeps_headings_lists_and_tables_with_their_header() -> None:
    parsed = PARSER.parse("a.docx", docx(
        ("Title", "Terms"), ("Heading 1", "Fees"), ("List Bullet", "one"), ("Normal", " "),
        table=[["Card", "Fee"], ["Gold", "5 EUR"], ["Blue", "0 EUR"]]))
    assert [(b.kind, b.level, b.text) for b in parsed.blocks] == [
        ("heading", 1, "Terms"), ("heading", 1, "Fees"), ("item", 0, "one"), ("table", 0, "Card: Gold; Fee: 5 EUR"),
        ("table", 0, "Card: Blue; Fee: 0 EUR")]


def test_mail_shows_who_wrote_and_names_attachments_that_cannot_be_read() -> None:
    for content in (mail(attachment="plan.bin"), mail(html=True, attachment="plan.bin")):
        parsed = PARSER.parse("a.eml", content)
        text = text_of(parsed)
        assert parsed.title == "Travel Policy"
        assert "From: Ada <ada@bank.example>" in text
        assert "Hotels cost at most 140 EUR a night." in text
        assert "Attachment: plan.bin" in text
        assert "secret" not in text
        assert parsed.notes == ("attachment 1 was not read: unknown-kind",)


def test_pdf_pages_lose_running_lines_and_regain_their_paragraphs() -> None:
    kinds = enumerate(("keys", "cash", "staff", "alarms"), start=1)
    pages = [["Larkenfeld Bank internal", f"{n}. Rules of {what}", "Every branch keeps the regis-",
              "ter of keys in a safe that two", f"people open together, as for all {what}.", f"Page {n} of 4"]
             for n, what in kinds]
    parsed = PARSER.parse("rules.pdf", pdf(*pages))
    assert [(b.kind, b.page, b.text) for b in parsed.blocks[:2]] == [
        ("heading", 1, "1. Rules of keys"),
        ("paragraph", 1, "Every branch keeps the register of keys in a safe that two people open together,"
                         " as for all keys.")]
    assert "Larkenfeld" not in text_of(parsed)
    assert "Page" not in text_of(parsed)
    assert parsed.pages == 4


@pytest.mark.parametrize(("title", "shown"), [
    ("Cash Handling Standard",) * 2, ("0000320193-22-000070", "2022 Q3 AAPL"), ("", "2022 Q3 AAPL"),
    ("untitled", "2022 Q3 AAPL"), ("Microsoft Word - x1.doc", "2022 Q3 AAPL")])
def test_a_pdf_without_a_telling_title_is_called_by_its_file_name(title: str, shown: str) -> None:
    parsed = PARSER.parse("filings/2022_Q3_AAPL.pdf", pdf(["UNITED STATES", "of something, as they say."], title=title))
    assert parsed.title == shown


def test_a_pdf_may_have_a_few_bytes_before_its_signature() -> None:
    assert outcome(PARSER, "a.pdf", b"\r\n" + pdf(LINES)) == "read"


def test_a_day_that_does_not_exist_is_no_date() -> None:
    parsed = PARSER.parse("a.md", b"# T\n\nVersion: 2026-99-99\n\nEffective: 2026-02-31\n")
    assert parsed.effective_on == ""


def test_only_the_first_blocks_declare() -> None:
    many = "# T\n\n" + "text\n\n" * 60 + "Version: 9\n"
    assert PARSER.parse("a.md", many.encode()).declared_version == ""
    assert declared(PARSER.parse("a.md", b"Version: 9\n")).declared_version == "9"


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_mutated_files_are_read_or_refused_with_a_reason(name: str, data: st.DataObject) -> None:
    content = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(("flip", "cut", "repeat", "insert"))):
            case "flip":
                content[at] = data.draw(st.integers(0, 255))
            case "cut":
                del content[at:at + data.draw(st.integers(1, 40))]
            case "repeat":
                content[at:at] = content[at:at + 60] * data.draw(st.integers(1, 20))
            case _:
                content[at:at] = data.draw(st.binary(max_size=12))
        content = content or bytearray(b"x")
    outcome(PARSER, name, bytes(content))


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.html", "a.csv", "a.eml"])
@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode("utf8", "surrogatepass")))
def test_any_bytes_are_read_or_refused_with_a_reason(name: str, content: bytes) -> None:
    outcome(PARSER, name, content)


@pytest.mark.parametrize(("name", "content"), [
    ("a.md", b"> " * 50_000), ("a.md", b"[" * 50_000), ("a.md", b"*a " * 30_000), ("a.md", b"`" * 30_000 + b"a"),
    ("a.md", b"- " * 20_000 + b"x"), ("a.md", b"![](" * 10_000), ("a.md", b"<a " * 20_000),
    ("a.md", b"|a" * 20_000 + b"\n" + b"|-" * 20_000), ("a.html", b"<div>" * 100_000 + b"deep"),
    ("a.html", b"<table><tr><td>" * 5_000), ("a.html", b"<p " + b"a=1 " * 100_000), ("a.html", b"&amp;" * 100_000),
    ("a.html", b"<ul><li>" * 20_000), ("a.html", b"<b>" * 100_000 + b"x"), ("a.csv", b"\"" * 30_000),
    ("a.csv", b"a,'\"" * 20_000), ("a.csv", b"," * 200_000), ("a.csv", b"x" * 300_000 + b",y"),
    ("a.txt", b"Version: " * 50_000), ("a.txt", b"date | " * 50_000), ("a.txt", b"*" * 100_000),
    ("a.txt", b"\n" * 100_000 + b"x"), ("a.txt", b"effective " * 60_000), ("a.txt", b"Effective: " + b"1." * 100_000),
    ("a.txt", b"Version: 3 \xc2\xb7 " * 30_000), ("a.txt", b"Version:" + b" " * 100_000 + b"x"),
    ("a.eml", b"Subject: x\n" * 20_000), ("a.eml", b"From: " + b"(" * 50_000 + b"\n\nx"),
    ("a.eml", b"Subject: " + b"=?utf-8?q?a?= " * 5_000 + b"\n\nx"), ("a.eml", b"To: " + b"a@b, " * 20_000 + b"\n\nx"),
    ("a.eml", b"Subject: \xff\xfe\nFrom: \xe9\nContent-Type: text/plain; charset=utf-8\n\n\xe9\xff"),
    ("a.eml", b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(500))),
    ("a.eml", b"Content-Type: text/plain; " + b"a=(((((" * 20_000 + b"\n\nx"),
    ("a.eml", b"Date: Mon, 99 Foo 99999\nSubject: =?x?y?z?=\nContent-Type: text/plain; charset=nope\n\nx"),
    ("a.eml", b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n!!!!"),
    ("a.pdf", b"%PDF-1.4\n" + b"<<" * 100_000), ("a.pdf", b"%PDF-1.4\n" + b"[" * 200_000),
], ids=lambda v: v[:24] if isinstance(v, bytes) else v)
def test_no_small_file_takes_long(name: str, content: bytes) -> None:
    started = time.perf_counter()
    outcome(PARSER, name, content)
    assert time.perf_counter() - started < 5
