"""Charts of money as Vega-Lite specifications: distribution, tornado, payback, matrix with ellipses, frontier."""

from collections.abc import Sequence
from math import cos, pi, sin

from pilothouse.doors.console.charts import BLUE, GREEN, LABEL_PX, ORANGE, PURPLE, VERMILLION, Spec
from pilothouse.steps.portfolio.contracts.cases import CaseOutcome
from pilothouse.steps.portfolio.contracts.planning import Placed, Prioritised, Selection

TORNADO_BARS = 10
CORNERS = 48
"""Corners of an ellipse."""
COLOURS = {"quick win": GREEN, "strategic bet": BLUE, "filler": ORANGE, "avoid": VERMILLION, "no data": PURPLE}
AT_ZERO: Spec = {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE}}
MONEY = {"format": "~s"}


def distribution(o: CaseOutcome) -> Spec:
    """Show how the NPV is spread, on released cash and on all benefits; the dashed line is 0."""
    sides = (("released cash only", o.histogram_hard, BLUE, o.hard.npv), ("all benefits", o.histogram_whole, ORANGE,
                                                                         o.whole.npv))
    x = {"type": "quantitative", "title": f"NPV, {o.currency} of {o.price_year}", "axis": MONEY}
    y = {"type": "quantitative", "title": None, "axis": None, "scale": {"domainMin": 0}}
    layers = [{"data": {"values": [{"low": b.low, "high": b.high, "share": b.share / ((b.high - b.low) or 1.0)}
                                   for b in bins]},
               "mark": {"type": "bar", "color": colour, "opacity": 0.55, "binSpacing": 0},
               "encoding": {"x": {"field": "low", **x, "bin": {"binned": True}}, "x2": {"field": "high"},
                            "y": {"field": "share", **y}}}
              for _, bins, colour, _ in sides]
    labels = [{"says": f"{name}, P50 {npv.p50.amount:,.0f}", "at": float(npv.p50.amount),
               "top": max(b.share / ((b.high - b.low) or 1.0) for b in bins)} for name, bins, _, npv in sides]
    words = {"data": {"values": labels}, "mark": {"type": "text", "dy": -8, "align": "center"},
             "encoding": {"x": {"field": "at", **x}, "y": {"field": "top", **y}, "text": {"field": "says"}}}
    zero = {**AT_ZERO, "encoding": {"x": {"field": "zero", **x}}}
    return {"width": 560, "height": 170, "padding": {"left": 60, "right": 60, "top": 12, "bottom": 5},
            "layer": [*layers, zero, words]}


