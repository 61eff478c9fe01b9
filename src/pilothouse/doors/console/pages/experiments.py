"""Pilots as experiments in the console: what was registered, each recorded look, and the graded verdict."""

from pilothouse.doors.console import charts
from pilothouse.doors.console.contexts import ExperimentPage, ExperimentsPage
from pilothouse.doors.console.desk import Answered, Desk, Page, Picture, Places
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.steps.portfolio.contracts.experiments import (
    Effects,
    Experiment,
    ExperimentRef,
    ExperimentResult,
    ExperimentsQuery,
)

places = Places()


@places.get("/use-cases/{use_case}/experiments")
async def experiments(desk: Desk) -> Answered:
    """List the experiments of a use case."""
    u = await desk.platform.portfolio.use_case(desk.call, UseCaseRef(use_case=desk.path["use_case"]))
    found = await desk.platform.experiments.list_experiments(desk.call, ExperimentsQuery(use_case=u.id))
    return Page(template="experiments.html", title=f"Experiments of {u.title}", rail="portfolio", demo=u.demo,
                context=ExperimentsPage(use_case=u, experiments=found))


@places.get("/use-cases/{use_case}/experiments/{experiment}")
async def experiment(desk: Desk) -> Answered:
    """Show one experiment from registration to verdict."""
    ref = ExperimentRef(use_case=desk.path["use_case"], experiment=desk.path["experiment"])
    u = await desk.platform.portfolio.use_case(desk.call, UseCaseRef(use_case=ref.use_case))
    e = await desk.platform.experiments.experiment(desk.call, ref)
    return Page(template="experiment.html", title=f"Experiment {e.registration.slug}", rail="portfolio", demo=e.demo,
                context=ExperimentPage(
                    use_case=u, experiment=e, looks=await desk.platform.experiments.looks(desk.call, ref),
                    deviations=await desk.platform.experiments.deviations(desk.call, ref),
                    result=await _result(desk, e, ref), names=await desk.names()))


async def _result(desk: Desk, e: Experiment, ref: ExperimentRef) -> ExperimentResult | None:
    return await desk.platform.experiments.result(desk.call, ref) if e.status == "concluded" else None


@places.get("/use-cases/{use_case}/experiments/{experiment}/effect.svg")
async def picture(desk: Desk) -> Answered:
    """Draw the effect with its interval at every look, and at the end."""
    ref = ExperimentRef(use_case=desk.path["use_case"], experiment=desk.path["experiment"])
    e = await desk.platform.experiments.experiment(desk.call, ref)
    shown = [(f"look {k.number}", k.analysis.effect) for k in await desk.platform.experiments.looks(desk.call, ref)]
    if (result := await _result(desk, e, ref)) is not None:
        shown.append(("conclusion", result.effect))
    rows = [_row(name, effect) for name, effect in shown if effect is not None]
    if not rows:
        raise Invalid("there is nothing to draw yet: a fixed analysis shows no effect before its end",
                      field="experiment")
    kpi = next(k for k in e.metrics if k.slug == e.registration.primary)
    bar = -e.registration.least_effect if kpi.better == "lower" else e.registration.least_effect
    return Picture(spec=charts.effects(rows, unit=kpi.unit, bar=bar), dark=desk.dark)


def _row(name: str, effect: Effects) -> dict[str, object]:
    return {"name": name, "value": effect.value, "low": effect.low, "high": effect.high}
