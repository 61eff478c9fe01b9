"""Value against complexity with doubt on both sides: where use cases lie, who beats whom, and what would turn it."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.codec import encode
from pilothouse.kernel.errors import Invalid
from pilothouse.stats.eliciting import stream
from pilothouse.stats.robustness import DRAWS, Ranking, beats, flips, ranked, weighted, weights
from pilothouse.stats.student import z_quantile
from pilothouse.steps.portfolio.contracts import Grade, RiskTier, UseCase
from pilothouse.steps.portfolio.contracts.cases import CaseVersion
from pilothouse.steps.portfolio.contracts.planning import (
    Beat,
    Flip,
    Placed,
    Points,
    Pregate,
    Prioritised,
    Quadrant,
    Scoring,
    Weights,
)
from pilothouse.steps.portfolio.logic import measuring, triaging

Floats: TypeAlias = NDArray[np.float64]
FACTORS: Mapping[str, float] = {"data_readiness": 0.2, "integration": 0.2, "model_difficulty": 0.15,
                                "change_load": 0.2, "regulatory_load": 0.15, "vendor_dependence": 0.1}
"""Weights of the complexity factors; they add to 1."""
CRITERIA = ("value", "fit", "ease", "safety", "evidence")
SAFETY: Mapping[RiskTier, float] = {"minimal": 1.0, "limited": 0.5, "high": 0.0}
COMPLEXITY_LINE = 3.0
"""The middle of the scale from 1 to 5: from here on a use case is hard."""
CONFIDENCE_MAX: Mapping[Grade, int] = {"E0": 50, "E1": 80, "E2": 80, "E3": 100, "E4": 100}
CELLS_MAX = 10_000_000
"""Draws times use cases times criteria worked on; many use cases get fewer draws, and the answer says how many."""
PAIRS_AMONG = 8
SQUAD_WEEKS_MAX = 5_200


def check(s: Scoring) -> None:
    """Raise Invalid naming the first field that does not fit."""
    for name in (*FACTORS, "fit"):
        points: Points = getattr(s, name)
        if not 1 <= points.low <= points.high <= 5:
            raise Invalid("give points from 1 (least) to 5 (most), low not above high", field=name)
    for name in ("squad_weeks", "reach", "effort"):
        amount = getattr(s, name)
        if not (amount.is_finite() and 0 <= amount < 10**9):
            raise Invalid("this is an amount from 0", field=name)
    if s.squad_weeks > SQUAD_WEEKS_MAX:
        raise Invalid(f"at most {SQUAD_WEEKS_MAX} squad weeks", field="squad_weeks")


def digest(s: Scoring) -> str:
    """Return the SHA-256 (hex) of a scoring in canonical JSON."""
    return hashlib.sha256(encode(s)).hexdigest()


def complexity(s: Scoring) -> tuple[float, float]:
    """Return the weighted mean of the factors, at their low and their high ends (1 to 5)."""
    low = sum(w * getattr(s, name).low for name, w in FACTORS.items())
    return low, sum(w * getattr(s, name).high for name, w in FACTORS.items())


def rice(s: Scoring, grade: Grade | None) -> float | None:
    """Return reach x impact x confidence / effort; None while reach or effort is not given.

    Confidence is no higher than the evidence carries. Source: S. McBride, RICE, Intercom (2016).
    """
    if not (s.reach and s.effort):
        return None
    confidence = min(int(s.confidence), CONFIDENCE_MAX[grade or "E0"])
    return float(s.reach) * float(s.impact) * confidence / 100 / float(s.effort)


def wsjf(s: Scoring) -> float | None:
    """Return (business value + time criticality + risk reduction) / job size; None without a job size.

    Source: D. G. Reinertsen, The Principles of Product Development Flow (2009), cost of delay over duration.
    """
    return (s.business_value + s.time_criticality + s.risk_reduction) / s.job_size if s.job_size else None


def pregate(u: UseCase, *, mature: bool) -> tuple[Pregate, str]:
    """Return whether risk lets a use case be ranked as a quick win at all, and the rule that says so."""
    if waits := triaging.deferral(u, guardrails_mature=mature):
        return "deferred", waits
    if u.risk_tier == "high" and u.stage in ("idea", "pilot"):
        return "needs a risk decision", f"high risk ({'; '.join(u.tier_reasons)}): a risk officer decides first"
    return "clear", ""


def quadrant(value: float, hard: float, gate: Pregate) -> Quadrant:
    """Return the quadrant: worth it when the median NPV is above 0, hard from the middle of the scale."""
    if value <= 0:
        return "avoid" if hard >= COMPLEXITY_LINE else "filler"
    return "strategic bet" if hard >= COMPLEXITY_LINE or gate != "clear" else "quick win"


def prioritise(use_cases: Sequence[UseCase], cases: Mapping[str, CaseVersion], scorings: Mapping[str, Scoring],
               given: Weights, *, seed: int, currency: str) -> Prioritised:
    """Place every live use case and rank those that have a case and a scoring, under uncertain weights."""
    mature = any(u.stage in ("limited", "scaled") for u in use_cases)
    live = [u for u in use_cases if u.stage != "retired" and not u.trial]
    sure = [u for u in live if u.id in cases and u.id in scorings and cases[u.id].case.currency == currency]
    if not sure:
        placed = tuple(_placed(u, cases.get(u.id), scorings.get(u.id), mature, None) for u in live)
        return Prioritised(placed=placed, beats=(), flips=(), draws=0, currency=currency,
                           says="No data: a use case is ranked once it has a frozen business case and a scoring")
    concentration = [getattr(given, name) for name in CRITERIA]
    draws = max(200, min(DRAWS, CELLS_MAX // (len(sure) * len(CRITERIA))))
    each = weighted(_scores(sure, cases, scorings, seed, draws), weights(concentration, seed=seed, draws=draws))
    found = ranked(each)
    first: dict[str, float] = {sure[i].id: share for i, share in enumerate(found.first)}
    ordered = [sure[i] for i in found.order]
    rest = [u for u in live if u not in sure]
    turns = _flips(sure, cases, scorings, found, concentration)
    return Prioritised(
        placed=tuple(_placed(u, cases.get(u.id), scorings.get(u.id), mature, first.get(u.id))
                     for u in (*ordered, *rest)),
        beats=_beats(sure, each, found), flips=turns, says=_says(ordered, first, turns), draws=draws,
        currency=currency)


def _scores(sure: Sequence[UseCase], cases: Mapping[str, CaseVersion], scorings: Mapping[str, Scoring], seed: int,
            draws: int) -> Floats:
    """Return scores from 0 to 1, (draws, use cases, criteria): values and points drawn within their own doubt."""
    scores = np.empty((draws, len(sure), len(CRITERIA)))
    for i, u in enumerate(sure):
        s, npv = scorings[u.id], cases[u.id].outcome.whole.npv
        at = {name: stream(seed, f"{u.id}/{name}", draws) for name in CRITERIA[:3]}
        scores[:, i, 0] = _split_normal(at["value"], *(float(m.amount) for m in (npv.p10, npv.p50, npv.p90)))
        scores[:, i, 1] = _within(at["fit"], (s.fit.low - 1) / 4, (s.fit.high - 1) / 4)
        low, high = complexity(s)
        scores[:, i, 2] = 1 - (_within(at["ease"], low, high) - 1) / 4
        scores[:, i, 3] = SAFETY[u.risk_tier]
        scores[:, i, 4] = measuring.GRADES.index(cases[u.id].outcome.grade) / 4
    least, most = _value_scale(sure, cases)
    scores[:, :, 0] = np.clip((scores[:, :, 0] - least) / (most - least or 1.0), 0, 1)
    return scores


def _value_scale(sure: Sequence[UseCase], cases: Mapping[str, CaseVersion]) -> tuple[float, float]:
    spreads = [cases[u.id].outcome.whole.npv for u in sure]
    return min(float(s.p10.amount) for s in spreads), max(float(s.p90.amount) for s in spreads)


def _within(at: Floats, low: float, high: float) -> Floats:
    return low + (high - low) * at


def _split_normal(at: Floats, low: float, middle: float, high: float) -> Floats:
    """Return values whose P10, P50 and P90 are the given ones: half a normal on either side of the middle."""
    from scipy.special import ndtri

    z: Floats = ndtri(at)
    spread: Floats = np.where(z < 0, middle - low, high - middle) / z_quantile(0.8)
    return middle + z * spread


def _means(u: UseCase, cases: Mapping[str, CaseVersion], s: Scoring, scale: tuple[float, float]) -> Mapping[str, float]:
    low, high = complexity(s)
    least, most = scale
    value = (float(cases[u.id].outcome.whole.npv.p50.amount) - least) / (most - least or 1.0)
    return {"value": value, "fit": ((s.fit.low + s.fit.high) / 2 - 1) / 4, "ease": 1 - ((low + high) / 2 - 1) / 4,
            "safety": SAFETY[u.risk_tier], "evidence": measuring.GRADES.index(cases[u.id].outcome.grade) / 4}


def _flips(sure: Sequence[UseCase], cases: Mapping[str, CaseVersion], scorings: Mapping[str, Scoring], found: Ranking,
           concentration: Sequence[float]) -> tuple[Flip, ...]:
    if len(sure) < 2:
        return ()
    scale = _value_scale(sure, cases)
    first, second = (_means(sure[i], cases, scorings[sure[i].id], scale) for i in found.order[:2])
    now = {name: c / sum(concentration) for name, c in zip(CRITERIA, concentration, strict=True)}
    return tuple(Flip(criterion=name, weight_now=now[name], weight_at_flip=at)
                 for name, at in flips(first, second, now).items())


def _beats(sure: Sequence[UseCase], each: Floats, found: Ranking) -> tuple[Beat, ...]:
    pairs = [*combinations(found.order[:PAIRS_AMONG], 2),
             *zip(found.order[PAIRS_AMONG - 1:], found.order[PAIRS_AMONG:], strict=False)]
    return tuple(Beat(before=sure[i].slug, after=sure[j].slug, share=beats(each, i, j)) for i, j in pairs)


def _says(ordered: Sequence[UseCase], first: Mapping[str, float], turns: Sequence[Flip]) -> str:
    leader = ordered[0]
    said = f"{leader.title} comes first in {first[leader.id]:.0%} of the weights a board might have meant"
    if not turns:
        return f"{said}; no weight of a single criterion turns the first two"
    near = min(turns, key=lambda t: abs(t.weight_at_flip - t.weight_now))
    return (f"{said}; {ordered[1].title} passes it when `{near.criterion}` weighs {near.weight_at_flip:.0%} instead of"
            f" {near.weight_now:.0%}")


def _placed(u: UseCase, v: CaseVersion | None, s: Scoring | None, mature: bool, first: float | None) -> Placed:
    gate, says = pregate(u, mature=mature)
    ends = complexity(s) if s else None
    middle = sum(ends) / 2 if ends else None
    npv = v.outcome.whole.npv if v else None
    where: Quadrant = "no data" if npv is None or middle is None else quadrant(float(npv.p50.amount), middle, gate)
    grade = v.outcome.grade if v else None
    return Placed(
        use_case_id=u.id, slug=u.slug, title=u.title, stage=u.stage, risk_tier=u.risk_tier, pregate=gate,
        pregate_says=says, quadrant=where, value=npv.p50 if npv else None, value_low=npv.p10 if npv else None,
        value_high=npv.p90 if npv else None, hard=v.outcome.hard.npv.p50 if v else None, grade=grade,
        complexity=middle, complexity_low=ends[0] if ends else None, complexity_high=ends[1] if ends else None,
        rice=rice(s, grade) if s else None, wsjf=wsjf(s) if s else None, first=first, demo=u.demo,
        case_version=f"{v.scenario}:{v.version}" if v else "", case_seq=v.seq if v else None)
