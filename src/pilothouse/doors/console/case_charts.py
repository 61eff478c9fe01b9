"""Charts of money: distribution, tornado, payback, matrix with ellipses, frontier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from pilothouse.doors.console.charts import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    ZOOMS,
    Chart,
    Spec,
    framed,
    hover,
)
from pilothouse.doors.console.filtering import Rectangle
from pilothouse.doors.console.kpi_charts import LABEL_AT, NUMBERS_FROM, PLOT_PX, brushed
from pilothouse.doors.console.labelling import placed
from pilothouse.doors.console.rendering import amount, number, percent
from pilothouse.steps.portfolio.contracts.cases import Bin, CaseOutcome, Side
from pilothouse.steps.portfolio.contracts.planning import Placed, Prioritised, Selection

TORNADO_BARS = 10
CORNERS = 48
"""Corners of an ellipse."""
COLOURS = {"quick win": GREEN, "strategic bet": BLUE, "filler": ORANGE, "avoid": VERMILLION, "no data": PURPLE}
SHAPES = {"quick win": "diamond", "strategic bet": "circle", "filler": "square", "avoid": "cross", "no data": "stroke"}
AT_ZERO: Spec = {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE}}
MONEY = {"format": "~s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a case as the distribution shows it."""

    name: str
    bins: Sequence[Bin]
    colour: str
    side: Side


def distribution(o: CaseOutcome, address: str) -> Chart:
    """Show how the NPV is spread, on released cash and on all benefits; the dashed line is 0."""
    readings = (Reading(name="released cash only", bins=o.histogram_hard, colour=BLUE, side=o.hard),
                Reading(name="all benefits", bins=o.histogram_whole, colour=ORANGE, side=o.whole))
    told = tuple((r.name, amount(r.side.npv.p10), amount(r.side.npv.p50), amount(r.side.npv.p90),
                  percent(r.side.above_zero)) for r in readings)
    says = "Distribution of the NPV. " + " ".join(
        f"{name.capitalize()}: P10 {p10}, P50 {p50}, P90 {p90}, above zero in {above} of draws."
        for name, p10, p50, p90, above in told)
    return Chart(address=address, says=says, source=f"Source: {o.method}. The dashed line is 0.", rows=told,
                 columns=("NPV", "P10", "P50", "P90", "Above zero"), spec=_distribution(o, readings))


def _distribution(o: CaseOutcome, readings: Sequence[Reading]) -> Spec:
    x: Spec = {"type": "quantitative", "title": f"NPV, {o.currency} of {o.price_year}", "axis": MONEY}
    zero = {**AT_ZERO, "encoding": {"x": {"field": "zero", **x}}}
    edges = [edge for r in readings for b in r.bins for edge in (b.low, b.high)]
    middle = (min(edges) + max(edges)) / 2
    return framed([*(_histogram(o, r, x) for r in readings), zero, *(
        layer for n, r in enumerate(reversed(readings)) for layer in _median(r, x, middle, y_px=-7 - 15 * n))],
        height=170)


def _histogram(o: CaseOutcome, r: Reading, x: Spec) -> Spec:
    y: Spec = {"field": "height", "type": "quantitative", "title": None, "axis": None, "scale": {"domainMin": 0}}
    return {"data": {"values": [_bin(o, r.name, b) for b in r.bins]},
            "mark": {"type": "bar", "color": r.colour, "opacity": 0.55, "binSpacing": 0},
            "encoding": {"x": {"field": "low", **x, "bin": {"binned": True}}, "x2": {"field": "high"}, "y": y,
                         "tooltip": hover(name="", span="NPV", says="draws")}}


def _median(r: Reading, x: Spec, middle: float, *, y_px: int) -> Sequence[Spec]:
    """Return the line at a reading's P50, and its label above the plot, which runs into the picture."""
    at = float(r.side.npv.p50.amount)
    data = {"values": [{"says": f"{r.name}, P50 {amount(r.side.npv.p50)}", "at": at}]}
    runs: Spec = {"align": "left", "dx": 4} if at < middle else {"align": "right", "dx": -4}
    return ({"data": data, "mark": {"type": "rule", "color": r.colour, "size": 1.5},
             "encoding": {"x": {"field": "at", **x}}},
            {"data": data, "mark": {"type": "text", "y": y_px, **runs},
             "encoding": {"x": {"field": "at", **x}, "text": {"field": "says"}}})


