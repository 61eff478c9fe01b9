"""What oversight offers earlier steps: the gateway's guardrail, and facts for gates."""

from collections.abc import Callable

from pilothouse.directory.api import Directory
from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Reader
from pilothouse.steps.gateway.contracts import Draft, Inspection, Material, QuestionAsked, Screening
from pilothouse.steps.oversight.api import Oversight
from pilothouse.steps.oversight.contracts import Policy, Tally
from pilothouse.steps.oversight.logic import masking, policing, screening
from pilothouse.steps.portfolio.contracts import GateFact, Standing
from pilothouse.text.recognisers import NameIndex

RECENT = 500
"""How many of the newest questions are looked at for the fact on masking."""

DECIDED_MIN = 20
"""Decided reviews below which an override rate says nothing."""

OVERRIDES_MAX = 0.3
"""Share of edited or sent-back drafts above which the use case is not ready to be trusted with more people."""


class DirectoryNames:
    """The names of everybody in the directory, read again when `refresh` is awaited."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._index = NameIndex(())

    def __call__(self) -> NameIndex:
        return self._index

    async def refresh(self) -> None:
        """Read the directory again: at start, and whenever somebody comes or goes."""
        self._index = NameIndex(p.name for p in await self._directory.everybody() if p.kind == "human")


class PolicyGuardrail:
    """The gateway's Guardrail, by policy: no network and no lock, since it sits on every request."""

    def __init__(self, oversight: Oversight, *, names: Callable[[], NameIndex], key: bytes) -> None:
        """`key` makes placeholders that nobody outside can forge; it needs to last as long as the process."""
        self._oversight, self._names, self._key = oversight, names, key

    def screen(self, call: Call, standing: Standing, material: Material) -> Screening:
        return screening.screen(self._oversight.policy_for(standing), material, names=self._names(), key=self._key)

    def inspect(self, call: Call, standing: Standing, draft: Draft) -> Inspection:
        return screening.inspect(self._oversight.policy_for(standing), draft)

    def streams_through(self, standing: Standing) -> bool:
        return policing.streams_through(self._oversight.policy_for(standing))

    def restore(self, text: str, vault: tuple[tuple[str, str], ...]) -> str:
        return masking.uncovered(text, vault)


class OversightFacts:
    """Facts for gates: guardrails in force, personal data masked, reviews on time, and how often people overrule."""

    step = "oversight"

    def __init__(self, oversight: Oversight) -> None:
        self._oversight = oversight

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the facts as of `today`, read from one snapshot."""
        tally, policy, entries = self._oversight.tally_in(reader, standing, today)
        return (_guarded(policy), _masked(reader, standing), _on_time(tally), _overruled(tally, entries))


def _guarded(policy: Policy) -> GateFact:
    rules = [*(["every answer is reviewed"] if policy.holds_every_answer else []),
             *([f"answers under {policy.holds_below_groundedness:.0%} groundedness wait"]
               if policy.holds_below_groundedness is not None else []),
             *([f"{policy.holds_from_label} answers wait"] if policy.holds_from_label else [])]
    return GateFact(name="Guardrail in force", step=OversightFacts.step,
                    status="covered" if policy.masks else "exposed",
                    says=f"{policy.id}: personal data is masked; {'; '.join(rules) or 'nothing waits for a person'}",
                    reason_covered=7)


def _masked(reader: Reader, standing: Standing) -> GateFact:
    newest = reader.entries(kinds=(QuestionAsked.kind,), limit=RECENT, newest_first=True)
    mine = [e for e in newest if e.body["use_case_id"] == standing.use_case_id]
    hits = [e.seq for e in mine if e.body["masked"]]
    return GateFact(name="Personal data masked", step=OversightFacts.step, status="covered" if mine else "no data",
                    says=f"personal data was found and masked in {len(hits)} of {len(mine)} recent questions",
                    mandatory=False, reason_covered=7, entries=tuple(sorted(hits)[-20:]),
                    action="" if mine else "Ask something, so that masking can be seen at work")


def _on_time(tally: Tally) -> GateFact:
    late = tally.overdue
    return GateFact(name="Reviews on time", step=OversightFacts.step, status="exposed" if late else "covered",
                    says=f"{tally.waiting} reviews wait, {late} of them overdue", mandatory=False, reason_covered=10,
                    action="Decide the overdue reviews, or name more reviewers" if late else "")


def _overruled(tally: Tally, entries: tuple[int, ...]) -> GateFact:
    if tally.decided < DECIDED_MIN:
        return GateFact(name="Overruled by reviewers", step=OversightFacts.step, status="no data", mandatory=False,
                        says=f"{tally.decided} decided reviews are too few to say (at least {DECIDED_MIN})",
                        entries=entries)
    share = tally.overridden / tally.decided
    return GateFact(name="Overruled by reviewers", step=OversightFacts.step, mandatory=False, entries=entries,
                    status="covered" if share <= OVERRIDES_MAX else "exposed",
                    says=f"reviewers edited or sent back {share:.0%} of {tally.decided} drafts",
                    action="" if share <= OVERRIDES_MAX else "Read the corrections and mend sources or instructions")
