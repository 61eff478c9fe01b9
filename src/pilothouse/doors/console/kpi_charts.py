"""Charts of what was measured: a KPI against its baseline, weekly use, cost of the work against complexity."""

from collections.abc import Mapping, Sequence

from pilothouse.doors.console.charts import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Chart,
    Spec,
    framed,
    hover,
    line_at,
)
from pilothouse.doors.console.labelling import LINE_PX, placed
from pilothouse.doors.console.rendering import day, eur, number, percent, unit
from pilothouse.steps.adoption.contracts import UsageReport, WeeklyUse
from pilothouse.steps.portfolio.contracts import KpiStanding, MatrixPoint

NUMBERS_FROM = 40
"""From so many points on a matrix is labelled by number only: names would cover each other."""

PLOT_PX = 480
LINES_PX = 240
"""About how wide the plot itself is in a wide picture: what labels are placed by."""
LABEL_AT: Spec = {"align": {"expr": "datum.align"}, "dx": {"expr": "datum.dx"}, "dy": {"expr": "datum.dy"}}


def digits_of(shape: str) -> int:
    """Return how many digits a KPI's figures are written with."""
    return 3 if shape == "proportion" else 2


def kpi_change(s: KpiStanding, use_case: str) -> Chart | None:
    """Show a KPI now with its interval, beside its frozen baseline and the bar it must clear; None without data."""
    b, e, k = s.result.baseline, s.result.estimate, s.kpi
    if b is None or e is None:
        return None
    d = digits_of(k.shape)
    bar = b.mean - k.least_change if k.better == "lower" else b.mean + k.least_change
    now, low, high = b.mean + e.value, b.mean + e.low, b.mean + e.high
    says = (f"{k.title} is now {number(now, d)} {k.unit}, 95 % interval {number(low, d)} to {number(high, d)}; the"
            f" baseline of {day(b.frozen_at)} is {number(b.mean, d)}, the bar {number(bar, d)}.")
    rows = (("now", number(now, d), number(low, d), number(high, d), number(s.result.n_current)),
            ("baseline", number(b.mean, d), "", "", number(b.n)), ("bar", number(bar, d), "", "", ""))
    return Chart(
        address=f"/use-cases/{use_case}/kpis/{k.slug}/change.svg", says=says, rows=rows,
        columns=("", f"{k.title}, {k.unit}", "95 % from", "to", "n"),
        source=(f"Source: {b.source or 'not stated'}; {s.result.period or 'no period'}. Baseline frozen"
                f" {day(b.frozen_at)}, version {b.version}." + (" Demo data." if s.demo else "")),
        spec=_level(k.unit, b.mean, f"baseline, {day(b.frozen_at)}", bar, {
            "what": "now", "value": now, "low": low, "high": high, "says": f"{number(now, d)} {k.unit}",
            "span": f"{number(low, d)} to {number(high, d)}", "n": number(s.result.n_current)}))


