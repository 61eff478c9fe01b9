"""The demo bank's documents are complete, flawed only where planned, and hold the facts its questions ask for."""

import csv
import email
import email.policy
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
import yaml

HOME = Path(__file__).resolve().parents[2] / "src/pilothouse/app/demo"
DOCUMENTS = HOME / "documents"
WORDS_MAX = 1_200
WORDS_MIN = 250
BINARY_BYTES_MAX = 2_500_000
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
CARD = re.compile(r"\b\d{4} \d{4} \d{4} \d{4}\b")
AADHAAR = re.compile(r"\b\d{4} \d{4} \d{4}\b")
PHONE = re.compile(r"\+\d[\d ]{7,}\d")
FICTION_PHONES = ("+353 20 91", "+49 30 23125 ")  # ranges two regulators keep for films and books
TEST_CARDS = {"4242424242424242", "4000056655665556", "5555555555554444"}


def read_yaml(name: str) -> Any:
    return yaml.safe_load((HOME / name).read_text(encoding="utf-8"))


ORGANISATION: dict[str, Any] = read_yaml("organisation.yaml")
MANIFEST: dict[str, dict[str, Any]] = {d["path"]: d for d in read_yaml("documents/manifest.yaml")["documents"]}
QUESTIONS: list[dict[str, Any]] = read_yaml("questions.yaml")["questions"]
ANSWERABLE = [q for q in QUESTIONS if q["answerable"]]
PEOPLE: dict[str, dict[str, Any]] = {p["id"]: p for p in ORGANISATION["people"]}
USE_CASES: dict[str, dict[str, Any]] = {u["slug"]: u for u in ORGANISATION["use_cases"]}


class VisibleText(HTMLParser):
    """Collects the text a reader of the page sees, in order."""

    UNSEEN = ("head", "style", "script", "nav")

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in self.UNSEEN

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def html_text(path: Path) -> str:
    page = VisibleText()
    page.feed(path.read_text(encoding="utf-8"))
    return " ".join(page.parts)


def pdf_pages(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_range() for page in document]


def docx_text(path: Path) -> str:
    document = docx.Document(str(path))
    cells = (cell.text for table in document.tables for row in table.rows for cell in row.cells)
    return " ".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def eml_text(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return f"{message['subject']} {body.get_content()}"


def csv_text(path: Path) -> str:
    return " ".join(cell for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))) for cell in row)


READERS = {".html": html_text, ".docx": docx_text, ".eml": eml_text, ".csv": csv_text,
           ".pdf": lambda path: " ".join(pdf_pages(path)), ".md": lambda path: path.read_text(encoding="utf-8")}


@cache
def text_of(path: str) -> str:
    file = DOCUMENTS / path
    return " ".join(READERS[file.suffix](file).split())


def with_role(role: str) -> Iterator[tuple[str, Any]]:
    return ((path, entry[role]) for path, entry in MANIFEST.items() if role in entry)


def members(group: str) -> set[str]:
    rule = next(g["members"] for g in ORGANISATION["groups"] if g["slug"] == group)
    if rule.get("everyone"):
        return set(PEOPLE)
    return set(rule.get("people", ())) | {p for p, person in PEOPLE.items() if person["unit"] == rule.get("unit")}


def readers_of(path: str) -> set[str]:
    return set().union(*(members(group) for group in MANIFEST[path]["readers"]))


def iban_is_valid(iban: str) -> bool:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def luhn_is_valid(digits: str) -> bool:
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def everything_written() -> Iterator[tuple[str, str]]:
    yield from ((path, text_of(path)) for path in MANIFEST)
    yield from ((question["id"], question["text"]) for question in QUESTIONS)


def test_the_manifest_names_every_file_and_no_other() -> None:
    on_disk = {str(p.relative_to(DOCUMENTS)) for p in DOCUMENTS.rglob("*") if p.is_file()} - {"manifest.yaml"}
    assert on_disk == set(MANIFEST)


