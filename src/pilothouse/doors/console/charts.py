"""Charts as Vega-Lite specifications with one theme: direct labels, intervals as bands, baselines dashed and dated."""

from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
Spec = dict[str, Any]
LABEL_PX = 110
"""Room at the right for a label that starts at the last point."""


def themed(spec: Spec, *, dark: bool) -> Spec:
    """Return a specification with the console's colours, in light or dark."""
    ink, quiet, line = ("#eceff1", "#aab3bb", "#343a41") if dark else ("#16191d", "#535b63", "#d5d9dd")
    axis = {"labelColor": quiet, "titleColor": quiet, "gridColor": line, "domainColor": line, "tickColor": line,
            "titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 12}
    return {"$schema": SCHEMA, "background": None, **spec, "config": {
        "font": "system-ui, sans-serif", "view": {"stroke": None}, "axis": axis,
        "text": {"color": ink, "fontSize": 12}, "title": {"color": ink, "fontSize": 13, "anchor": "start"}}}


def kpi_change(*, unit: str, baseline: float, baseline_from: str, current: float, low: float, high: float, bar: float
               ) -> Spec:
    """Show a KPI's level now with its interval, beside its frozen baseline (dashed) and the bar it must clear."""
    rows = [{"what": "now", "value": current, "low": baseline + low, "high": baseline + high}]
    lines = [{"at": baseline, "says": f"baseline, {baseline_from}"}, {"at": bar, "says": "bar"}]
    x = {"type": "quantitative", "title": unit, "scale": {"zero": False, "nice": True}}
    return {"width": 460, "height": 90, "padding": {"left": 5, "top": 5, "bottom": 5, "right": LABEL_PX}, "layer": [
        {"data": {"values": lines}, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE, "size": 1.5},
         "encoding": {"x": {"field": "at", **x}}},
        {"data": {"values": lines}, "mark": {"type": "text", "align": "left", "dx": 4, "dy": -34},
         "encoding": {"x": {"field": "at", **x}, "text": {"field": "says"}}},
        {"data": {"values": rows}, "mark": {"type": "rule", "size": 6, "color": BLUE, "opacity": 0.45},
         "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}}},
        {"data": {"values": rows}, "mark": {"type": "point", "filled": True, "size": 90, "color": BLUE},
         "encoding": {"x": {"field": "value", **x}}}]}


def effects(rows: Sequence[Mapping[str, Any]], *, unit: str, bar: float) -> Spec:
    """Show an effect with its interval at each look, beside no effect and the smallest one worth acting on."""
    lines = [{"at": 0.0, "says": "no effect"}, {"at": bar, "says": "worth acting on"}]
    y = {"field": "name", "type": "nominal", "title": None, "sort": None}
    x = {"type": "quantitative", "title": unit, "scale": {"zero": False, "nice": True}}
    return {"width": 460, "padding": {"left": 40, "top": 20, "bottom": 5, "right": LABEL_PX}, "layer": [
        {"data": {"values": lines}, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE, "size": 1.5},
         "encoding": {"x": {"field": "at", **x}}},
        {"data": {"values": lines}, "mark": {"type": "text", "align": "left", "dx": 4, "y": -8},
         "encoding": {"x": {"field": "at", **x}, "text": {"field": "says"}}},
        {"data": {"values": list(rows)}, "mark": {"type": "rule", "size": 6, "color": BLUE, "opacity": 0.45},
         "encoding": {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}}},
        {"data": {"values": list(rows)}, "mark": {"type": "point", "filled": True, "size": 90, "color": BLUE},
         "encoding": {"y": y, "x": {"field": "value", **x}}}]}


def matrix(points: Sequence[Mapping[str, Any]]) -> Spec:
    """Show use cases by complexity (points) and what their work costs today (EUR a month), labelled in place."""
    x = {"field": "complexity", "type": "quantitative", "title": "complexity, points", "scale": {"domainMin": 0}}
    y = {"field": "spend", "type": "quantitative", "title": "cost of the work today, EUR a month",
         "scale": {"domainMin": 0}}
    colour = {"field": "quick_win", "type": "nominal", "legend": None,
              "scale": {"domain": [True, False], "range": [GREEN, BLUE]}}
    return {"width": 520, "height": 300, "padding": {"left": 5, "top": 12, "bottom": 5, "right": 2 * LABEL_PX},
            "data": {"values": list(points)}, "layer": [
        {"mark": {"type": "point", "filled": True, "size": 120}, "encoding": {"x": x, "y": y, "color": colour}},
        {"mark": {"type": "text", "align": "left", "dx": 9}, "encoding": {"x": x, "y": y, "text": {"field": "title"}}}]}


def weekly(rows: Sequence[Mapping[str, Any]], *, title: str, share: bool) -> Spec:
    """Show one line a unit over weeks, labelled at its end; weeks under the cohort floor leave a gap."""
    y = {"field": "value", "type": "quantitative", "title": title, "scale": {"domainMin": 0},
         "axis": {"format": ".0%"} if share else {}}
    x = {"field": "week", "type": "temporal", "title": None, "axis": {"format": "%d %b", "tickCount": "week"}}
    colour = {"field": "unit", "type": "nominal", "legend": None,
              "scale": {"range": [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY]}}
    return {"width": 600, "height": 240, "data": {"values": list(rows)}, "layer": [
        {"mark": {"type": "line", "point": True, "invalid": "break-paths-show-domains"},
         "encoding": {"x": x, "y": y, "color": colour}},
        {"mark": {"type": "text", "align": "left", "dx": 6}, "encoding": {
            "x": {"aggregate": "max", **x}, "y": {"aggregate": {"argmax": "week"}, **y}, "color": colour,
            "text": {"field": "unit"}}}]}


def bars(rows: Sequence[Mapping[str, Any]], *, title: str) -> Spec:
    """Show counts by name as horizontal bars from zero, labelled with their value."""
    y = {"field": "name", "type": "nominal", "title": None, "sort": "-x", "axis": {"labelLimit": 320}}
    x = {"field": "value", "type": "quantitative", "title": title, "scale": {"domainMin": 0},
         "axis": {"tickMinStep": 1, "format": ",d"}}
    # Room at the left: the reader's typeface may be wider than the one the labels were measured in.
    room = {"left": 48, "top": 5, "bottom": 5, "right": 28}
    return {"width": 380, "padding": room, "data": {"values": list(rows)}, "layer": [
        {"mark": {"type": "bar", "color": BLUE}, "encoding": {"x": x, "y": y}},
        {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"x": x, "y": y, "text": {"field": "value"}}}]}
