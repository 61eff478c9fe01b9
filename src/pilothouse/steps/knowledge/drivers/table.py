"""CSV into blocks: one row, one line that says what its cells are."""

import csv
import io

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.errors import Unreadable

ROWS_MAX = 200_000
CELL_LENGTH_MAX = 131_072


def parse(name: str, text: str) -> Parsed:
    """Parse a table whose first row names its columns; the delimiter is found by trying."""
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text), dialect)]
    except csv.Error as broken:
        raise Unreadable(f"{name} is not a readable table: {broken}", reason="malformed") from broken
    if len(rows) > ROWS_MAX:
        raise Unreadable(f"{name} has more than {ROWS_MAX} rows; load it as a table, not as a document",
                         reason="too-large")
    filled = [r for r in rows if any(r)]
    header, body = (filled[0], filled[1:]) if len(filled) > 1 else ([], filled)
    stem = name.rpartition("/")[2].rpartition(".")[0]
    title = stem.replace("-", " ").replace("_", " ").strip().capitalize()
    blocks = tuple(Block(text=table_row(header, row), kind="table") for row in body)
    return declared(Parsed(title=title, blocks=blocks, media_type="text/csv"))