def test_every_demo_file_says_that_it_is_demo_and_no_document_does() -> None:
    assert all(read_yaml(name)["demo"] is True
               for name in ("organisation.yaml", "questions.yaml", "documents/manifest.yaml"))
    assert [path for path in MANIFEST if re.search(r"\bdemo\b|fictional", text_of(path), re.IGNORECASE)] == []


def test_formats_labels_and_planted_flaws_are_as_many_as_promised() -> None:
    formats = Counter(Path(path).suffix for path in MANIFEST)
    labels = Counter(entry["label"] for entry in MANIFEST.values())
    roles = {role: len(list(with_role(role)))
             for role in ("duplicate_of", "near_duplicate_of", "outdated_by", "contradicts")}
    assert formats[".md"] > max(formats[s] for s in (".html", ".pdf", ".docx"))
    assert formats[".html"] >= 6 and formats[".pdf"] >= 5 and formats[".docx"] >= 5
    assert (formats[".csv"], formats[".eml"]) == (3, 2)
    assert set(labels) == {"public", "internal", "confidential", "restricted"}
    assert labels["confidential"] + labels["restricted"] == 5
    assert roles == {"duplicate_of": 2, "near_duplicate_of": 3, "outdated_by": 3, "contradicts": 3}
    assert 38 <= len(MANIFEST) - roles["duplicate_of"] - roles["near_duplicate_of"] - roles["outdated_by"] <= 46


def test_duplicates_have_the_same_bytes_and_near_duplicates_do_not() -> None:
    def digest(path: str) -> str:
        return hashlib.sha256((DOCUMENTS / path).read_bytes()).hexdigest()

    assert all(digest(copy) == digest(original) for copy, original in with_role("duplicate_of"))
    for copy, original in with_role("near_duplicate_of"):
        alike = SequenceMatcher(None, text_of(copy).split(), text_of(original).split(), autojunk=False).ratio()
        assert 0.90 < alike < 1.0, (copy, alike)
    copies = {path for path, _ in with_role("duplicate_of")}
    others = [digest(path) for path in MANIFEST if path not in copies]
    assert len(set(others)) == len(others)


def test_outdated_documents_are_older_versions_with_other_facts() -> None:
    for old, new in with_role("outdated_by"):
        before, after = MANIFEST[old], MANIFEST[new]
        assert before["title"] == after["title"]
        assert before["effective"] < after["effective"] and int(before["version"]) < int(after["version"])
        facts = [q["fact"] for q in ANSWERABLE if q["document"] == new]
        assert any(fact not in text_of(old) for fact in facts), old


def test_contradicting_documents_each_state_their_own_fact() -> None:
    for path, other in with_role("contradicts"):
        assert other["fact_here"] in text_of(path) and other["fact_here"] not in text_of(other["path"])
        assert other["fact_there"] in text_of(other["path"]) and other["fact_there"] not in text_of(path)


@pytest.mark.parametrize("path", sorted(MANIFEST))
def test_a_document_is_neither_thin_nor_endless_and_states_its_version(path: str) -> None:
    entry, text = MANIFEST[path], text_of(path)
    if Path(path).suffix not in (".csv", ".eml"):
        assert WORDS_MIN <= len(text.split()) <= WORDS_MAX
        assert re.search(rf"version:? {re.escape(entry['version'])}\b", text, re.IGNORECASE)
        assert entry["effective"].isoformat() in text
        assert entry["title"] in text
    if entry["label"] in ("confidential", "restricted"):
        assert entry["label"] in text.lower()


def test_pdfs_have_numbered_pages_and_binaries_stay_small() -> None:
    for path in (p for p in MANIFEST if p.endswith(".pdf")):
        pages = pdf_pages(DOCUMENTS / path)
        assert len(pages) >= 2
        assert all(f"Page {n} of {len(pages)}" in page for n, page in enumerate(pages, start=1))
    binaries = [p for p in DOCUMENTS.rglob("*") if p.suffix in (".pdf", ".docx")]
    assert sum(p.stat().st_size for p in binaries) < BINARY_BYTES_MAX


