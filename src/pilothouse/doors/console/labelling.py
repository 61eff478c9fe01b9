"""Where labels of points may stand so that they cover neither each other nor a point: greedy, to the right first."""

from collections.abc import Sequence
from dataclasses import dataclass

CHAR_PX, LINE_PX, POINT_PX = 6.7, 15.0, 8.0
"""About how wide a character and how high a line is at 12 pixels, and how far a point reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How a label stands at its point: alignment, and its offset in pixels."""

    align: str
    dx: float
    dy: float


PLACES = (Place(align="left", dx=10, dy=0), Place(align="right", dx=-10, dy=0), Place(align="center", dx=0, dy=-14),
          Place(align="center", dx=0, dy=15), Place(align="left", dx=6, dy=-13), Place(align="left", dx=6, dy=14))


def placed(points: Sequence[tuple[float, float, str]], *, left: float = 0.0) -> list[Place]:
    """Return a place for each (x, y, text), x and y in pixels from the top left; the first where none is free.

    `left` is how far a label may reach to the left.
    """
    taken = [Box(left=x - POINT_PX, top=y - POINT_PX, right=x + POINT_PX, bottom=y + POINT_PX) for x, y, _ in points]
    chosen = []
    for n, (x, y, text) in enumerate(points):
        others = [*taken[:n], *taken[n + 1:]]
        free = [(p, box) for p in PLACES if (box := _box(x, y, text, p)).left >= left
                and not any(box.meets(o) for o in others)]
        place, box = free[0] if free else (PLACES[0], _box(x, y, text, PLACES[0]))
        chosen.append(place)
        taken.append(box)
    return chosen


def _box(x: float, y: float, text: str, p: Place) -> Box:
    wide = CHAR_PX * len(text)
    start = x + p.dx - {"left": 0.0, "center": wide / 2, "right": wide}[p.align]
    return Box(left=start, right=start + wide, top=y + p.dy - LINE_PX / 2, bottom=y + p.dy + LINE_PX / 2)
