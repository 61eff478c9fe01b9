"""Pilots as experiments in the console: what was registered, each recorded look, and the graded verdict."""

from pilothouse.doors.console import experiment_charts
from pilothouse.doors.console.charts import Chart
from pilothouse.doors.console.contexts import ExperimentPage, ExperimentsPage
from pilothouse.doors.console.desk import Answered, Desk, Page, Places
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.steps.portfolio.contracts.experiments import (
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
    looks, result = await desk.platform.experiments.looks(desk.call, ref), await _result(desk, e, ref)
    return Page(template="experiment.html", title=f"Experiment {e.registration.slug}", rail="portfolio", demo=e.demo,
                context=ExperimentPage(
                    use_case=u, experiment=e, looks=looks, result=result, names=await desk.names(),
                    deviations=await desk.platform.experiments.deviations(desk.call, ref),
                    sequence=experiment_charts.sequence(e, looks, u.slug),
                    power=experiment_charts.power(e, await desk.platform.experiments.power(desk.call, ref), u.slug),
                    verdict=experiment_charts.verdict(e, result, u.slug)))


async def _result(desk: Desk, e: Experiment, ref: ExperimentRef) -> ExperimentResult | None:
    return await desk.platform.experiments.result(desk.call, ref) if e.status == "concluded" else None


@places.get("/use-cases/{use_case}/experiments/{experiment}/{picture}.svg")
async def picture(desk: Desk) -> Answered:
    """Draw what an experiment can find (`power`), what its looks saw (`sequence`), or its verdict (`effect`)."""
    ref = ExperimentRef(use_case=desk.path["use_case"], experiment=desk.path["experiment"])
    e = await desk.platform.experiments.experiment(desk.call, ref)
    return desk.picture(await _chart(desk, e, ref))


async def _chart(desk: Desk, e: Experiment, ref: ExperimentRef) -> Chart | None:
    step = desk.platform.experiments
    if desk.path["picture"] == "power":
        return experiment_charts.power(e, await step.power(desk.call, ref), ref.use_case)
    if desk.path["picture"] == "sequence":
        return experiment_charts.sequence(e, await step.looks(desk.call, ref), ref.use_case)
    if desk.path["picture"] == "effect":
        return experiment_charts.verdict(e, await _result(desk, e, ref), ref.use_case)
    return None
