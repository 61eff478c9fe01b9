"""What stands on a PDF page and where, by pdfium: words with their boxes and weight, and the lines between them."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

THIN = 2.5
"""Points: a filled box thinner than this is a ruled line."""
SHORTEST = 4.0
"""Points: shorter strokes are parts of drawings."""
PATHS_MAX = 5_000
"""Paths looked at on a page: charts and maps have more, and no table needs as many."""
DEEPEST = 6
_LIGATURES = {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl"}
_BROKEN = frozenset("\x02\ufffe\xad")
"""What pdfium puts where a line end breaks a word."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word and its box in points from the top left corner of the page as it is shown."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    bold: bool = False

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A straight line along one axis: it stands at `at` and reaches from `start` to `end`."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: words in the order of the file, rulings by direction, and whether it shows pictures."""

    words: tuple[Word, ...]
    across: tuple[Ruling, ...] = ()
    down: tuple[Ruling, ...] = ()
    pictures: int = 0


@dataclass(slots=True)
class _Drawn:
    across: list[Ruling] = field(default_factory=list)
    down: list[Ruling] = field(default_factory=list)
    paths: int = 0
    pictures: int = 0


def read(page: Any) -> Page:
    """Return what stands on an open page; a turned page is read as it is shown."""
    import pypdfium2.raw as pdfium

    turn = _TURNS[pdfium.FPDFPage_GetRotation(page.raw) % 4]
    text = page.get_textpage()
    try:
        words = tuple(_words(pdfium, text.raw, turn))
    finally:
        text.close()
    drawn = _Drawn()
    _look(pdfium, (pdfium.FPDFPage_GetObject, page.raw, pdfium.FPDFPage_CountObjects(page.raw)), turn, _UNMOVED, drawn,
          0)
    return Page(words=words, across=tuple(drawn.across), down=tuple(drawn.down), pictures=drawn.pictures)


# each turns a point of the page's own space (y upwards) into one as shown (y downwards)
_TURNS: tuple[Callable[[float, float], tuple[float, float]], ...] = (
    lambda x, y: (x, -y), lambda x, y: (y, x), lambda x, y: (-x, y), lambda x, y: (-y, -x))
Matrix = tuple[float, float, float, float, float, float]
_UNMOVED: Matrix = (1, 0, 0, 1, 0, 0)


def _words(pdfium: Any, text: Any, turn: Callable[[float, float], tuple[float, float]]) -> Iterator[Word]:
    rect, flags, name = pdfium.FS_RECTF(), ctypes.c_int(), ctypes.create_string_buffer(80)
    bold_fonts: dict[bytes, bool] = {}

    def box(n: int) -> Box:
        pdfium.FPDFText_GetLooseCharBox(text, n, rect)
        (a, b), (c, d) = turn(rect.left, rect.bottom), turn(rect.right, rect.top)
        return min(a, c), min(b, d), max(a, c), max(b, d)

    def bold(n: int) -> bool:
        pdfium.FPDFText_GetFontInfo(text, n, name, len(name), flags)
        held = bold_fonts.get(name.value)
        if held is None:
            said = name.value.lower()
            held = bold_fonts[name.value] = b"bold" in said or b"black" in said or (
                pdfium.FPDFText_GetFontWeight(text, n) >= 600)
        return held

    for first, last, shown in _runs([pdfium.FPDFText_GetUnicode(text, n)
                                     for n in range(pdfium.FPDFText_CountChars(text))]):
        one, other = box(first), box(last)
        if max(one[1], other[1]) >= min(one[3], other[3]):  # broken over two lines: pdfium joins what a hyphen parts
            yield from _parted(shown, first, last, box, bold)
            continue
        yield Word(text=shown, left=min(one[0], other[0]), top=min(one[1], other[1]), right=max(one[2], other[2]),
                   bottom=max(one[3], other[3]), bold=bold(first))


def _runs(codes: list[int]) -> Iterator[tuple[int, int, str]]:
    """Yield (first character, last character, text) of each word; a line end's hyphen ends its word."""
    first, shown = -1, ""
    for n, code in enumerate(codes):
        letter = chr(code) if 0 < code < 0x110000 else ""
        broken = letter in _BROKEN and letter != ""
        if broken and shown:
            yield first, n - 1, shown + "-"
            first, shown = -1, ""
        elif broken or letter.isspace() or letter < " ":
            if shown:
                yield first, n - 1, shown
            first, shown = -1, ""
        else:
            first, shown = (n if first < 0 else first), shown + _LIGATURES.get(letter, letter)
    if shown:
        yield first, len(codes) - 1, shown


