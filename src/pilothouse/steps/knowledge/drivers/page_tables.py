"""Tables on a page: by their rulings where cells are framed, else by how cells stand below one another."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pilothouse.steps.knowledge.drivers.page_layout import Cell, Line, lines
from pilothouse.steps.knowledge.drivers.pdf_reading import Page, Ruling, Word

NEAR = 3.0
"""Points by which rulings that meet may miss each other."""
GRID_MAX = 200
"""Rulings in one direction that a grid may have."""
COLUMNS_MAX = 40
_NUMBER = re.compile(r"[(\[]?[$€£¥₹+\-–— ]*[(\[]?[$€£¥₹ ]*\d(?:[\d.,' ]*\d)?[)\]]?[ %)x*]*|[—–\-]+|(?i:n/?[am]|nm)")
_YEAR = re.compile(r"(?:19|20)\d\d")
_HANGING = re.compile(r"(?:,|\b(?:and|or|of|for|to|the|in|as|by|from|with))$")
_LEADERS = re.compile(r"(?:\.|…|_|·){3,}")

Columns = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under the names of their columns (both may be empty), and where the table stands."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    top: float
    left: float
    right: float
    aside: tuple[str, ...] = ()
    """Lines within it that belong to no row: they are read before it."""


# ---- framed: rulings in both directions


def framed(page: Page) -> tuple[list[Table], list[Word]]:
    """Return the tables whose cells are framed, and the words that stand in none."""
    free, found = list(page.words), []
    for across, down in _grids(page.across, page.down):
        made = _from_grid(across, down, free)
        if made is not None:
            table, used = made
            found.append(table)
            free = [w for w in free if id(w) not in used]
    return found, free


def _grids(across: Sequence[Ruling], down: Sequence[Ruling]) -> Iterator[tuple[list[Ruling], list[Ruling]]]:
    """Yield rulings that hang together, when there are enough of them to frame cells."""
    if not (2 <= len(across) <= 20 * GRID_MAX and 2 <= len(down) <= 20 * GRID_MAX):
        return
    heights = _merged([(d.start, d.end) for d in down])
    for top, bottom in heights:
        inside = [d for d in down if d.start >= top - NEAR and d.end <= bottom + NEAR]
        crossed = [a for a in across if top - NEAR <= a.at <= bottom + NEAR]
        for left, right in _merged([(a.start, a.end) for a in crossed]):
            flat = [a for a in crossed if a.start >= left - NEAR and a.end <= right + NEAR]
            tall = [d for d in inside if left - NEAR <= d.at <= right + NEAR]
            if len(_places(flat)) >= 3 and len(_places(tall)) >= 3:
                yield flat, tall


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join spans that overlap or touch."""
    held: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if held and start <= held[-1][1] + NEAR:
            held[-1] = (held[-1][0], max(held[-1][1], end))
        else:
            held.append((start, end))
    return held


def _places(rulings: Sequence[Ruling]) -> list[float]:
    """Return where rulings stand, those of one line once."""
    held: list[float] = []
    for at in sorted(r.at for r in rulings):
        if not held or at - held[-1] > NEAR:
            held.append(at)
    return held


def _from_grid(across: Sequence[Ruling], down: Sequence[Ruling], words: Sequence[Word]
               ) -> tuple[Table, set[int]] | None:
    ys, xs = _places(across), _places(down)
    if len(ys) > GRID_MAX or len(xs) > COLUMNS_MAX + 1:
        return None
    held: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        y, x = (word.top + word.bottom) / 2, (word.left + word.right) / 2
        if ys[0] <= y <= ys[-1] and xs[0] <= x <= xs[-1]:
            held.setdefault((sum(at <= y for at in ys) - 1, sum(at <= x for at in xs) - 1), []).append(word)
    if sum(len({c for r, c in held if r == row}) >= 2 for row in range(len(ys) - 1)) < 2:
        return None  # a box around text, or a drawing
    rows = [_grid_row(held, row, ys, xs, down) for row in range(len(ys) - 1)]
    filled = [r for r in rows if any(r)]
    header, body = (filled[0], filled[1:]) if _names(filled[0]) else ((), filled)
    table = Table(header=header, rows=tuple(body), top=ys[0], left=xs[0], right=xs[-1])
    return table, {id(w) for found in held.values() for w in found}


