"""What workflows offers earlier steps: whether feedback comes from where the work happens (reason 3)."""

from pilothouse.kernel.store import Reader
from pilothouse.stats.intervals import proportion
from pilothouse.steps.portfolio.contracts import GateFact, Standing
from pilothouse.steps.workflows import store

RATED_MIN = 10
USEFUL_SHARE_MIN = 0.6


class WorkflowFacts:
    """Facts for gates from ratings; too few are no data."""

    step = "workflows"

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the share of rated answers that people found useful."""
        rated, useful, corrections, _ = store.counts(reader, standing.use_case_id)
        share = proportion(useful, rated) if rated >= RATED_MIN else None
        if share is None:
            return (GateFact(name="Useful in daily work", step=self.step, status="no data", mandatory=False,
                             says=f"{rated} ratings are too few to say (at least {RATED_MIN})", reason_covered=3,
                             action="Ask people to rate answers where they use them"),)
        covered = share.low >= USEFUL_SHARE_MIN
        says = (f"{share.value:.0%} of {rated} rated answers were useful (95 % interval {share.low:.0%} to "
                f"{share.high:.0%}); {corrections} corrections proposed")
        return (GateFact(name="Useful in daily work", step=self.step, mandatory=False, reason_covered=3, says=says,
                         status="covered" if covered else "exposed",
                         entries=store.entries(reader, standing.use_case_id, 5),
                         action="" if covered else "Read the corrections and mend sources or instructions"),)
