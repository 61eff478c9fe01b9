"""Charts carry their words and numbers, draw in both widths and themes, and label points where there is room."""

import asyncio
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pilothouse.doors.console import charts, experiment_charts, kpi_charts, labelling
from pilothouse.doors.console.charts import Chart, framed, hover
from pilothouse.doors.console.drawing import Drawing, found
from pilothouse.doors.console.filtering import rectangle
from pilothouse.doors.console.rendering import json_inside, lasting, rate, span, unit
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.adoption.contracts import UsageReport, WeeklyUse
from pilothouse.steps.portfolio.contracts import Kpi, MatrixPoint, UseCaseId
from pilothouse.steps.portfolio.contracts.experiments import Analysis, Effects, Experiment, Look, Member, Registration
from pilothouse.steps.portfolio.logic import planning

MINUTES = Kpi(use_case_id=UseCaseId("uc_1"), slug="minutes", title="Minutes", unit="min", shape="mean", better="lower",
              least_change=1.0)


def point(slug: str, complexity: int, spend: float | None, *, win: bool = False) -> MatrixPoint:
    return MatrixPoint(use_case_id=UseCaseId(slug), slug=slug, title=f"Title of {slug}", stage="pilot",
                       risk_tier="minimal", spend_eur_month=spend, complexity=complexity, complexity_from=("audience",),
                       quick_win=win, demo=False)


def experiment(**more: object) -> Experiment:
    r = Registration(
        use_case_id=UseCaseId("uc_1"), slug="pilot", hypothesis="h", design="randomised", primary="minutes",
        guardrails=(), least_effect=1.0, members=tuple(Member(person=f"p{i}") for i in range(80)),
        starts_on="2026-03-02", ends_on="2026-03-29", planned_n=80, stop_rule="s", monitoring="sequential")
    return Experiment(id="exp_1", registration=replace(r, **more), metrics=(MINUTES,), digest="d",  # type: ignore[arg-type]
                      status="running", registered_by="ada", registered_at="2026-03-01T09:00:00Z", seq=3, deviations=0,
                      looks=2, demo=False)


def look(number: int, people: int, value: float, half: float) -> Look:
    effect = Effects(kpi="minutes", unit="min", value=value, low=value - half, high=value + half, p=None, n=people,
                     clusters=0, method="sequence", confidence=0.95, period="2026-03-02 to 2026-03-29")
    return Look(number=number, at="2026-03-10T09:00:00Z", by="ada", seq=10 + number, analysis=Analysis(
        experiment="exp_1", verdict="inconclusive", grade="E4", why=(), effect=effect, guardrails=(), checks=(),
        strata=(), strata_differ_p=None, people_control=people // 2, people_treatment=people // 2, left_out=0,
        final=False))


def every_chart() -> Iterator[Chart]:
    dots = [point("a", 3, 20_000.0, win=True), point("b", 6, 20_000.0), point("c", 8, 500.0)]
    week = WeeklyUse(unit="retail-operations", week="2026-03-02", eligible=40, active=10, share=0.25, tasks=31)
    rows = (week, replace(week, week="2026-03-09", share=None), replace(week, week="2026-03-16", complete=False))
    yield from filter(None, (
        kpi_charts.matrix(dots),
        kpi_charts.weekly(UsageReport(use_case_id=UseCaseId("uc"), rows=rows, floor=5, withheld=0, formula="active",
                                      demo=False), "desk"),
        experiment_charts.sequence(experiment(), (look(1, 20, -1.0, 3.0), look(2, 60, -2.0, 1.2)), "desk"),
        experiment_charts.power(experiment(), planning.curve(experiment()), "desk")))


def test_every_chart_says_itself_in_words_and_has_its_numbers_or_names_their_table() -> None:
    found = list(every_chart())
    assert len(found) == 4
    for chart in found:
        assert chart.says.endswith(".") and chart.source.endswith("."), chart.address
        assert chart.table_at or (chart.rows and len(chart.rows[0]) == len(chart.columns)), chart.address
        assert json.loads(chart.embedded) == chart.spec