def _grid_row(held: dict[tuple[int, int], list[Word]], row: int, ys: Sequence[float], xs: Sequence[float],
              down: Sequence[Ruling]) -> tuple[str, ...]:
    """Return one row's cells; the words of a cell that spans columns stand in the first of them."""
    cells: list[list[Word]] = []
    middle = (ys[row] + ys[row + 1]) / 2
    for column in range(len(xs) - 1):
        parted = column == 0 or any(abs(d.at - xs[column]) <= NEAR and d.start <= middle <= d.end for d in down)
        if parted:
            cells.append(list(held.get((row, column), ())))
        else:
            cells[-1] += held.get((row, column), ())
            cells.append([])
            cells[-1], cells[-2] = [], cells[-2]
    return tuple(" ".join(line.text for line in lines(found)) for found in cells)


def _names(row: Sequence[str]) -> bool:
    """Say whether a row can name columns: at least two cells, and none of them a plain number."""
    filled = [c for c in row if c]
    return len(filled) >= 2 and not any(_is_number(c) for c in filled)


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text.strip())) and not _YEAR.fullmatch(text.strip())


# ---- aligned: cells that stand below one another


def aligned(held: Sequence[Line], across: Sequence[Ruling]) -> Iterator[Line | Table]:
    """Yield lines and tables in the order of the page."""
    at = 0
    for start, end in _runs(held):
        table = _from_run(held[start:end], across)
        if table is not None:
            yield from held[at:start]
            yield table
            at = end
    yield from held[at:]