def test_accounts_and_cards_pass_their_checksums_and_belong_to_nobody() -> None:
    ibans: set[str] = set()
    cards: set[str] = set()
    for _, text in everything_written():
        ibans.update(found.replace(" ", "") for found in IBAN.findall(text))
        cards.update(found.replace(" ", "") for found in CARD.findall(IBAN.sub("", text)))
    assert len(ibans) >= 8 and all(map(iban_is_valid, ibans))
    assert all(iban[4:8] in ("LKFD", "9999") for iban in ibans)
    assert cards == TEST_CARDS and all(map(luhn_is_valid, cards))


def test_mail_addresses_and_telephone_numbers_cannot_reach_anybody() -> None:
    for where, text in everything_written():
        assert all(host.endswith(".example") for host in re.findall(r"@([\w.-]+\w)", text)), where
        assert all(number.startswith(FICTION_PHONES) for number in PHONE.findall(text)), where


def test_every_group_source_and_owner_that_is_named_exists() -> None:
    groups = {g["slug"] for g in ORGANISATION["groups"]}
    units = {u["slug"] for u in ORGANISATION["units"]}
    assert all(members(group) <= set(PEOPLE) and members(group) for group in groups)
    assert {u["head"] for u in ORGANISATION["units"]} | {s["owner"] for s in ORGANISATION["sources"]} <= set(PEOPLE)
    assert {s["folder"] for s in ORGANISATION["sources"]} == {path.split("/")[0] for path in MANIFEST}
    for entry in (*MANIFEST.values(), *ORGANISATION["sources"]):
        assert entry["readers"] and set(entry["readers"]) <= groups
    assert all(e["owner"] in PEOPLE and e["owner_unit"] in units for e in MANIFEST.values())
    assert all(e["owner"] in readers_of(path) for path, e in MANIFEST.items())


def test_the_employee_reads_nothing_confidential_and_somebody_reads_everything() -> None:
    employee = ORGANISATION["sign_ins"]["employee"]
    for path, entry in MANIFEST.items():
        assert readers_of(path)
        assert entry["label"] in ("public", "internal") or employee not in readers_of(path)


def test_questions_are_as_many_and_as_mixed_as_promised() -> None:
    assert 140 <= len(QUESTIONS) <= 180 and len({q["id"] for q in QUESTIONS}) == len(QUESTIONS)
    assert len({q["text"] for q in QUESTIONS}) == len(QUESTIONS)
    assert len(QUESTIONS) - len(ANSWERABLE) == 25
    assert sum("personal_data" in q for q in QUESTIONS) == 10
    assert sum(MANIFEST[q["document"]]["label"] in ("confidential", "restricted") for q in ANSWERABLE) >= 10


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda q: q["id"])
def test_a_gold_fact_stands_in_its_document_and_its_readers_are_the_documents(question: dict[str, Any]) -> None:
    for path in (question["document"], *question.get("also", ())):
        assert question["fact"] in text_of(path)
    entry = MANIFEST[question["document"]]
    assert question["reader_groups"] == entry["readers"] and "outdated_by" not in entry
    folder = question["document"].split("/")[0]
    source = next(s["slug"] for s in ORGANISATION["sources"] if s["folder"] == folder)
    case = USE_CASES[question["use_case"]]
    assert source in case["sources"] and case["stage"] != "idea"


def test_unanswerable_questions_name_no_document() -> None:
    assert all(q.keys() == {"id", "text", "use_case", "answerable"} for q in QUESTIONS if not q["answerable"])


def test_questions_flagged_with_personal_data_contain_it_and_others_do_not() -> None:
    names = [person["name"] for person in PEOPLE.values()]
    for question in QUESTIONS:
        rest = IBAN.sub("", question["text"])
        found = {"email": "@" in rest, "phone": bool(PHONE.search(rest)), "card": bool(CARD.search(rest)),
                 "iban": rest != question["text"], "name": any(name in rest for name in names),
                 "aadhaar": bool(AADHAAR.search(CARD.sub("", PHONE.sub("", rest))))}
        expected = set(question.get("personal_data", ()))
        if "ai-incidents" not in question.get("fact", ""):
            assert {kind for kind, present in found.items() if present} == expected, question["id"]
