"""Charts of experiments: what they can find, what was seen at each look, and the verdict."""

from collections.abc import Mapping, Sequence

from pilothouse.doors.console.charts import BLUE, GREEN, PURPLE, ZOOMS, Chart, Spec, framed, hover, line_at
from pilothouse.doors.console.kpi_charts import digits_of
from pilothouse.doors.console.rendering import day, number, percent, signed
from pilothouse.steps.portfolio.contracts import Kpi
from pilothouse.steps.portfolio.contracts.experiments import Effects, Experiment, ExperimentResult, Look, PowerCurve

DASHED: Spec = {"type": "rule", "strokeDash": [5, 4], "color": PURPLE, "size": 1.5}


def _address(e: Experiment, use_case: str, name: str) -> str:
    return f"/use-cases/{use_case}/experiments/{e.registration.slug}/{name}.svg"


def _primary(e: Experiment) -> Kpi:
    return next(k for k in e.metrics if k.slug == e.registration.primary)


def _bar(e: Experiment) -> float:
    return -e.registration.least_effect if _primary(e).better == "lower" else e.registration.least_effect


def sequence(e: Experiment, looks: Sequence[Look], use_case: str) -> Chart | None:
    """Show the confidence sequence over the recorded looks, with the bar and the planned end; None before any."""
    seen = [(k, k.analysis.effect) for k in looks if k.analysis.effect is not None]
    if not seen or e.registration.monitoring != "sequential":
        return None
    kpi, d = _primary(e), digits_of(_primary(e).shape)
    rows = [_look(k, x, d) for k, x in seen]
    last, effect = seen[-1]
    says = (f"{len(seen)} looks. At look {last.number}, with {rows[-1]['people']} people, the effect is"
            f" {_span(effect, d)}. The bar is {signed(_bar(e), d)}, the planned end {e.registration.planned_n} people.")
    return Chart(
        address=_address(e, use_case, "sequence"), says=says, spec=_sequence(e, rows, kpi.unit),
        columns=("Look", "On", "People", f"Effect, {kpi.unit}", "From", "To"),
        rows=tuple((str(r["look"]), str(r["on"]), str(r["people"]), str(r["effect"]), str(r["from"]), str(r["to"]))
                   for r in rows),
        source=(f"Treatment minus control. The band holds the true effect at all looks at once, {_sure(effect)} of the"
                " time: it may be looked at as often as one likes. It may be stopped once the whole band lies on one"
                " side of no effect; at the planned end it stops." + (" Demo data." if e.demo else "")))


def _look(k: Look, x: Effects, d: int) -> Spec:
    people = k.analysis.people_control + k.analysis.people_treatment
    return {"look": k.number, "on": day(k.at), "people": people, "value": x.value, "low": x.low, "high": x.high,
            "effect": signed(x.value, d), "from": signed(x.low, d), "to": signed(x.high, d), "span": _span(x, d)}


def _span(x: Effects, d: int) -> str:
    if x.low is None or x.high is None:
        return f"{signed(x.value, d)} {x.unit}"
    return f"{signed(x.value, d)} {x.unit} ({signed(x.low, d)} to {signed(x.high, d)})"


def _sure(x: Effects) -> str:
    return percent(x.confidence)