def _runs(held: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of neighbouring lines most of which have several cells."""
    n = 0
    while n < len(held):
        if len(held[n].cells) < 2:
            n += 1
            continue
        start, end = _above(held, n), _end(held, n)
        if end - n >= 2:
            yield start, end
        n = max(end, n + 1)


def _end(held: Sequence[Line], start: int) -> int:
    """Return where a run ends: after its last line of several cells, with at most three single ones in a row within."""
    end, n, left, right = start + 1, start + 1, held[start].left, held[start].right
    value = held[start].cells[1].left
    while n < len(held) and held[n].top - held[n - 1].bottom <= 2.2 * held[n].height:
        line, left = held[n], min(left, held[n].left)
        if len(line.cells) >= 2:
            end, right, value = n + 1, max(right, line.right), line.cells[1].left
        elif n - end >= 3 or _is_bulleted(line) or (
                line.right > right - 0.15 * (right - left) and line.left < value - NEAR
                and not _label_of(line, held[n + 1:n + 2])):
            break
        n += 1
    return end


def _label_of(line: Line, following: Sequence[Line]) -> bool:
    """Say whether a wide line is the beginning of the label of the row that follows."""
    hangs = line.text.count("(") > line.text.count(")") or bool(_HANGING.search(line.text))
    return bool(following) and len(following[0].cells) >= 2 and (hangs or following[0].text[:1].islower()) and (
        following[0].top - line.bottom < 0.6 * line.height)


def _is_bulleted(line: Line) -> bool:
    return line.text[:1] in "•▪◦●■"


def _above(held: Sequence[Line], start: int) -> int:
    """Return the first line of a heading that stands above the run, over its right-hand columns."""
    first = held[start].cells
    floor = first[0].right if first[0].left <= min(c.left for c in first) and len(first) > 2 else first[0].left - NEAR
    body = held[start + 1] if start + 1 < len(held) else held[start]
    label = min(body.left, held[start].left)
    n = start
    while n > 0 and start - n < 3:
        above = held[n - 1]
        near = held[n].top - above.bottom <= 1.2 * above.height
        over = above.left > label + 20 and above.left >= min(floor, first[-1].left) - 60 and len(above.text) < 80
        if not (near and over and len(above.cells) == 1 and above.right <= held[start].right + 20):
            break
        n -= 1
    return n


def _columns(run: Sequence[Line]) -> Columns | None:
    """Return the spans of the columns: what lines with the usual number of cells cover, and what else stands apart."""
    counts = Counter(len(line.cells) for line in run if len(line.cells) >= 2)
    if not counts:
        return None
    usual = max(counts, key=lambda k: (counts[k] * k, k))
    spans = sorted((c.left, c.right) for line in run if len(line.cells) == usual for c in line.cells)
    columns: list[tuple[float, float]] = []
    for left, right in spans:
        if columns and left <= columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    for line in run:
        for c in line.cells:
            if len(line.cells) > 1 and not any(c.left < r and c.right > l for l, r in columns):
                columns = sorted([*columns, (c.left, c.right)])
    return columns if 2 <= len(columns) <= COLUMNS_MAX else None


def _over(cell: Cell, columns: Columns) -> list[int]:
    """Return the columns that a cell stands over; the nearest one when it stands over none."""
    over = [n for n, (left, right) in enumerate(columns) if cell.left < right and cell.right > left]
    middle = (cell.left + cell.right) / 2
    return over or [min(range(len(columns)), key=lambda n: abs((columns[n][0] + columns[n][1]) / 2 - middle))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of a run, its cells by column."""

    line: Line
    cells: tuple[str, ...]
    between: bool = False
    """It is one cell that stands over no column: the title of what follows."""

    @property
    def labelled(self) -> bool:
        return bool(self.cells[0]) or self.between

    @property
    def valued(self) -> bool:
        return any(self.cells[1:]) and not self.between


def _from_run(run: Sequence[Line], across: Sequence[Ruling]) -> Table | None:
    columns = _columns(run)
    if columns is None:
        return None
    rows = [_Row(line=line, cells=_placed(line, columns), between=_between(line, columns)) for line in run]
    heads = _heads(rows, columns, across)
    header = _header(rows[:heads], columns)
    body, aside = _joined(rows[heads:], _bands(rows[heads:], columns, across))
    if len(body) < (2 if any(_is_number(c) for r in body for c in r[1:]) else 3 - bool(any(header))):
        return None
    return Table(header=header, rows=tuple(body), top=run[0].top, left=min(line.left for line in run),
                 right=max(line.right for line in run), aside=tuple(aside))


def _between(line: Line, columns: Columns) -> bool:
    """Say whether a line is one cell in the middle of the table that stands over no column but perhaps the labels."""
    cell, left, right = line.cells[0], columns[0][0], columns[-1][1]
    over = any(cell.left < end and cell.right > start for start, end in columns[1:])
    central = abs(cell.left + cell.right - left - right) < 0.1 * (right - left)
    return len(line.cells) == 1 and not over and cell.left > left + 20 and (cell.left > columns[0][1] or central)


def _placed(line: Line, columns: Columns) -> tuple[str, ...]:
    """Return a line's cells by column; one that spans several stands in the first of them."""
    placed = [""] * len(columns)
    for cell in line.cells:
        text = _LEADERS.sub(" ", cell.text).strip()
        at = _over(cell, columns)[0]
        placed[at] = f"{placed[at]} {text}".strip()
    return tuple(placed)


def _heads(rows: Sequence[_Row], columns: Columns, across: Sequence[Ruling]) -> int:
    """Return how many lines at the top name the columns."""
    n = 0
    while n < len(rows) and not rows[n].labelled and not any(_is_number(c) for c in rows[n].cells):
        n += 1
    if n < len(rows) - 1 and rows[n].labelled and rows[n].valued and (n == 0 or _reads_as_names(rows[n])):
        first, following = rows[n], rows[n + 1:]
        ruled = _ruled_below(first.line, rows[n + 1].line, columns, across)
        styled = first.line.bold and not all(r.line.bold for r in following)
        numbers = any(_is_number(c) for r in following for c in r.cells[1:])
        if _names(first.cells) and (ruled or styled or numbers or n == 0):
            n += 1
            while n < len(rows) - 1 and not rows[n].labelled and not any(_is_number(c) for c in rows[n].cells) and not (
                    _ruled_below(rows[n - 1].line, rows[n].line, columns, across)):
                n += 1
    return n if n < len(rows) else 0


def _reads_as_names(row: _Row) -> bool:
    """Say whether a labelled line below others that name columns does so too: `(In millions)`, dates, years."""
    return all(_YEAR.search(c) or not any(ch.isdigit() for ch in c) for c in row.cells if c)


def _header(rows: Sequence[_Row], columns: Columns) -> tuple[str, ...]:
    """Return the names of the columns, from the top; a cell above several columns names each of them."""
    names: list[list[str]] = [[] for _ in columns]
    for row in rows:
        for cell, over in zip(row.line.cells, _spans(row, columns), strict=True):
            for n in over:
                names[n].append(cell.text)
    return tuple(" ".join(n) for n in names)


def _spans(row: _Row, columns: Columns) -> list[list[int]]:
    """Return the columns that each cell of a heading names: as many each, where the cells stand in their middles."""
    plain = [_over(cell, columns) for cell in row.line.cells]
    values, cells = len(columns) - 1, len(row.line.cells)
    if row.labelled or values % cells or values == cells:
        return plain
    share, shared = values // cells, []
    for n, cell in enumerate(row.line.cells):
        group = columns[1 + n * share:1 + (n + 1) * share]
        middle, width = (group[0][0] + group[-1][1]) / 2, group[-1][1] - group[0][0]
        if abs((cell.left + cell.right) / 2 - middle) > 0.25 * width:
            return plain
        shared.append(list(range(1 + n * share, 1 + (n + 1) * share)))
    return shared


def _ruled_below(line: Line, following: Line, columns: Columns, across: Sequence[Ruling]) -> bool:
    """Say whether a ruling runs below a line over most of the table's width."""
    left, right = columns[0][0], columns[-1][1]
    spans = [(max(a.start, left), min(a.end, right)) for a in across
             if line.middle < a.at < following.middle and a.end > left and a.start < right]
    return sum(end - start for start, end in _merged(spans)) >= 0.8 * (right - left)


def _bands(rows: Sequence[_Row], columns: Columns, across: Sequence[Ruling]) -> list[list[_Row]] | None:
    """Return lines by the rulings between them, when these part the rows: no band may hold two numbers in a column."""
    bands: list[list[_Row]] = []
    for before, row in pairwise([None, *rows]):
        assert row is not None
        if before is None or _ruled_below(before.line, row.line, columns, across):
            bands.append([])
        bands[-1].append(row)
    whole = all(sum(_is_number(r.cells[n]) for r in band) <= 1 for band in bands for n in range(1, len(columns)))
    return bands if len(bands) >= 3 and whole and len(rows) <= 8 * len(bands) else None


def _joined(rows: Sequence[_Row], bands: list[list[_Row]] | None) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return whole rows and what belongs to none: cells broken over lines are mended, labels of groups are repeated."""
    if bands is not None:
        return [tuple(_broken_over([r.cells[n] for r in band]) for n in range(len(band[0].cells)))
                for band in bands], []
    done: list[tuple[str, ...]] = []
    groups: list[tuple[float, str, bool]] = []
    aside: list[str] = []
    held = ""
    for n, row in enumerate(rows):
        following = rows[n + 1] if n + 1 < len(rows) else None
        if row.labelled and not row.valued:
            label = f"{held} {row.cells[0] or row.line.text}".strip()
            if following and following.labelled and _goes_on(row, following):
                held = label
            elif done and not held and row.cells[0][:1].islower():
                done[-1] = (f"{done[-1][0]} {row.cells[0]}", *done[-1][1:])
            else:
                # a title between columns stands above all, and what is bold above what is not
                deep = -1e6 if row.between else row.line.left - (4 if row.line.bold else 0)
                aside += [said for left, said, used in groups if left >= deep - 1 and not used]
                groups = [g for g in groups if g[0] < deep - 1] + [(deep, label, False)]
                held = ""
        elif done and not row.labelled and not any(_is_number(c) and done[-1][i] for i, c in enumerate(row.cells)):
            done[-1] = tuple(_broken_over([a, b]) for a, b in zip(done[-1], row.cells, strict=True))
        else:
            label = f"{held} {row.cells[0]}".strip()
            aside += [said for left, said, used in groups if label and left >= row.line.left - 2 and not used]
            groups = [g for g in groups if not label or g[0] < row.line.left - 2]
            named = " ".join(said if said.endswith(":") else f"{said}:" for _, said, _ in groups)
            groups = [(left, said, True) for left, said, _ in groups]
            done.append((f"{named} {label}".strip(), *row.cells[1:]))
            held = ""
    return done, aside + [said for _, said, used in groups if not used] + ([held] if held else [])


def _goes_on(row: _Row, following: _Row) -> bool:
    """Say whether a label runs on in the next line."""
    label, begins = row.cells[0], following.cells[0]
    hangs = label.count("(") > label.count(")") or bool(_HANGING.search(label))
    return not label.endswith((":", ".")) and (hangs or begins[:1].islower() or begins[:1] in "(&") and (
        following.line.top - row.line.bottom < 0.6 * row.line.height)


def _broken_over(parts: Sequence[str]) -> str:
    """Join a cell's lines; a word that a line end broke is mended."""
    whole = ""
    for part in (p for p in parts if p):
        whole = whole[:-1] + part if whole.endswith("-") and part[:1].islower() and whole[-2:-1].isalpha() \
            else f"{whole} {part}".strip()
    return whole