def _level(unit_of: str, baseline: float, baseline_says: str, bar: float, row: Spec) -> Spec:
    x: Spec = {"type": "quantitative", "title": unit_of, "scale": {"zero": False, "nice": True}}
    data = {"values": [row]}
    told = hover(says="now", span="95 % interval", n="n")
    return framed([
        *line_at(baseline, baseline_says, x), *line_at(bar, "bar", x, dy=-15),
        {"data": data, "mark": {"type": "rule", "size": 8, "color": BLUE, "opacity": 0.45},
         "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "tooltip": told}},
        {"data": data, "mark": {"type": "point", "filled": True, "size": 110, "color": BLUE, "opacity": 1},
         "encoding": {"x": {"field": "value", **x}, "tooltip": told}},
        {"data": data, "mark": {"type": "text", "dy": 16}, "encoding": {
            "x": {"field": "value", **x}, "text": {"field": "says"}}}],
        height=70)


def matrix(points: Sequence[MatrixPoint], *, query: str = "", brush: Mapping[str, tuple[float, float]] | None = None
           ) -> Chart | None:
    """Show use cases by complexity (points) and what their work costs today (EUR a month); None with nothing placed."""
    shown = [p for p in points if p.spend_eur_month is not None]
    if not shown:
        return None
    wins = [p.title for p in shown if p.quick_win]
    costly = sorted(shown, key=lambda p: -(p.spend_eur_month or 0))[:3]
    says = (f"{len(shown)} use cases by complexity and cost of the work today. Quick wins:"
            f" {', '.join(wins) or 'none'}. Most costly: {', '.join(map(_told, costly))}.")
    return Chart(
        address="/portfolio/matrix.svg" + (f"?{query}" if query else ""), says=says, table_at="listed",
        brushes="filter", source=(
            "Source: recorded volume times unit cost per use case. Complexity counts recorded facts: autonomy,"
            " audience, risk tier, data classes, further countries and units. A diamond is a quick win: complexity"
            " up to 4 and not high risk." + (" Demo data." if any(p.demo for p in shown) else "")),
        spec=_scatter([_dot(i, p) for i, p in enumerate(shown, 1)], brush))


def _told(p: MatrixPoint) -> str:
    return f"{p.title}, {eur(p.spend_eur_month, 0)} a month at complexity {p.complexity}"


def _dot(i: int, p: MatrixPoint) -> Spec:
    return {"title": p.title, "number": str(i), "complexity": p.complexity, "spend": p.spend_eur_month,
            "kind": "quick win" if p.quick_win else p.stage, "win": p.quick_win, "href": f"/use-cases/{p.slug}",
            "cost": f"{eur(p.spend_eur_month, 0)} a month", "from": "; ".join(p.complexity_from)}


def _scatter(dots: Sequence[Spec], brush: Mapping[str, tuple[float, float]] | None) -> Spec:
    top = max(d["complexity"] for d in dots)
    x: Spec = {"field": "complexity", "type": "quantitative", "title": "complexity, points",
               "scale": {"domain": [0, top + 1]}, "axis": {"format": "d", "tickMinStep": 1, "tickCount": 10}}
    y: Spec = {"field": "spend", "type": "quantitative", "title": "cost of the work today, EUR a month",
               "scale": {"domainMin": 0, "nice": True}, "axis": {"format": "~s"}}
    named: Spec = {"condition": {"test": "narrow", "field": "number"}, "field": "title"}
    if len(dots) >= NUMBERS_FROM:
        named = {"field": "number"}
    win = {"test": "datum.win", "value": GREEN}
    tall, most = 320, max(d["spend"] for d in dots) * 1.05
    named_at = placed([(d["complexity"] / (top + 1) * PLOT_PX, tall * (1 - d["spend"] / most), d["title"])
                       for d in dots])
    point: Spec = {
        "params": [brushed("brush", brush)],
        "mark": {"type": "point", "filled": True, "size": 130, "opacity": 0.9, "cursor": "pointer"},
        "encoding": {"x": x, "y": y, "color": {"condition": win, "value": BLUE},
                     "shape": {"condition": {"test": "datum.win", "value": "diamond"}, "value": "circle"},
                     "opacity": {"condition": {"param": "brush", "value": 1}, "value": 0.3},
                     "tooltip": hover(title="use case", kind="stage", cost="work today", complexity="complexity",
                                      **{"from": "counted for"})}}
    label: Spec = {"mark": {"type": "text", "limit": 280, **LABEL_AT}, "encoding": {
        "x": x, "y": y, "text": named, "opacity": {"condition": {"param": "brush", "value": 1}, "value": 0.45}}}
    return {**framed([point, label], height=tall, right=28), "data": {"values": [
        {**d, "align": p.align, "dx": p.dx, "dy": p.dy} for d, p in zip(dots, named_at, strict=True)]}}


def brushed(name: str, held: Mapping[str, tuple[float, float]] | None) -> Spec:
    """Return the rectangle that a reader may drag, with what the address says of it; fields by channel x and y."""
    drag: Spec = {"name": name, "select": {"type": "interval", "encodings": ["x", "y"], "mark": {
        "fill": SKY, "fillOpacity": 0.12, "stroke": BLUE}}}
    return {**drag, "value": {channel: list(span) for channel, span in held.items()}} if held else drag


def weekly(report: UsageReport, use_case: str) -> Chart | None:
    """Show one line a unit over weeks, labelled at its end; weeks under the cohort floor leave a gap."""
    known = [r for r in report.rows if r.share is not None and r.complete]
    if not known:
        return None
    units = {r.unit for r in known}
    told = [r for r in known if r.unit == known[0].unit]
    first, last = told[0], told[-1]
    return Chart(
        address=f"/adoption/weekly.svg?use_case={use_case}",
        spec=_lines([r for r in report.rows if r.unit in units and r.complete]),
        says=(f"Weekly active share by unit, {len({r.week for r in known})} weeks. {_unit(last)}:"
              f" {percent(first.share)} in the week of {day(first.week)}, {percent(last.share)} in that of"
              f" {day(last.week)}."),
        source=(f"Source: answers recorded by the gateway. {report.formula[:1].upper()}{report.formula[1:]}. The week"
                f" that is still running is left out. Nothing is shown about fewer than {report.floor} people: where a"
                " line breaks, the week would speak about fewer." + (" Demo data." if report.demo else "")),
        columns=("Week", "Unit", "Eligible", "Active", "Share", "Tasks"),
        rows=tuple((day(r.week) + ("" if r.complete else ", still running"), _unit(r),
                    number(r.eligible), number(r.active), percent(r.share), number(r.tasks))
                   for r in reversed(report.rows)))


def _lines(rows: Sequence[WeeklyUse]) -> Spec:
    weeks = sorted({r.week for r in rows})
    most = max((r.share or 0.0 for r in rows), default=0.0)
    y: Spec = {"field": "value", "type": "quantitative", "title": "weekly active share",
               "scale": {"domain": [0, min(1.0, most * 1.15) or 1.0]}, "axis": {"format": ".0%"}}
    x: Spec = {"field": "week", "type": "temporal", "title": None, "scale": {"type": "utc"},
               "axis": {"format": "%d %b", "values": weeks}}
    colour: Spec = {"field": "unit", "type": "nominal", "legend": None, "scale": {
        "domain": sorted({_unit(r) for r in rows}), "range": [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY]}}
    known = [_week(r) for r in rows if r.share is not None]
    ends = _apart(list({str(r["unit"]): r for r in known}.values()), most)
    told = hover(unit="unit", on="week of", says="active share", active="active", eligible="eligible")
    at: Spec = {"x": x, "y": y, "color": colour}
    return framed([
        {"data": {"values": [_week(r) for r in rows]}, "encoding": at,
         "mark": {"type": "line", "invalid": "break-paths-filter-domains"}},
        {"data": {"values": known}, "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
         "encoding": {**at, "tooltip": told}},
        {"data": {"values": [{**r, "week": weeks[-1]} for r in ends]}, "mark": {
            "type": "text", "align": "left", "dx": 10, "dy": {"expr": "datum.dy"}, "limit": 150},
         "encoding": {**at, "text": {"field": "unit"}}}], height=LINES_PX)


def _apart(ends: Sequence[Spec], most: float) -> list[Spec]:
    """Return the lines' labels from the lowest up, each moved off the one below it (`dy`, pixels)."""
    told, floor = [], LINES_PX + LINE_PX
    for r in sorted(ends, key=lambda r: float(r["value"])):
        y = LINES_PX * (1 - float(r["value"]) / ((most * 1.15) or 1.0))
        floor = min(y, floor - LINE_PX)
        told.append({**r, "dy": floor - y})
    return told


def _unit(r: WeeklyUse) -> str:
    return unit(r.unit) if r.unit else "all units"


def _week(r: WeeklyUse) -> Spec:
    return {"unit": _unit(r), "week": r.week, "value": r.share, "says": percent(r.share), "on": day(r.week),
            "eligible": number(r.eligible), "active": number(r.active)}