def test_every_chart_draws_in_light_and_dark_wide_and_for_a_phone() -> None:
    async def drawn() -> list[str]:
        drawing = Drawing()
        try:
            return [await drawing.svg(c.spec, dark=dark, narrow=narrow) for c in every_chart()
                    for dark in (False, True) for narrow in (False, True)]
        finally:
            drawing.close()

    for n, svg in enumerate(asyncio.run(drawn())):
        width = float(svg.partition('width="')[2].partition('"')[0])
        assert width == (charts.NARROW_PX if n % 2 else charts.WIDE_PX), n


def test_a_phone_gets_numbers_instead_of_names_which_the_table_explains() -> None:
    chart = kpi_charts.matrix([point("a", 3, 20_000.0)])
    assert chart is not None

    async def drawn(narrow: bool) -> str:
        drawing = Drawing()
        try:
            return await drawing.svg(chart.spec, dark=False, narrow=narrow)
        finally:
            drawing.close()

    wide, phone = asyncio.run(drawn(False)), asyncio.run(drawn(True))
    assert ">Title of a</text>" in wide
    assert ">Title of a</text>" not in phone and ">1</text>" in phone and chart.numbers == {"/use-cases/a": "1"}


def test_labels_of_points_side_by_side_do_not_cover_each_other() -> None:
    at = [(100.0, 50.0, "A rather long title here"), (200.0, 50.0, "Another"), (208.0, 52.0, "A third title")]
    boxes = [labelling._box(x, y, text, place) for (x, y, text), place in zip(at, labelling.placed(at), strict=True)]
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[i + 1:])
    assert labelling.placed(at[:1]) == [labelling.PLACES[0]]


def test_a_chart_with_nothing_to_show_is_absent_and_one_that_is_too_large_is_not_embedded() -> None:
    assert kpi_charts.matrix([point("a", 3, None)]) is None
    assert experiment_charts.sequence(experiment(), (), "desk") is None
    assert experiment_charts.sequence(experiment(monitoring="fixed"), (look(1, 20, 0.0, 1.0),), "desk") is None
    many = kpi_charts.matrix([point(f"use-case-{i}", 3, float(i + 1)) for i in range(1000)])
    assert many is not None and many.embedded == ""


def test_a_power_curve_passes_through_its_promise_and_grows_with_the_effect() -> None:
    for design in ({"monitoring": "fixed"}, {"monitoring": "sequential"},
                   {"monitoring": "fixed", "design": "cluster randomised",
                    "members": tuple(Member(person=f"p{i}", cluster=f"t{i % 12}") for i in range(80))}):
        curve = planning.curve(experiment(**design))
        assert curve is not None
        powers = [p.power for p in curve.points]
        at_bar = next(p.power for p in curve.points if p.effect == pytest.approx(1.0))
        assert at_bar == pytest.approx(0.8, abs=0.01) and curve.spread > 0
        assert all(b >= a - 1e-9 for a, b in pairwise(powers))
    assert planning.curve(experiment(design="before and after")) is None


def test_a_power_curve_agrees_with_the_planner_that_made_the_number_of_people() -> None:
    q = planning.Question(kind="mean", change=1.0, sd=2.5)
    n = planning.power.units_needed(q)
    curve = planning.curve(experiment(monitoring="fixed", planned_n=2 * n, power=planning.power.power_of(q, n)))
    assert curve is not None and curve.spread == pytest.approx(2.5, rel=1e-4)