def _height(b: Bin) -> float:
    return b.share / ((b.high - b.low) or 1.0)


def _bin(o: CaseOutcome, name: str, b: Bin) -> Spec:
    return {"name": name, "low": round(b.low, 2), "high": round(b.high, 2),
            "height": float(f"{_height(b):.4g}"), "says": percent(b.share, 1),
            "span": f"{o.currency} {number(round(b.low))} to {number(round(b.high))}"}


def tornado(o: CaseOutcome, address: str) -> Chart:
    """Show what each input does alone: NPV with all benefits from its P10 to its P90 (the point), most first."""
    rows = [{"input": s.input, "low": float(s.whole_low.amount), "high": float(s.whole_high.amount), "order": i,
             "at_low": amount(s.whole_low), "at_high": amount(s.whole_high), "grade": s.grade}
            for i, s in enumerate(o.tornado[:TORNADO_BARS])]
    x: Spec = {"type": "quantitative", "title": f"NPV with all benefits, {o.currency}", "axis": MONEY,
               "scale": {"zero": False}}
    y: Spec = {"field": "input", "type": "nominal", "title": None, "sort": {"field": "order"},
               "axis": {"labelLimit": {"expr": "narrow ? 120 : 220"}}}
    told = hover(input="input", at_low="NPV at its P10", at_high="NPV at its P90", grade="grade")
    says = "Nothing varies." if not rows else (
        f"{o.tornado[0].input} moves the NPV with all benefits most, from {rows[0]['at_low']} to {rows[0]['at_high']}.")
    return Chart(address=address, says=says, columns=("Input", "Grade", "NPV at its P10", "NPV at its P90"), rows=tuple(
        (s.input, s.grade, amount(s.whole_low), amount(s.whole_high)) for s in o.tornado),
        source="Each input alone from its P10 to its P90 (the point), all others at their medians.",
        spec={**framed([
            {"mark": {"type": "bar", "color": BLUE, "opacity": 0.5, "height": 12},
             "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y, "tooltip": told}},
            {"mark": {"type": "point", "filled": True, "size": 60, "color": BLUE, "opacity": 1},
             "encoding": {"x": {"field": "high", **x}, "y": y, "tooltip": told}},
            {**AT_ZERO, "encoding": {"x": {"field": "zero", **x}}}],
            height=22 * max(1, len(rows))), "data": {"values": rows}})


def payback(o: CaseOutcome, address: str) -> Chart:
    """Show the cumulative present value by month: released cash with its band, all benefits beside it."""
    rows = [{"month": m.month, "low": round(m.hard_p10.amount), "half": round(m.hard_p50.amount),
             "high": round(m.hard_p90.amount), "whole": round(m.whole_p50.amount),
             "cash": f"{amount(m.hard_p50)} ({amount(m.hard_p10)} to {amount(m.hard_p90)})",
             "all": amount(m.whole_p50)} for m in o.months]
    x: Spec = {"field": "month", "type": "quantitative", "title": "month", "axis": {"tickMinStep": 1, "format": "d"},
               "scale": {"domain": [0, o.months[-1].month], "nice": False}}
    y: Spec = {"type": "quantitative", "title": f"cumulative present value, {o.currency}", "axis": MONEY}
    last = [{"month": rows[-1]["month"], "at": rows[-1]["half"], "says": "released cash, P50"},
            {"month": rows[-1]["month"], "at": rows[-1]["whole"], "says": "all benefits, P50"}]
    told = hover(month="month", cash="released cash, P50 (P10 to P90)", all="all benefits, P50")
    end = o.months[-1]
    return Chart(
        address=address, source="Band: P10 to P90 of released cash less costs, first 4,000 draws.",
        says=(f"Cumulative present value by month; after {end.month} months released cash stands at"
              f" {amount(end.hard_p50)} and all benefits at {amount(end.whole_p50)} (P50)."),
        columns=("Month", "Released cash, P10", "P50", "P90", "All benefits, P50"),
        rows=tuple((number(m.month), amount(m.hard_p10), amount(m.hard_p50), amount(m.hard_p90), amount(m.whole_p50))
                   for m in o.months),
        spec={**framed([
            {"params": [ZOOMS], "mark": {"type": "area", "color": BLUE, "opacity": 0.25},
             "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "color": BLUE}, "encoding": {"x": x, "y": {"field": "half", **y}}},
            {"mark": {"type": "line", "color": ORANGE}, "encoding": {"x": x, "y": {"field": "whole", **y}}},
            {"mark": {"type": "rule", "size": 10, "opacity": 0}, "encoding": {"x": x, "tooltip": told}},
            {**AT_ZERO, "encoding": {"y": {"field": "zero", **y}}},
            {"data": {"values": last}, "mark": {"type": "text", "align": "left", "dx": 6},
             "encoding": {"x": x, "y": {"field": "at", **y}, "text": {"field": "says"}}}],
            height=200), "data": {"values": rows}})


def placed_in(found: Prioritised) -> tuple[Placed, ...]:
    """Return the use cases that have a place: a value and a complexity."""
    return tuple(p for p in found.placed if p.value is not None and p.complexity is not None)


def priorities(found: Prioritised, *, query: str = "", within: Rectangle | None = None) -> Chart | None:
    """Show value against complexity, an ellipse from P10 to P90 around each use case, labelled in place."""
    shown = placed_in(found)
    if not shown:
        return None
    wins = [p.title for p in shown if p.quadrant == "quick win"]
    says = f"{len(shown)} use cases. Quick wins: {', '.join(wins) or 'none'}. " + "; ".join(
        f"{p.title}: {amount(p.value)}, complexity {number(p.complexity)}, {p.quadrant}" for p in shown[:12])
    values = [_amount(p, name) for p in shown for name in ("value_low", "value", "value_high")]
    brush = within.brush(("complexity", 1, 5), ("value", min(values), max(values))) if within else None
    return Chart(
        address="/portfolio/priorities.svg" + (f"?{query}" if query else ""), says=says, table_at="listed",
        brushes="filter", spec=_quadrants(shown, found.currency, brush), source=(
            "Ellipses run from P10 to P90 of the NPV with all benefits and from the low to the high judgement of"
            " complexity. Diamond: quick win; circle: strategic bet; square: filler; cross: avoid. Risk gates come"
            " first: what they hold back is never a quick win."
            + (" Demo data." if any(p.demo for p in shown) else "")))


def _quadrants(shown: Sequence[Placed], currency: str, brush: Mapping[str, tuple[float, float]] | None) -> Spec:
    x: Spec = {"type": "quantitative", "title": "complexity, 1 easy to 5 hard", "scale": {"domain": [1, 5]}}
    y: Spec = {"type": "quantitative", "title": f"NPV with all benefits, P50, {currency}", "axis": MONEY}
    colour: Spec = {"field": "quadrant", "type": "nominal", "legend": None,
                    "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}}
    shape: Spec = {"field": "quadrant", "type": "nominal", "legend": None,
                   "scale": {"domain": list(SHAPES), "range": list(SHAPES.values())}}
    rings = [corner for p in shown for corner in _ellipse(p)]
    at: Spec = {"x": {"field": "complexity", **x}, "y": {"field": "value", **y}}
    middle = {"data": {"values": [{"at": 3}]}, "mark": {"type": "rule", "strokeDash": [2, 4], "color": PURPLE},
              "encoding": {"x": {"field": "at", **x}}}
    named: Spec = {"condition": {"test": "narrow", "field": "number"}, "field": "title"}
    if len(shown) >= NUMBERS_FROM:
        named = {"field": "number"}
    seen: Spec = {"condition": {"param": "brush", "value": 1}, "value": 0.35}
    return {**framed([
        {"data": {"values": rings}, "mark": {"type": "line", "filled": True, "fillOpacity": 0.12, "strokeWidth": 1},
         "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "stroke": colour, "fill": colour,
                      "detail": {"field": "slug"}, "order": {"field": "order", "type": "quantitative"}}},
        middle, {**AT_ZERO, "encoding": {"y": {"field": "zero", **y}}},
        {"params": [brushed("brush", brush)],
         "mark": {"type": "point", "filled": True, "size": 110, "cursor": "pointer"},
         "encoding": {**at, "color": colour, "shape": shape, "opacity": seen, "tooltip": hover(
             title="use case", quadrant="quadrant", money="NPV, P50 (P10 to P90)", hardness="complexity (range)")}},
        {"mark": {"type": "text", "limit": 280, **LABEL_AT}, "encoding": {**at, "text": named, "opacity": seen}}],
        height=360, right=28),
        "data": {"values": _dots(shown)}}


def _dots(shown: Sequence[Placed]) -> list[Spec]:
    """Return the points with where their labels stand."""
    values = [_amount(p, name) for p in shown for name in ("value_low", "value_high")]
    span = (max(values) - min(values)) or 1.0
    at = placed([(((p.complexity or 1) - 1) / 4 * PLOT_PX, 360 * (max(values) - _amount(p, "value")) / span, p.title)
                 for p in shown])
    return [{**_dot(i, p), "align": t.align, "dx": t.dx, "dy": t.dy}
            for i, (p, t) in enumerate(zip(shown, at, strict=True), 1)]


def _dot(i: int, p: Placed) -> Spec:
    return {"title": p.title, "number": str(i), "complexity": p.complexity, "value": _amount(p, "value"),
            "quadrant": p.quadrant, "href": f"/use-cases/{p.slug}",
            "money": f"{amount(p.value)} ({amount(p.value_low)} to {amount(p.value_high)})",
            "hardness": f"{number(p.complexity)} ({number(p.complexity_low)} to"
                        f" {number(p.complexity_high)})"}


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
        return {"slug": p.slug, "quadrant": p.quadrant, "order": i,
                "x": round(x + across * (right if across > 0 else left), 3),
                "y": round(y + along * (up if along > 0 else down))}

    return [corner(i) for i in range(CORNERS + 1)]


def frontier(found: Selection, address: str) -> Chart | None:
    """Show what the best portfolio brings at smaller and larger budgets; the dashed line is the budget asked for."""
    if not found.frontier:
        return None
    rows = [{"budget": float(m.budget.amount), "net": float(m.net.amount), "at": amount(m.budget),
             "says": amount(m.net), "adds": ", ".join(m.comes) or "nothing"} for m in found.frontier]
    x: Spec = {"type": "quantitative", "title": f"budget, {found.budget.currency}", "axis": MONEY,
               "scale": {"domainMin": 0}}
    y: Spec = {"type": "quantitative", "title": f"expected NPV, {found.net.currency}", "axis": MONEY}
    asked = [{"at": float(found.budget.amount), "says": f"asked for: {amount(found.budget)}"}]
    return Chart(
        address=address, source="Each point is solved again. Dashed: the budget asked for.",
        says="Expected NPV of the best portfolio by budget: " + ", ".join(f"{r['says']} at {r['at']}" for r in rows)
             + ".", columns=("Budget", "Expected NPV", "Adds to the one asked for"),
        rows=tuple((str(r["at"]), str(r["says"]), str(r["adds"])) for r in rows),
        spec=framed([
            {"data": {"values": rows}, "params": [ZOOMS], "mark": {
                "type": "line", "interpolate": "step-after", "color": BLUE, "point": {"size": 60, "color": BLUE}},
             "encoding": {"x": {"field": "budget", **x}, "y": {"field": "net", **y},
                          "tooltip": hover(at="budget", says="expected NPV")}},
            {"data": {"values": asked}, "mark": {"type": "rule", "strokeDash": [5, 4], "color": PURPLE},
             "encoding": {"x": {"field": "at", **x}}},
            {"data": {"values": asked}, "mark": {"type": "text", "y": -8}, "encoding": {
                "x": {"field": "at", **x}, "text": {"field": "says"}}}],
            height=180))
