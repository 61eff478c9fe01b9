"""What people offers earlier steps: the gateway's licence to ask, and facts for gates."""

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.store import Reader
from pilothouse.steps.people.api import People
from pilothouse.steps.people.contracts import OWNER_COURSE, REVIEW_COURSE, Raci
from pilothouse.steps.portfolio.contracts import GateFact, Standing


class CredentialLicence:
    """The gateway's Licence: nothing is asked of askers unless the use case's owner requires a course."""

    def __init__(self, people: People) -> None:
        self._people = people

    def refusal(self, call: Call, standing: Standing) -> str:
        """Return why this person may not ask yet, or an empty string; a look into memory."""
        course = self._people.licences.lacking(call.principal.id, standing.use_case_id, stamp(call.at))
        if not course:
            return ""
        return f"this use case asks for the credential `{course}`; take the course, pass its quiz, and ask again"


class PeopleFacts:
    """Facts for gates: whether the RACI is complete, reviewers are certified, and the owner knows the craft."""

    step = "people"

    def __init__(self, people: People) -> None:
        self._people = people

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the facts as of `today`, read from one snapshot."""
        raci = self._people.raci_in(reader, standing.use_case_id)
        reviewers = (self._reviewers(reader, raci, today),) if standing.risk_tier == "high" else ()
        return (_raci_complete(raci), *reviewers, self._owner(reader, standing, today))

    def _reviewers(self, reader: Reader, raci: Raci, today: str) -> GateFact:
        names = sorted({p for row in raci.rows if row.activity == "review answers" for p in row.responsible})
        proofs = {p: self._people.proof_in(reader, p, REVIEW_COURSE) for p in names}
        lacking = [p for p, proof in proofs.items() if not proof or proof[0] <= today]
        if not names:
            return GateFact(name="Reviewers certified", step=self.step, status="no data", reason_covered=2,
                            says="nobody is responsible for reviewing answers",
                            action="Name who reviews answers in the RACI")
        return GateFact(
            name="Reviewers certified", step=self.step, status="exposed" if lacking else "covered", reason_covered=2,
            says=f"without a valid `{REVIEW_COURSE}`: {', '.join(lacking)}" if lacking
            else f"{len(names)} of {len(names)} reviewers hold `{REVIEW_COURSE}`",
            action=f"Let {', '.join(lacking)} take `{REVIEW_COURSE}`" if lacking else "",
            valid_until=min((proof[0] for proof in proofs.values() if proof), default="") if not lacking else "",
            entries=tuple(sorted(proof[1] for proof in proofs.values() if proof)))

    def _owner(self, reader: Reader, standing: Standing, today: str) -> GateFact:
        proof = self._people.proof_in(reader, standing.owner, OWNER_COURSE)
        held = proof is not None and proof[0] > today
        return GateFact(
            name="Owner trained", step=self.step, status="covered" if held else "exposed", mandatory=False,
            says=f"{standing.owner} {'holds' if held else 'does not hold'} a valid `{OWNER_COURSE}`", reason_covered=2,
            action="" if held else f"Let {standing.owner} take `{OWNER_COURSE}`",
            valid_until=proof[0] if proof and held else "", entries=(proof[1],) if proof else ())


def _raci_complete(raci: Raci) -> GateFact:
    return GateFact(
        name="RACI complete", step=PeopleFacts.step, status="covered" if raci.is_complete else "exposed",
        says=f"nobody is accountable for: {', '.join(raci.missing)}" if raci.missing
        else "; ".join(f"{row.accountable} is accountable for `{row.activity}`" for row in raci.rows),
        reason_covered=10, action=f"Assign {raci.missing[0]}" if raci.missing else "",
        entries=tuple(row.seq for row in raci.rows))