def _sequence(e: Experiment, rows: Sequence[Spec], unit: str) -> Spec:
    planned = e.registration.planned_n
    x: Spec = {"type": "quantitative", "title": "people observed", "scale": {"domain": [0, planned * 1.02]}}
    y: Spec = {"type": "quantitative", "title": unit, "scale": {"zero": True}}
    levels = [{"at": 0.0, "says": "no effect", "x": planned * 1.02},
              {"at": _bar(e), "says": "bar: worth acting on", "x": planned * 1.02}]
    told = hover(look="look", on="on", people="people", span="effect, whole band")
    people: Spec = {"field": "people", **x}
    return {**framed([
        {"mark": {"type": "area", "color": BLUE, "opacity": 0.22, "interpolate": "monotone"}, "params": [ZOOMS],
         "encoding": {"x": people, "y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {"mark": {"type": "line", "color": BLUE}, "encoding": {"x": people, "y": {"field": "value", **y}}},
        {"data": {"values": levels}, "mark": DASHED, "encoding": {"y": {"field": "at", **y}}},
        {"data": {"values": levels}, "mark": {"type": "text", "align": "left", "dx": 5}, "encoding": {
            "x": {"field": "x", **x}, "y": {"field": "at", **y}, "text": {"field": "says"}}},
        *line_at(planned, "planned end: stop", x),
        {"mark": {"type": "point", "filled": True, "size": 70, "color": BLUE, "opacity": 1},
         "encoding": {"x": people, "y": {"field": "value", **y}, "tooltip": told}}],
        height=260), "data": {"values": list(rows)}}


def power(e: Experiment, curve: PowerCurve | None, use_case: str) -> Chart | None:
    """Show the chance of finding an effect by its true size, as registered; None where nobody can say."""
    if curve is None or not curve.points:
        return None
    d, promised = digits_of(_primary(e).shape), percent(e.registration.power)
    rows = [{"effect": p.effect, "power": p.power, "size": f"{number(p.effect, d)} {curve.unit}",
             "chance": percent(p.power)} for p in curve.points]
    half, twice = rows[len(rows) // 4 - 1], rows[-1]
    says = (f"{promised} of such experiments would find an effect of {number(curve.least_effect, d)} {curve.unit}, the"
            f" smallest worth acting on; {half['chance']} one of {half['size']}, {twice['chance']} one of"
            f" {twice['size']}.")
    return Chart(
        address=_address(e, use_case, "power"), says=says, spec=_power(e, curve, rows),
        columns=(f"True effect, {curve.unit}", "Found in"),
        rows=tuple((number(p.effect, d), percent(p.power)) for p in curve.points),
        source=(f"As registered, before any data of its own: {'; '.join(curve.says)}. The promise holds while people's"
                f" averages spread by no more than {number(curve.spread, d)} {curve.unit} (standard deviation)."
                + (" Demo data." if e.demo else "")))


def _power(e: Experiment, curve: PowerCurve, rows: Sequence[Spec]) -> Spec:
    x: Spec = {"type": "quantitative", "title": f"true effect, {curve.unit} in the better direction"}
    y: Spec = {"type": "quantitative", "title": "chance to find it", "scale": {"domain": [0, 1]},
               "axis": {"format": ".0%"}}
    at = [{"effect": curve.least_effect, "power": e.registration.power,
           "chance": f"{percent(e.registration.power)} promised"}]
    told = hover(size="true effect", chance="found in")
    return framed([
        *line_at(curve.least_effect, "worth acting on", x),
        {"data": {"values": list(rows)}, "mark": {"type": "line", "color": BLUE, "point": {"size": 24, "color": BLUE}},
         "encoding": {"x": {"field": "effect", **x}, "y": {"field": "power", **y}, "tooltip": told}},
        {"data": {"values": at}, "mark": {"type": "point", "filled": True, "size": 110, "color": BLUE, "opacity": 1},
         "encoding": {"x": {"field": "effect", **x}, "y": {"field": "power", **y}}},
        {"data": {"values": at}, "mark": {"type": "text", "align": "left", "dx": 9, "dy": 12}, "encoding": {
            "x": {"field": "effect", **x}, "y": {"field": "power", **y}, "text": {"field": "chance"}}}],
        height=180)


def verdict(e: Experiment, result: ExperimentResult | None, use_case: str) -> Chart | None:
    """Show the effect at the end beside no effect and the bar, with the better side shaded; None without an effect."""
    if result is None or result.effect is None:
        return None
    kpi, x = _primary(e), result.effect
    d = digits_of(kpi.shape)
    says = f"{result.verdict}: {_span(x, d)}; the bar is {signed(_bar(e), d)}, and better is {kpi.better}."
    strata = [(s.stratum, s.value, s.low, s.high) for s in result.analysis.strata if s.value is not None]
    rows = [_interval("all", x.value, x.low, x.high, d), *(_interval(*s, d) for s in strata)]
    return Chart(
        address=_address(e, use_case, "effect"), says=says, spec=_verdict(e, rows, kpi),
        columns=("", f"Effect, {kpi.unit}", "From", "To"),
        rows=tuple((str(r["name"]), str(r["effect"]), str(r["from"]), str(r["to"])) for r in rows),
        source=(f"Treatment minus control, {_sure(x)} interval, {x.method}; {x.period}, n = {number(x.n)}. Shaded: the"
                " better side of no effect." + (" Demo data." if e.demo else "")))


def _interval(name: str, value: float | None, low: float | None, high: float | None, d: int) -> Spec:
    return {"name": name, "value": value, "low": value if low is None else low, "high": value if high is None else high,
            "effect": signed(value, d), "from": signed(low, d), "to": signed(high, d)}


def _verdict(e: Experiment, rows: Sequence[Spec], kpi: Kpi) -> Spec:
    ends = [0.0, _bar(e), *(r[k] for r in rows for k in ("low", "high") if r[k] is not None)]
    room = 0.06 * ((max(ends) - min(ends)) or 1.0)
    span = [min(ends) - room, max(ends) + room]
    x: Spec = {"type": "quantitative", "title": kpi.unit, "scale": {"domain": span, "nice": False}}
    y: Spec = {"field": "name", "type": "nominal", "title": None, "sort": None,
               "axis": {"labels": len(rows) > 1, "ticks": False, "domain": False}}
    better = {"from": span[0] if kpi.better == "lower" else 0.0, "to": 0.0 if kpi.better == "lower" else span[1]}
    told = hover(name="who", effect="effect", **{"from": "from", "to": "to"})
    data: Mapping[str, object] = {"values": list(rows)}
    return framed([
        {"data": {"values": [better]}, "mark": {"type": "rect", "color": GREEN, "opacity": 0.1},
         "encoding": {"x": {"field": "from", **x}, "x2": {"field": "to"}}},
        *line_at(0.0, "no effect", x), *line_at(_bar(e), "worth acting on", x, dy=-15),
        {"data": data, "mark": {"type": "rule", "size": 8, "color": BLUE, "opacity": 0.45},
         "encoding": {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}, "tooltip": told}},
        {"data": data, "mark": {"type": "point", "filled": True, "size": 110, "color": BLUE, "opacity": 1},
         "encoding": {"y": y, "x": {"field": "value", **x}, "tooltip": told}},
        {"data": data, "mark": {"type": "text", "dy": 16}, "encoding": {
            "y": y, "x": {"field": "value", **x}, "text": {"field": "effect"}}}],
        height=56 * len(rows))
