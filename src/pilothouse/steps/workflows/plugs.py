"""What workflows offers earlier steps: whether feedback comes from where the work happens (reason 3)."""

from pilothouse.kernel.store import Reader
from pilothouse.stats.intervals import Estimate, proportion
from pilothouse.steps.portfolio.contracts import GateFact, Standing
from pilothouse.steps.workflows import store
from pilothouse.steps.workflows.api import Workflows

RATED_MIN = 10
USEFUL_SHARE_MIN = 0.6
ANSWERS_RATED_SHARE_MIN = 0.05
EVIDENCE_MAX = 5


class WorkflowFacts:
    """Facts for gates from ratings and corrections; too few are no data."""

    step = "workflows"

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return whether answers are useful, and whether people say so where they work."""
        rated, useful, corrections, _ = store.counts(reader, standing.use_case_id)
        taken = store.corrections_taken(reader, standing.use_case_id)
        evidence = store.entries(reader, standing.use_case_id, EVIDENCE_MAX)
        share = proportion(useful, rated) if rated >= RATED_MIN else None
        said = f"{corrections} corrections proposed, {taken} taken"
        return (_useful(share, rated, said, evidence), self._integrated(reader, standing, evidence))

    def _integrated(self, reader: Reader, standing: Standing, evidence: tuple[int, ...]) -> GateFact:
        share = self._workflows.feedback_in(reader, standing.use_case_id).answers_rated
        enough = share is not None and share.n >= RATED_MIN
        covered = enough and share is not None and share.value >= ANSWERS_RATED_SHARE_MIN
        says = f"{share.value:.0%} of {share.n} answers were rated" if share and enough else "too few answers to say"
        return GateFact(name="Feedback where the work is", step=self.step, mandatory=False, reason_covered=3,
                        says=says, entries=evidence if enough else (),
                        status="covered" if covered else "exposed" if enough else "no data",
                        action="" if covered else "Put the assist into the page where people work")


def _useful(share: Estimate | None, rated: int, said: str, evidence: tuple[int, ...]) -> GateFact:
    if share is None:
        return GateFact(name="Useful in daily work", step=WorkflowFacts.step, status="no data", mandatory=False,
                        says=f"{rated} ratings are too few to say (at least {RATED_MIN})", reason_covered=3,
                        action="Ask people to rate answers where they use them")
    covered = share.low >= USEFUL_SHARE_MIN
    says = (f"{share.value:.0%} of {rated} ratings say useful (95 % interval {share.low:.0%} to {share.high:.0%}); "
            f"{said}")
    return GateFact(name="Useful in daily work", step=WorkflowFacts.step, mandatory=False, reason_covered=3, says=says,
                    status="covered" if covered else "exposed", entries=evidence,
                    action="" if covered else "Read the corrections and mend sources or instructions")
