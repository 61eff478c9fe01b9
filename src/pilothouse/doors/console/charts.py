"""Charts: a specification with its words and its numbers; one theme, two widths, the same drawing everywhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
Spec = dict[str, Any]
WIDE_PX, NARROW_PX = 640, 340
"""Whole width of a picture beside text, and on a phone; with scripts a chart takes the width that is there."""
EMBEDDED_MAX = 12_000
"""Characters of a specification that a page carries itself; a larger one is fetched once the page stands."""
ZOOMS: Spec = {"name": "zoom", "select": {"type": "interval", "zoom": "wheel![event.ctrlKey]"}, "bind": "scales"}
"""Drag moves, Ctrl and wheel zooms, a double click returns: the wheel alone still scrolls the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a page shows as one picture: `says` is the whole of it in words, `rows` are its numbers."""

    address: str
    """Where the server draws it, as SVG."""
    says: str
    spec: Spec
    source: str = ""
    """Source, period and how to read it; stands under the picture."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """The numbers as the page writes them; empty where `table_at` names a table that has them already."""
    table_at: str = ""
    brushes: str = ""
    """Id of the form whose `<field>_from` and `<field>_to` a dragged rectangle fills."""

    @property
    def embedded(self) -> str:
        """The specification as JSON for the page, or nothing when it is too large to carry."""
        text = json.dumps(self.spec, separators=(",", ":"), ensure_ascii=False)
        return text if len(text) <= EMBEDDED_MAX else ""

    @property
    def numbers(self) -> Mapping[str, str]:
        """The numbers by which points are labelled on a phone, or where there are many, by the point's address."""
        return {d["href"]: d["number"] for d in self.spec.get("data", {}).get("values", ()) if "href" in d}

    @property
    def zooms(self) -> bool:
        return any(p.get("name") == "zoom" for layer in (self.spec, *self.spec["layer"])
                   for p in layer.get("params", ()))


@cache
def theme() -> Mapping[str, Spec]:
    """Return the colours and typefaces of charts, in light and in dark: pages, pictures and papers share them."""
    file = files("pilothouse.doors.console") / "static" / "chart-theme.json"
    found: Mapping[str, Spec] = json.loads(file.read_text(encoding="utf8"))
    return found


def themed(spec: Spec, *, dark: bool, narrow: bool = False) -> Spec:
    """Return a specification ready to draw: with its theme, and with its width."""
    params = [{**p, "value": narrow} if p["name"] == "narrow" else p for p in spec["params"]]
    return {**spec, "width": NARROW_PX if narrow else WIDE_PX, "params": params,
            "config": theme()["dark" if dark else "light"]}


def framed(layers: Sequence[Spec], *, height: int, right: int = 4, params: Sequence[Spec] = ()) -> Spec:
    """Return layers as one picture that fills the width it is given, labels included; marks may test `narrow`.

    Vega makes room for a label as it stood in the wider plot: one that does not start at the edge needs `right` more.
    """
    for layer in layers:  # where scales are bound to a drag Vega clips every mark, and labels stand outside the plot
        if layer["mark"]["type"] == "text":
            layer["mark"] = {"clip": False, **layer["mark"]}
    return {"$schema": SCHEMA, "background": None, "width": WIDE_PX, "height": height,
            "padding": {"left": 4, "top": 4, "bottom": 4, "right": right},
            "autosize": {"type": "fit-x", "contains": "padding"}, "layer": list(layers),
            "params": [{"name": "narrow", "value": False}, *params]}


def hover(**titles: str) -> list[Spec]:
    """Return what the pointer shows over a mark: fields, already written as text, with their titles."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in titles.items()]


def line_at(value: float, says: str, x: Spec, *, dy: int = 0) -> list[Spec]:
    """Return a dashed vertical line with its words above it."""
    at = {"values": [{"at": value, "says": says}]}
    return [{"data": at, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE, "size": 1.5},
             "encoding": {"x": {"field": "at", **x}, "tooltip": hover(says="line")}},
            {"data": at, "mark": {"type": "text", "align": "center", "y": -8 + dy},
             "encoding": {"x": {"field": "at", **x}, "text": {"field": "says"}}}]


def bars(rows: Sequence[Mapping[str, Any]], *, title: str) -> Spec:
    """Show counts by name as horizontal bars from zero, labelled with their value."""
    y = {"field": "name", "type": "nominal", "title": None, "sort": None,
         "axis": {"labelLimit": {"expr": "narrow ? 130 : 260"}}}
    x = {"field": "value", "type": "quantitative", "title": title, "scale": {"domainMin": 0},
         "axis": {"tickMinStep": 1, "format": ",d"}}
    data = {"values": sorted((dict(r) for r in rows), key=lambda r: -int(r["value"]))}
    return framed([
        {"data": data, "mark": {"type": "bar", "color": BLUE},
         "encoding": {"x": x, "y": y, "tooltip": hover(name="", value=title)}},
        {"data": data, "mark": {"type": "text", "align": "left", "dx": 4},
         "encoding": {"x": x, "y": y, "text": {"field": "value"}}}],
        height=24 * len(rows))