def tornado(o: CaseOutcome) -> Spec:
    """Show what each input does alone: NPV with all benefits from its P10 to its P90 (the point), most first."""
    rows = [{"input": s.input, "low": float(s.whole_low.amount), "high": float(s.whole_high.amount), "order": i}
            for i, s in enumerate(o.tornado[:TORNADO_BARS])]
    x = {"type": "quantitative", "title": f"NPV with all benefits, {o.currency}", "axis": MONEY,
         "scale": {"zero": False}}
    y = {"field": "input", "type": "nominal", "title": None, "sort": {"field": "order"}, "axis": {"labelLimit": 300}}
    return {"width": 380, "height": {"step": 22}, "padding": {"left": 70, "top": 5, "bottom": 5, "right": 5},
            "data": {"values": rows}, "layer": [
        {"mark": {"type": "bar", "color": BLUE, "opacity": 0.5, "height": 12},
         "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y}},
        {"mark": {"type": "point", "filled": True, "size": 60, "color": BLUE},
         "encoding": {"x": {"field": "high", **x}, "y": y}},
        {**AT_ZERO, "encoding": {"x": {"field": "zero", **x}}}]}


def payback(o: CaseOutcome) -> Spec:
    """Show the cumulative present value by month: released cash with its band, all benefits beside it."""
    rows = [{"month": m.month, "low": float(m.hard_p10.amount), "half": float(m.hard_p50.amount),
             "high": float(m.hard_p90.amount), "whole": float(m.whole_p50.amount)} for m in o.months]
    x = {"field": "month", "type": "quantitative", "title": "month"}
    y = {"type": "quantitative", "title": f"cumulative present value, {o.currency}", "axis": MONEY}
    last = [{"month": rows[-1]["month"], "at": rows[-1]["half"], "says": "released cash, P50"},
            {"month": rows[-1]["month"], "at": rows[-1]["whole"], "says": "all benefits, P50"}]
    return {"width": 480, "height": 200, "padding": {"left": 5, "top": 8, "bottom": 5, "right": LABEL_PX + 30},
            "data": {"values": rows}, "layer": [
        {"mark": {"type": "area", "color": BLUE, "opacity": 0.25},
         "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {"mark": {"type": "line", "color": BLUE}, "encoding": {"x": x, "y": {"field": "half", **y}}},
        {"mark": {"type": "line", "color": ORANGE}, "encoding": {"x": x, "y": {"field": "whole", **y}}},
        {**AT_ZERO, "encoding": {"y": {"field": "zero", **y}}},
        {"data": {"values": last}, "mark": {"type": "text", "align": "left", "dx": 6},
         "encoding": {"x": x, "y": {"field": "at", **y}, "text": {"field": "says"}}}]}


def priorities(found: Prioritised) -> Spec:
    """Show value against complexity, an ellipse from P10 to P90 around each use case, labelled in place."""
    placed = [p for p in found.placed if p.value is not None and p.complexity is not None]
    x = {"type": "quantitative", "title": "complexity, 1 easy to 5 hard", "scale": {"domain": [1, 5]}}
    y = {"type": "quantitative", "title": f"NPV with all benefits, P50, {found.currency}", "axis": MONEY}
    colour = {"field": "quadrant", "type": "nominal", "legend": None,
              "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}}
    rings = [corner for p in placed for corner in _ellipse(p)]
    points = [{"title": f"{p.title} ({p.quadrant})", "x": p.complexity, "y": _amount(p, "value"),
               "quadrant": p.quadrant} for p in placed]
    middle = {"data": {"values": [{"at": 3}]}, "mark": {"type": "rule", "strokeDash": [2, 4], "color": PURPLE},
              "encoding": {"x": {"field": "at", **x}}}
    return {"width": 520, "height": 340, "padding": {"left": 5, "top": 12, "bottom": 5, "right": 2 * LABEL_PX},
            "layer": [
        {"data": {"values": rings}, "mark": {"type": "line", "filled": True, "fillOpacity": 0.15, "strokeWidth": 1},
         "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "color": colour, "fill": colour,
                      "detail": {"field": "slug"}, "order": {"field": "order", "type": "quantitative"}}},
        middle, {**AT_ZERO, "encoding": {"y": {"field": "zero", **y}}},
        {"data": {"values": points}, "mark": {"type": "point", "filled": True, "size": 90},
         "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "color": colour}},
        {"data": {"values": points}, "mark": {"type": "text", "align": "left", "dx": 9},
         "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "text": {"field": "title"}}}]}


def _amount(p: Placed, name: str) -> float:
    held = getattr(p, name)
    return float(held.amount) if held else 0.0


def _ellipse(p: Placed) -> Sequence[Spec]:
    """Return the corners of a curve through P10 and P90 in both directions: half an ellipse to each side."""
    x, y = p.complexity or 0.0, _amount(p, "value")
    left, right = x - (p.complexity_low or x), (p.complexity_high or x) - x
    down, up = y - _amount(p, "value_low"), _amount(p, "value_high") - y

    def corner(i: int) -> Spec:
        across, along = cos(2 * pi * i / CORNERS), sin(2 * pi * i / CORNERS)
        return {"slug": p.slug, "quadrant": p.quadrant, "order": i, "x": x + across * (right if across > 0 else left),
                "y": y + along * (up if along > 0 else down)}

    return [corner(i) for i in range(CORNERS + 1)]


def frontier(found: Selection) -> Spec:
    """Show what the best portfolio brings at smaller and larger budgets; the dashed line is the budget asked for."""
    rows = [{"budget": float(m.budget.amount), "net": float(m.net.amount)} for m in found.frontier]
    x = {"type": "quantitative", "title": f"budget, {found.budget.currency}", "axis": MONEY, "scale": {"domainMin": 0}}
    y = {"type": "quantitative", "title": f"expected NPV, {found.net.currency}", "axis": MONEY}
    asked = [{"at": float(found.budget.amount)}]
    return {"width": 460, "height": 180, "data": {"values": rows}, "layer": [
        {"mark": {"type": "line", "interpolate": "step-after", "color": BLUE, "point": True},
         "encoding": {"x": {"field": "budget", **x}, "y": {"field": "net", **y}}},
        {"data": {"values": asked}, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE},
         "encoding": {"x": {"field": "at", **x}}}]}
