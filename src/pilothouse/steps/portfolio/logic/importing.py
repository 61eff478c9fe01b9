"""CSV into batches: rows read one after the other, every bad one named by its line, all of it or nothing."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import Kpi, SampleBatch
from pilothouse.steps.portfolio.contracts.samples import CsvImport
from pilothouse.steps.portfolio.logic import gauging, measuring

TEXT_MAX = 64_000_000
"""Characters in one import; larger files go in pieces, as the command line sends them."""
ROWS_MAX = 1_000_000
ERRORS_SHOWN = 20
COLUMNS = ("value", "at", "unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a file held: values with their times, and how many rows had none."""

    values: tuple[float, ...]
    times: tuple[str, ...]
    rows: int
    missing: int


class _Refusals:
    """Collects what is wrong, line by line, up to a number that a person would read."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.count = 0
        self.first = 0

    def add(self, line: int, says: str) -> None:
        self.count += 1
        self.first = self.first or line
        if len(self.found) < ERRORS_SHOWN:
            self.found.append(f"line {line}: {says}")

    def settle(self) -> None:
        if self.count:
            more = f"; and {self.count - len(self.found)} more" if self.count > len(self.found) else ""
            raise Invalid(f"nothing was taken, because {self.count} rows do not fit: {'; '.join(self.found)}{more}",
                          field="text", line=self.first, rows=self.count)


def read(kpi: Kpi, text: str, *, lines_before: int = 0) -> Rows:
    """Read CSV with a header line; raises Invalid naming the lines that do not fit.

    Columns: `value` (decimal point; empty is missing and left out), `at` (instant with offset), `unit`.
    Delimiter: comma or semicolon, whichever the header uses. Limits: 64 million characters, a million rows.
    """
    if len(text) > TEXT_MAX:
        raise Invalid(f"one import takes up to {TEXT_MAX:,} characters; this one has {len(text):,}: send it in pieces,"
                      " or by `pilothouse import-samples`", field="text", limit=TEXT_MAX)
    lines = iter(text.removeprefix("\ufeff").splitlines(keepends=True))
    header = next(lines, "")
    delimiter = ";" if header.count(";") > header.count(",") else ","
    places = _places(header, delimiter)
    values: list[float] = []
    times: list[str] = []
    wrong, rows, missing = _Refusals(), 0, 0
    for line, row in _numbered(csv.reader(lines, delimiter=delimiter), lines_before):
        rows += 1
        if rows > ROWS_MAX:
            raise Invalid(f"one import takes up to {ROWS_MAX:,} rows; send the file in pieces", field="text",
                          line=line, limit=ROWS_MAX)
        try:
            value = _value(kpi, row, places)
            at = _time(row, places)
        except Invalid as refused:
            wrong.add(line, refused.message)
            continue
        if value is None:
            missing += 1
            continue
        values.append(value)
        times.append(at)
    wrong.settle()
    if not values:
        raise Invalid("the file holds no value; its first line names the columns, such as `at,value`", field="text")
    return Rows(values=tuple(values), times=tuple(times) if "at" in places else (), rows=rows, missing=missing)


def _places(header: str, delimiter: str) -> dict[str, int]:
    names = [n.strip().strip('"').lower() for n in header.strip().split(delimiter)]
    if unknown := [n for n in names if n and n not in COLUMNS]:
        raise Invalid(f"unknown column `{unknown[0][:40]}` in line 1; the columns are `value`, `at` and `unit`",
                      field="text", line=1)
    if "value" not in names or len(set(names)) < len(names):
        raise Invalid("line 1 must name the columns, each once, and one of them is `value`", field="text", line=1)
    return {name: i for i, name in enumerate(names)}


def _numbered(reader: "Iterator[list[str]]", lines_before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with their line; blank lines are no rows. A row is one line: values never hold line breaks."""
    line = 1 + lines_before
    while True:
        line += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as broken:
            raise Invalid(f"line {line} is not readable as CSV ({broken})", field="text", line=line) from broken
        if row:
            yield line, row


def _cell(row: Sequence[str], places: dict[str, int], name: str) -> str:
    i = places.get(name)
    return row[i].strip() if i is not None and i < len(row) else ""


def _value(kpi: Kpi, row: Sequence[str], places: dict[str, int]) -> float | None:
    if len(row) != len(places):
        raise Invalid(f"{len(row)} cells where the header names {len(places)}")
    if unit := _cell(row, places, "unit"):
        gauging.same(kpi.unit, unit)
    text = _cell(row, places, "value")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as wrong:
        comma = "; write a decimal point, not a comma" if "," in text else ""
        raise Invalid(f"`{text[:40]}` is not a number{comma}") from wrong
    measuring.check_value(kpi, value)
    return value


def _time(row: Sequence[str], places: dict[str, int]) -> str:
    text = _cell(row, places, "at")
    if "at" not in places:
        return ""
    try:
        return stamp(instant(text))
    except (ValueError, OverflowError) as wrong:
        raise Invalid(f"`{text[:40]}` is not an instant; write for example 2026-03-02T09:30:00Z, with its offset"
                      ) from wrong


def batches(request: CsvImport, rows: Rows) -> Iterator[SampleBatch]:
    """Split what was read into batches, in order; the same file makes the same batches."""
    size = measuring.VALUES_MAX
    whole = SampleBatch(use_case_id=request.use_case_id, kpi=request.kpi, period=request.period, values=(),
                        source=request.source, instrument=request.instrument, starts_on=request.starts_on,
                        ends_on=request.ends_on, grade=request.grade)
    for start in range(0, len(rows.values), size):
        yield replace(whole, values=rows.values[start:start + size], times=rows.times[start:start + size])
