"""XLSX into blocks, by openpyxl: each sheet a section, its tables row by row under the names of their columns."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers import packages
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.errors import Unreadable

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEETS_MAX = 200
ROWS_MAX = 100_000
"""Filled rows of a workbook."""
WALKED_MAX = 1_500_000
"""Rows walked over, empty ones too: more than a sheet has."""
CELLS_MAX = 2_000_000
COLUMNS_MAX = 256
FORMULAS_CHECKED_BYTES = 5 * 1024 * 1024
"""Of larger workbooks it is not said how many formulas have no stored value."""


@dataclass(slots=True, kw_only=True)
class _Counted:
    rows: int = 0
    walked: int = 0
    cells: int = 0


def parse(name: str, content: bytes) -> Parsed:
    """Parse a workbook: the values that were stored with its formulas, visible sheets alone.

    Raises Unreadable for bombs, macros, broken files, and more than 100,000 filled rows or 2 million cells.
    """
    packages.check(name, "xlsx", content)
    with packages.reading(name, "xlsx"):
        book = _opened(content, values=True)
        try:
            if len(book.worksheets) > SHEETS_MAX:
                raise Unreadable(f"{name} has more than {SHEETS_MAX} sheets; split it", reason="too-large")
            shown = [s for s in book.worksheets if s.sheet_state == "visible"]
            counted = _Counted()
            blocks = tuple(b for sheet in shown for b in _sheet(name, sheet, counted))
            title = " ".join((book.properties.title or "").split())
            notes = _notes(content, [s.title for s in book.worksheets if s.sheet_state != "visible"])
        finally:
            book.close()
    return declared(Parsed(title=title or named(name), blocks=blocks, media_type=MEDIA_TYPE, notes=notes))


def _opened(content: bytes, *, values: bool) -> Any:
    import warnings

    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about decorations that are not read
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=values, keep_links=False)


def _sheet(name: str, sheet: Any, counted: _Counted) -> Iterator[Block]:
    yield Block(text=" ".join(sheet.title.split()) or "Sheet", kind="heading", level=1)
    part: list[list[str]] = []
    for row in _rows(name, sheet, counted):
        if any(row):
            part.append(row)
        elif part:
            yield from _table(part)
            part = []
    yield from _table(part)


def _rows(name: str, sheet: Any, counted: _Counted) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # what a sheet says of its size is often wrong, and may be a million rows
    for row in sheet.iter_rows():
        cells = [_shown(c) for c in row[:COLUMNS_MAX]]
        while cells and not cells[-1]:
            cells.pop()
        counted.walked += 1
        counted.rows += bool(cells)
        counted.cells += len(cells)
        if counted.rows > ROWS_MAX or counted.walked > WALKED_MAX or counted.cells > CELLS_MAX:
            raise Unreadable(f"{name} has more than {ROWS_MAX} filled rows or {CELLS_MAX} cells; load it as a table,"
                             " not as a document", reason="too-large")
        if any(c.value is not None for c in row[COLUMNS_MAX:]):
            raise Unreadable(f"{name} has a sheet with more than {COLUMNS_MAX} columns; split it", reason="too-large")
        yield cells


def _table(rows: Sequence[Sequence[str]]) -> Iterator[Block]:
    """Write one part of a sheet: lines above the names of the columns, then each row under these."""
    head = _names_at(rows)
    for row in rows[:head]:
        yield Block(text=" ".join(c for c in row if c))
    header = list(rows[head]) if head < len(rows) and head < len(rows) - 1 and _is_names(rows[head]) else []
    for row in rows[head + bool(header):]:
        yield Block(text=table_row(header, list(row)), kind="table")


def _names_at(rows: Sequence[Sequence[str]]) -> int:
    """Return the first row of several cells: what stands above it is a title or a remark."""
    return next((n for n, row in enumerate(rows) if sum(bool(c) for c in row) >= 2), len(rows))


def _is_names(row: Sequence[str]) -> bool:
    """Say whether a row names columns: no cell of it is an amount, and none stands twice."""
    filled = [c for c in row if c]
    amounts = any(c.replace(",", "").replace(".", "").replace("%", "").lstrip("-").isdigit() and len(c) != 4
                  for c in filled)
    return not amounts and len(set(filled)) == len(filled)


def _shown(cell: Any) -> str:
    """Return a cell as its reader sees it: days as ISO, shares in percent where formatted so, no trailing zeros."""
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case int() | float():
            percent = "%" in (cell.number_format or "")
            return f"{round(value * 100, 10):.12g}%" if percent else _plain(value)
        case _:
            return " ".join(str(value).split())


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def _notes(content: bytes, hidden: Sequence[str]) -> tuple[str, ...]:
    notes = [f"{len(hidden)} hidden sheet{'s were' if len(hidden) > 1 else ' was'} left out"] if hidden else []
    if len(content) <= FORMULAS_CHECKED_BYTES and (unstored := _unstored(content)):
        notes.append(f"{unstored} formula{'s have' if unstored > 1 else ' has'} no stored value: open the workbook in"
                     " a spreadsheet program and save it")
    return tuple(notes)


def _unstored(content: bytes) -> int:
    """Return how many formulas of the visible sheets were never computed."""
    values, formulas = _opened(content, values=True), _opened(content, values=False)
    try:
        count = 0
        for stored, written in zip(values.worksheets, formulas.worksheets, strict=True):
            for one, other in zip(stored.iter_rows(), written.iter_rows(), strict=False):
                count += sum(a.value is None and isinstance(b.value, str) and b.value.startswith("=")
                             for a, b in zip(one, other, strict=False))
        return count
    finally:
        values.close()
        formulas.close()
