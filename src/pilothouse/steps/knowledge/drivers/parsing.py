"""Which parser reads a file: its content and its extension must agree, and its limits must hold."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version

from pilothouse.steps.knowledge.contracts import Parsed
from pilothouse.steps.knowledge.drivers import docx, html, mail, markdown, pdf, pptx, records, table, xlsx
from pilothouse.steps.knowledge.drivers.declared import named
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.ports import Ocr

FILE_BYTES_MAX = 50 * 1024 * 1024
TEXT_CHARACTERS_MAX = 20_000_000
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"), (b"\xd0\xcf\x11\xe0", "old office"), (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"), (b"GIF8", "picture"), (b"\x1f\x8b", "archive"), (b"\x7fELF", "program"),
    (b"MZ\x90", "program"))
_EXPECTED: Mapping[str, str] = {"pdf": "pdf", "docx": "zip", "pptx": "zip", "xlsx": "zip"}
_MACROS = frozenset("docm dotm pptm potm ppsm xlsm xltm xlam".split())
_OLD = frozenset("doc dot ppt pps xls rtf".split())
MAILS_DEEP = 3
"""Mails attached to mails that are opened."""
_PDF_START_MAX = 1024
"""How far into a file its PDF signature may stand: programs put bytes before it, and readers look this far."""
_LOCKED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_TEXTS: Mapping[str, Callable[[str, str], Parsed]] = {
    "md": markdown.parse, "markdown": markdown.parse, "txt": markdown.parse_text, "text": markdown.parse_text,
    "csv": table.parse, "tsv": table.parse, "html": html.parse, "htm": html.parse, "json": records.parse,
    "jsonl": records.parse_lines, "ndjson": records.parse_lines}
_BYTES: Mapping[str, Callable[[str, bytes], Parsed]] = {"docx": docx.parse, "pptx": pptx.parse, "xlsx": xlsx.parse}
KINDS = tuple(sorted({*_TEXTS, *_BYTES, "pdf", "eml"}))
_STRANGE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_LATIN = frozenset({"iso-8859-1", "iso8859-1", "latin-1", "latin1", "us-ascii", "ascii"})
"""Names that pages give for what is Windows-1252 in truth."""


class FileParser:
    """Reads md, txt, html, pdf, docx, pptx, xlsx, csv, json and eml; everything else is refused with the reason."""

    def __init__(self, *, ocr: Ocr | None = None) -> None:
        libraries = ("pypdfium2", "lxml", "python-docx", "python-pptx", "openpyxl", "markdown-it-py")
        self._ocr = ocr
        self.name = "pilothouse-3 " + " ".join(f"{lib}-{version(lib)}" for lib in libraries) + (
            f" {ocr.name}" if ocr else "")

    def parse(self, name: str, content: bytes) -> Parsed:
        """Parse one file; raises Unreadable with a stable reason and what to do."""
        return self._parse(name, content, 0)

    def _parse(self, name: str, content: bytes, deep: int) -> Parsed:
        kind = name.rpartition(".")[2].lower() if "." in name else ""
        _refuse(name, kind, content)
        try:
            parsed = self._read(name, kind, content, deep)
        except RecursionError as deep:
            raise Unreadable(f"{name} is nested too deeply to be read; save it again from its program",
                             reason="malformed") from deep
        _require_short(name, sum(len(b.text) for b in parsed.blocks))
        return _tidied(name, parsed)

    def _read(self, name: str, kind: str, content: bytes, deep: int) -> Parsed:
        match kind:
            case "pdf":
                return pdf.parse(name, content, self._ocr)
            case "eml" if deep <= MAILS_DEEP:
                return mail.parse(name, content, partial(self._parse, deep=deep + 1))
            case "eml":
                raise Unreadable(f"{name} is attached more than {MAILS_DEEP} mails deep", reason="too-deep")
            case _ if kind in _BYTES:
                return _BYTES[kind](name, content)
            case _:
                return _TEXTS[kind](name, _text(name, kind, content))


def _tidied(name: str, parsed: Parsed) -> Parsed:
    """Drop blank blocks and blanks around texts; a document that says nothing is refused."""
    blocks = tuple(replace(b, text=text) for b in parsed.blocks if (text := _storable(b.text).strip()))
    if not blocks:
        why = f": {'; '.join(parsed.notes)}" if parsed.notes else ""
        raise Unreadable(f"{name} holds no text{why}", reason="no-text")
    return replace(parsed, blocks=blocks, title=" ".join(_storable(parsed.title).split()) or named(name),
                   supersedes=_storable(parsed.supersedes))


def _storable(text: str) -> str:
    """Replace halves of characters, which mail headers and broken pages leave and no database takes."""
    return text.encode("utf-8", "replace").decode()


def _refuse(name: str, kind: str, content: bytes) -> None:
    if len(content) > FILE_BYTES_MAX:
        raise Unreadable(f"{name} is larger than 50 MB; split it", reason="too-large")
    if not content.strip():
        raise Unreadable(f"{name} is empty", reason="empty")
    if kind in _MACROS:
        raise Unreadable(f"{name} may carry macros; save it without them as .{kind[:-1]}x", reason="macros")
    if kind in _OLD:
        raise Unreadable(f"{name}: `.{kind}` is too old to be read safely; save it as .docx, .pptx or .xlsx",
                         reason="unknown-kind")
    if kind not in KINDS:
        raise Unreadable(f"{name}: `.{kind}` is not read; these are: {', '.join(KINDS)}", reason="unknown-kind")
    found = _found(kind, content)
    if found == "old office" and kind in ("docx", "pptx", "xlsx") and _LOCKED_OFFICE in content:
        raise Unreadable(f"{name} is protected by a password; save it without one", reason="encrypted")
    if found != _EXPECTED.get(kind, "text"):
        raise Unreadable(f"{name} says `.{kind}` but holds {found}; give it its real extension",
                         reason="wrong-extension")


def _found(kind: str, content: bytes) -> str:
    if kind == "pdf" and b"%PDF-" in content[:_PDF_START_MAX]:
        return "pdf"
    return next((what for signature, what in _SIGNATURES if content.startswith(signature)), "text")


def _require_short(name: str, characters: int) -> None:
    if characters > TEXT_CHARACTERS_MAX:
        raise Unreadable(f"{name} holds more than {TEXT_CHARACTERS_MAX} characters of text; split it",
                         reason="too-large")


def _text(name: str, kind: str, content: bytes) -> str:
    text = decoded(name, content, html.charset(content) if kind.startswith("htm") else "")
    _require_short(name, len(text))
    if not text.strip():
        raise Unreadable(f"{name} is empty", reason="empty")
    return text


def decoded(name: str, content: bytes, charset: str = "") -> str:
    """Return text as UTF-8, UTF-16 with its mark, the charset it declares, or plausible Windows-1252.

    Raises Unreadable for anything else: a wrong guess would put words into the library that nobody wrote.
    """
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
                           (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return _checked(name, content, encoding)
    if b"\0" in content:
        raise Unreadable(f"{name} holds bytes that no text has; save it as UTF-8", reason="encoding")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _checked(name, content, "cp1252" if charset in _LATIN else charset or "cp1252")


def _checked(name: str, content: bytes, encoding: str) -> str:
    """Decode, and refuse what decodes into control characters: it was another encoding."""
    try:
        text = content.decode(encoding)
    except (UnicodeError, LookupError) as broken:
        raise Unreadable(f"{name} is in no known encoding; save it as UTF-8", reason="encoding") from broken
    high = len(text) - len(text.encode("ascii", "ignore"))
    if _STRANGE.search(text) or (encoding == "cp1252" and high > len(text) * 0.3):
        raise Unreadable(f"{name} is in no known encoding; save it as UTF-8", reason="encoding")
    return text