def _parted(shown: str, first: int, last: int, box: Callable[[int], Box], bold: Callable[[int], bool]
            ) -> Iterator[Word]:
    """Yield a word that stands on two lines as its two parts."""
    boxes = [box(n) for n in range(first, last + 1)]
    cut = next((n for n in range(1, len(boxes)) if boxes[n][1] >= boxes[n - 1][3] or boxes[n][3] <= boxes[n - 1][1]), 0)
    for held, part in ((boxes[:cut], shown[:cut]), (boxes[cut:], shown[cut:])):
        if held and part:
            yield Word(text=part, left=min(b[0] for b in held), top=min(b[1] for b in held),
                       right=max(b[2] for b in held), bottom=max(b[3] for b in held), bold=bold(first))


def _look(pdfium: Any, held: tuple[Any, Any, int], turn: Callable[[float, float], tuple[float, float]],
          moved: Matrix, drawn: _Drawn, depth: int) -> None:
    """Note the rulings and pictures among objects (how to get one, of what, how many), and among those in forms."""
    get, holder, count = held
    kind_of, is_text, is_path = pdfium.FPDFPageObj_GetType, pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_PATH
    for n in range(count):
        thing = get(holder, n)
        kind = kind_of(thing)
        if kind == is_text:
            continue  # most objects are
        if kind == is_path and drawn.paths < PATHS_MAX:
            drawn.paths += 1
            _rule(pdfium, thing, turn, moved, drawn)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            drawn.pictures += 1
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < DEEPEST:
            within = _times(_matrix(pdfium, thing), moved)
            _look(pdfium, (pdfium.FPDFFormObj_GetObject, thing, pdfium.FPDFFormObj_CountObjects(thing)), turn, within,
                  drawn, depth + 1)


def _rule(pdfium: Any, path: Any, turn: Callable[[float, float], tuple[float, float]], moved: Matrix,
          drawn: _Drawn) -> None:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(path, fill, stroke)
    if not (fill.value or stroke.value):
        return
    points = _points(pdfium, path, _times(_matrix(pdfium, path), moved), turn)
    if not points:
        return
    xs, ys = [x for x, _, _ in points], [y for _, y, _ in points]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    if bottom - top <= THIN or right - left <= THIN:
        _note(drawn, (left, top), (right, bottom))
    elif stroke.value:
        for (x, y, _), (p, q, moves) in pairwise(points):
            if not moves:
                _note(drawn, (x, y), (p, q))


def _note(drawn: _Drawn, one: tuple[float, float], other: tuple[float, float]) -> None:
    """Note a stroke as a ruling where it runs along an axis."""
    wide, high = abs(one[0] - other[0]), abs(one[1] - other[1])
    if high <= THIN and wide >= SHORTEST:
        drawn.across.append(Ruling(at=(one[1] + other[1]) / 2, start=min(one[0], other[0]), end=max(one[0], other[0])))
    elif wide <= THIN and high >= SHORTEST:
        drawn.down.append(Ruling(at=(one[0] + other[0]) / 2, start=min(one[1], other[1]), end=max(one[1], other[1])))


def _points(pdfium: Any, path: Any, moved: Matrix, turn: Callable[[float, float], tuple[float, float]]
            ) -> list[tuple[float, float, bool]]:
    """Return a path's corners, each with whether the pen is lifted on the way there; curves rule nothing."""
    count = pdfium.FPDFPath_CountSegments(path)
    if not 2 <= count <= 400:
        return []
    x, y = ctypes.c_float(), ctypes.c_float()
    found = []
    for n in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, n)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            return []
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        a, b, c, d, e, f = moved
        shown = turn(a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        found.append((*shown, kind == pdfium.FPDF_SEGMENT_MOVETO))
    return found


def _matrix(pdfium: Any, thing: Any) -> Matrix:
    m = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(thing, m)
    return m.a, m.b, m.c, m.d, m.e, m.f


def _times(one: Matrix, then: Matrix) -> Matrix:
    """Return the movement that does `one` first."""
    a, b, c, d, e, f = one
    p, q, r, s, t, u = then
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u