def test_a_rectangle_keeps_what_lies_in_it_and_refuses_what_is_no_number() -> None:
    within = rectangle({"complexity_from": "3", "spend_to": " 500.5 ", "page": "2"}, "complexity", "spend")
    assert within.narrows and within.query == "complexity_from=3&spend_to=500.5"
    assert within.holds(complexity=3, spend=500.5) and not within.holds(complexity=2, spend=1)
    assert not within.holds(complexity=4, spend=None)
    assert within.brush(("complexity", 0, 9), ("spend", 0, 900)) == {"x": (3.0, 9), "y": (0, 500.5)}
    assert rectangle({}, "complexity").brush(("complexity", 0, 9), ("complexity", 0, 9)) is None
    assert rectangle({}, "spend").holds(spend=None)
    for wrong in ("much", "nan", "inf"):
        with pytest.raises(Invalid) as refused:
            rectangle({"spend_from": wrong}, "spend")
        assert refused.value.facts["field"] == "spend_from"


def test_json_in_a_page_cannot_end_its_element() -> None:
    nasty = json.dumps({"title": "</script><script>alert(1)</script>&<!--"})
    told = json_inside(nasty)
    assert "<" not in told and ">" not in told and json.loads(told) == json.loads(nasty)


def test_times_rates_and_units_are_written_as_people_say_them() -> None:
    assert [rate(r) for r in (12.4, 0.5, 0.001, 0.0001)] == ["12 a second", "30 a minute", "4 an hour",
                                                              "less than one an hour"]
    assert [lasting(s) for s in (0.2, 59, 120, 7200)] == ["1 s", "59 s", "2 min", "2.0 h"]
    assert span("2026-03-02 to 2026-03-29") == "2 March 2026 to 29 March 2026" and span("as recorded") == "as recorded"
    assert [unit(u) for u in ("retail-operations", "it-data")] == ["Retail operations", "IT data"]


def test_the_script_is_made_once_behind_the_answers_and_taken_from_the_cache_afterwards(tmp_path: Path) -> None:
    async def story() -> None:
        first = Drawing(tmp_path)
        assert first.script() is None  # the page that asks first does not wait
        made = await first.made()
        assert made is not None and hashlib.sha256(made.body).hexdigest() == made.digest
        assert gzip.decompress(made.packed) == made.body and first.script() == made
        first.close()
        second = Drawing(tmp_path)
        again = await second.made()
        assert again == made and second._pool is None  # nothing was bundled anew
        second.close()

    asyncio.run(story())


def test_a_script_that_was_tampered_with_or_cut_short_is_not_served(tmp_path: Path) -> None:
    body = b"window.pilothouseCharts = () => {};"
    digest = hashlib.sha256(body).hexdigest()
    (tmp_path / f"{digest}.js").write_bytes(body)
    (tmp_path / f"{digest}.js.gz").write_bytes(gzip.compress(body))
    held = found(tmp_path)
    assert held is not None and held.body == body
    (tmp_path / f"{digest}.js.gz").write_bytes(gzip.compress(b"alert(1)"))
    assert found(tmp_path) is None
    (tmp_path / f"{digest}.js.gz").write_bytes(gzip.compress(body)[:-4])
    assert found(tmp_path) is None
    (tmp_path / f"{digest}.js").write_bytes(body + b"alert(1)")
    assert found(tmp_path) is None


def test_a_page_keeps_its_pictures_where_no_script_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be", encoding="utf8")

    async def story() -> None:
        drawing = Drawing(tmp_path / "cache")
        assert await drawing.made() is None
        drawing.close()

    asyncio.run(story())


def test_labels_beside_the_plot_take_their_room_from_it_and_stay_inside_the_picture() -> None:
    short, long = (framed([{"mark": {"type": "text", "align": "left", "text": text}, "encoding": {
        "x": {"field": "x", "type": "quantitative"}, "tooltip": hover(x="x")}}], height=10) | {
            "data": {"values": [{"x": 0}, {"x": 10}]}} for text in ("a", "a label that is rather long"))

    async def drawn() -> list[str]:
        drawing = Drawing()
        try:
            return [await drawing.svg(spec, dark=False) for spec in (short, long)]
        finally:
            drawing.close()

    ends = [max(float(x) for x in re.findall(r"translate\(([0-9.]+),0\)", svg)) for svg in asyncio.run(drawn())]
    assert ends[1] < ends[0] - 100
