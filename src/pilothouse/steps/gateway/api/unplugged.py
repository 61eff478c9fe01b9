"""What the gateway does while later steps are not plugged in: minimal risk only, one release, no licence asked."""

from pilothouse.kernel.call import Call
from pilothouse.steps.gateway.contracts import (
    Check,
    Draft,
    Inspection,
    Material,
    ModelRoute,
    NotServed,
    Outcome,
    Release,
    ReleaseId,
    Screening,
)
from pilothouse.steps.gateway.logic import routing
from pilothouse.steps.portfolio.contracts import Standing

DEFAULT = Release(id=ReleaseId("rel_default"), model=routing.EXTRACTIVE)
EXTRACTIVE_ROUTE = ModelRoute(name=routing.EXTRACTIVE, kind="extractive", clearance="restricted",
                              eur_per_million_in=0.0, eur_per_million_out=0.0)


class MinimalRiskOnly:
    """The unplugged guardrail: nothing above minimal risk is served until step 5 is in place."""

    def screen(self, call: Call, standing: Standing, material: Material) -> Screening:
        outcome: Outcome = "allow" if standing.risk_tier == "minimal" else "block"
        return Screening(outcome=outcome, policy="no-guardrail", material=material, masked={}, vault=(), checks=(
            Check(name="guardrail", outcome=outcome, says="no guardrail is plugged in: minimal risk only"),))

    def inspect(self, call: Call, standing: Standing, draft: Draft) -> Inspection:
        return Inspection(outcome="allow", policy="no-guardrail", text=draft.text, checks=())

    def streams_through(self, standing: Standing) -> bool:
        return True

    def restore(self, text: str, vault: tuple[tuple[str, str], ...]) -> str:
        return text


class OneRelease:
    """The unplugged release policy: everyone gets the default."""

    def assign(self, call: Call, standing: Standing) -> Release | NotServed:
        return DEFAULT


class NoLicence:
    """The unplugged licence: nothing is asked of anybody."""

    def refusal(self, call: Call, standing: Standing) -> str:
        return ""
