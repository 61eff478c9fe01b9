"""Registrations: what must be fixed before the first observation, checked field by field and hashed."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from pilothouse.kernel.codec import encode
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import Kpi
from pilothouse.steps.portfolio.contracts.experiments import Member, Registration
from pilothouse.steps.portfolio.logic.wording import SLUG, SLUG_LENGTH_MAX

TEXT_LENGTH_MAX, MEMBERS_MAX, DAYS_MAX = 4000, 100_000, 3 * 366
TEAMS_AN_ARM_MIN = 2
UNITS_AN_ARM_MIN = 2
WHOLE_TEAMS = ("cluster randomised", "stepped wedge")
DRAWN = ("randomised", "cluster randomised", "stepped wedge", "switchback")


def check(r: Registration, kpis: Mapping[str, Kpi], today: str) -> None:
    """Raise Invalid naming the first field that cannot be part of a registration."""
    _check_words(r)
    _check_metrics(r, kpis)
    _check_days(r, today)
    _check_numbers(r)
    _check_members(r.members)
    _check_design(r)


def _check_words(r: Registration) -> None:
    if not (SLUG.fullmatch(r.slug) and len(r.slug) <= SLUG_LENGTH_MAX):
        raise Invalid("a short name is a-z, 0-9 and dashes, such as pilot-berlin", field="slug")
    for field, text in (("hypothesis", r.hypothesis), ("stop_rule", r.stop_rule)):
        if not 10 <= len(text.strip()) <= TEXT_LENGTH_MAX:
            raise Invalid(f"say it in 10 to {TEXT_LENGTH_MAX} characters", field=field)
    if len(r.individual_despite_teams) > TEXT_LENGTH_MAX:
        raise Invalid(f"say it in up to {TEXT_LENGTH_MAX} characters", field="individual_despite_teams")


def _check_metrics(r: Registration, kpis: Mapping[str, Kpi]) -> None:
    if r.primary not in kpis:
        raise Invalid(f"this use case has no KPI `{r.primary}`; define it first", field="primary")
    named = [r.primary, *(g.kpi for g in r.guardrails)]
    for i, g in enumerate(r.guardrails):
        if g.kpi not in kpis:
            raise Invalid(f"this use case has no KPI `{g.kpi}`; define it first", field=f"guardrails[{i}].kpi")
        if not (math.isfinite(g.margin) and g.margin > 0):
            raise Invalid("a margin is a positive number in the KPI's unit: how much worse is still acceptable",
                          field=f"guardrails[{i}].margin")
        if g.kpi in named[:i + 1]:
            raise Invalid(f"`{g.kpi}` is named twice; one primary metric, each guardrail once",
                          field=f"guardrails[{i}].kpi")
    if not (math.isfinite(r.least_effect) and r.least_effect > 0):
        raise Invalid("say the smallest effect worth acting on as a positive number", field="least_effect")
    if kpis[r.primary].shape == "proportion" and r.least_effect >= 1:
        raise Invalid("a share moves by less than 1 (= 100 points)", field="least_effect")


def day(text: str, field: str) -> date:
    """Read an ISO day; raises Invalid naming the field."""
    try:
        found = date.fromisoformat(text)
    except ValueError as wrong:
        raise Invalid("write a day as 2026-03-02", field=field) from wrong
    if found.isoformat() != text:  # `20260302` is a day to Python, and would sort wrongly among the others
        raise Invalid("write a day as 2026-03-02", field=field)
    return found


def _check_days(r: Registration, today: str) -> None:
    starts, ends = day(r.starts_on, "starts_on"), day(r.ends_on, "ends_on")
    if r.starts_on < today:
        raise Invalid(f"the period began before this registration; start on {today} or later", field="starts_on")
    if not 0 < (ends - starts).days + 1 <= DAYS_MAX:
        raise Invalid(f"the period ends after it starts and lasts up to {DAYS_MAX} days", field="ends_on")
    if r.step_days < 1:
        raise Invalid("a period lasts a day or more", field="step_days")
    if not 0 <= r.wash_days < r.step_days:
        raise Invalid("wash out fewer days than a slot lasts", field="wash_days")


def _check_numbers(r: Registration) -> None:
    if not 0 < r.treatment_share < 1:
        raise Invalid("a share between 0 and 1 goes to treatment and the rest to control; neither arm may be empty",
                      field="treatment_share")
    if not 0.5 < r.confidence < 1:
        raise Invalid("choose above 0.5 and below 1, such as 0.95", field="confidence")
    if not 0 < r.power < 1:
        raise Invalid("choose between 0 and 1, such as 0.8", field="power")
    if r.planned_n < 4:
        raise Invalid("plan for 4 people or more; ask for a plan to learn how many", field="planned_n")


def _check_members(members: Sequence[Member]) -> None:
    if not 2 <= len(members) <= MEMBERS_MAX:
        raise Invalid(f"name 2 to {MEMBERS_MAX} people", field="members")
    seen: set[str] = set()
    for i, m in enumerate(members):
        if not m.person.strip() or m.person in seen:
            raise Invalid("each person is named once, by an id", field=f"members[{i}].person")
        seen.add(m.person)
        if not all(math.isfinite(t.value) for t in m.traits):
            raise Invalid("a trait is not a finite number; leave unknown ones out", field=f"members[{i}].traits")


def _check_design(r: Registration) -> None:
    if (r.design == "difference in differences") != any(m.arm for m in r.members):
        raise Invalid("only a group that was chosen is named by arm; where lots are drawn, leave `arm` out"
                      if r.design != "difference in differences" else "say for each person whether they are treated",
                      field="members")
    if r.monitoring == "sequential" and r.design != "randomised":
        raise Invalid("looking at any time is possible only where people are drawn one by one; choose `fixed`",
                      field="monitoring")
    if r.cuped and r.design not in ("randomised", "cluster randomised"):
        raise Invalid("this design compares with the time before by itself; leave CUPED out", field="cuped")
    {"randomised": _check_people, "cluster randomised": _check_teams, "stepped wedge": _check_wedge,
     "switchback": _check_slots, "difference in differences": _check_chosen}.get(r.design, _check_nothing)(r)


def _check_nothing(r: Registration) -> None:
    return None


def _check_people(r: Registration) -> None:
    shared = len({m.cluster for m in r.members if m.cluster}) < sum(bool(m.cluster) for m in r.members)
    if shared and not r.individual_despite_teams.strip():
        raise Invalid("people who share a team share the work, and the control arm would learn from the treatment:"
                      " choose `cluster randomised`, or say in `individual_despite_teams` why not", field="design")
    if smaller_arm(len(r.members), r.treatment_share) < UNITS_AN_ARM_MIN:
        raise Invalid(f"an arm would hold fewer than {UNITS_AN_ARM_MIN} people; name more, or divide more evenly",
                      field="treatment_share")


def smaller_arm(units: int, share: float) -> int:
    """Return how many units the smaller arm holds at least, whichever way the lot rounds."""
    return min(math.floor(units * share), units - math.ceil(units * share))


def _check_teams(r: Registration) -> None:
    strata: dict[str, str] = {}
    for i, m in enumerate(r.members):
        if not m.cluster:
            raise Invalid("whole teams are drawn: say which team each person is in", field=f"members[{i}].cluster")
        if strata.setdefault(m.cluster, m.stratum) != m.stratum:
            raise Invalid(f"team `{m.cluster}` lies in two strata; a team is drawn within one",
                          field=f"members[{i}].stratum")
    if r.design == "cluster randomised" and smaller_arm(len(strata), r.treatment_share) < TEAMS_AN_ARM_MIN:
        raise Invalid(f"an arm would hold fewer than {TEAMS_AN_ARM_MIN} teams; one team cannot be told from its"
                      " treatment", field="members")


def _check_wedge(r: Registration) -> None:
    _check_teams(r)
    if periods(r) < 3:
        raise Invalid("a stepped wedge needs three periods or more; shorten the step or extend the end",
                      field="step_days")
    if len({m.cluster for m in r.members}) < 6:
        raise Invalid("a stepped wedge needs six teams or more", field="members")


def _check_slots(r: Registration) -> None:
    if periods(r) < 8:
        raise Invalid("a switchback needs eight time slots or more; shorten the slot or extend the end",
                      field="step_days")


def _check_chosen(r: Registration) -> None:
    for arm in ("control", "treatment"):
        if sum(m.arm == arm for m in r.members) < UNITS_AN_ARM_MIN:
            raise Invalid(f"name two people or more in {arm}", field="members")
    if not all(m.arm for m in r.members):
        raise Invalid("say for each person whether they are in control or treatment", field="members")


def periods(r: Registration) -> int:
    """Return how many periods (or slots) of `step_days` the treatment time holds; the last may be shorter."""
    return math.ceil(((date.fromisoformat(r.ends_on) - date.fromisoformat(r.starts_on)).days + 1) / r.step_days)


def pseudonym(experiment_id: str, person: str) -> str:
    """Return under which name a person is kept: rows of an experiment hold no directory ids."""
    return hashlib.sha256(f"{experiment_id}\n{person}".encode()).hexdigest()[:16]


def pseudonymised(r: Registration, experiment_id: str) -> Registration:
    """Return the registration with pseudonyms for people, in the order of the pseudonyms."""
    members = [replace(m, person=pseudonym(experiment_id, m.person)) for m in r.members]
    return replace(r, members=tuple(sorted(members, key=lambda m: m.person)))


def canonical(r: Registration) -> bytes:
    """Write a pseudonymised registration in the one form that is hashed: JSON in field order, without free texts.

    Texts are left out because they can be erased; each has its own commitment in the same ledger entry.
    """
    return encode(replace(r, hypothesis="", stop_rule="", individual_despite_teams=""))


def digest(r: Registration) -> str:
    """Return the SHA-256 (hex) of the canonical registration."""
    return hashlib.sha256(canonical(r)).hexdigest()
