"""Written PDFs for tests of layout: framed and aligned tables, columns of prose, turned and empty pages."""

import io
from collections.abc import Callable, Sequence
from typing import Any

Draw = Callable[[Any], None]
"""Draws one page on a canvas; its origin is the bottom left corner, in points."""


def paper(*pages: Draw, turned: int = 0) -> bytes:
    """Write a PDF of A4 pages, each shown turned clockwise by so many degrees."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    for draw in pages:
        canvas.setPageRotation(turned)
        canvas.setFont("Helvetica", 10)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def prose(lines: Sequence[str], *, left: float = 60, top: float = 780, leading: float = 13) -> Draw:
    """Draw lines below one another."""

    def draw(canvas: Any) -> None:
        for n, line in enumerate(lines):
            canvas.drawString(left, top - n * leading, line)

    return draw


def table(rows: Sequence[Sequence[str]], *, widths: Sequence[float], framed: bool, top: float = 700, left: float = 60,
          numbers_right: bool = False, leading: float = 20) -> Draw:
    """Draw a table; a line break in a cell starts another line, and cells are framed or only stand below each other."""

    def draw(canvas: Any) -> None:
        y = top
        for row in rows:
            high = leading * max(len(cell.split("\n")) for cell in row)
            x = left
            for cell, width in zip(row, widths, strict=True):
                for n, line in enumerate(cell.split("\n")):
                    at = y - 12 - n * 12
                    if numbers_right and line[-1:].isdigit() and x > left:
                        canvas.drawRightString(x + width - 4, at, line)
                    else:
                        canvas.drawString(x + 4, at, line)
                if framed:
                    canvas.rect(x, y - high, width, high)
                x += width
            y -= high

    return draw


def both(*draws: Draw) -> Draw:
    """Draw several things on one page."""

    def draw(canvas: Any) -> None:
        for one in draws:
            one(canvas)

    return draw


def scan(canvas: Any) -> None:
    """Draw a page that is one grey picture."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    canvas.drawImage(ImageReader(Image.new("L", (8, 8), 128)), 50, 50, 400, 600)
