"""The demo bank's people, roles and use cases are complete, and its true effects lead to the gates it promises."""

import re
from collections import Counter
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import yaml

ORGANISATION: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "src/pilothouse/app/demo/organisation.yaml").read_text(encoding="utf-8"))
PEOPLE: dict[str, dict[str, Any]] = {p["id"]: p for p in ORGANISATION["people"]}
USE_CASES: dict[str, dict[str, Any]] = {u["slug"]: u for u in ORGANISATION["use_cases"]}
Z_95 = 1.96


def test_sixty_people_have_ids_of_their_own_in_five_units_and_three_countries() -> None:
    assert len(PEOPLE) == len(ORGANISATION["people"]) == len({p["email"] for p in PEOPLE.values()}) == 60
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", slug) for slug in PEOPLE)
    assert {p["unit"] for p in PEOPLE.values()} == {u["slug"] for u in ORGANISATION["units"]}
    assert len(ORGANISATION["units"]) == 5
    assert {c["code"] for c in ORGANISATION["countries"]} == {"IE", "DE", "IN"}
    assert {p["country"] for p in PEOPLE.values()} == {"IE", "DE", "IN"}
    assert all(p["email"].endswith("@larkenfeld.example") for p in PEOPLE.values())
    assert min(Counter(p["unit"] for p in PEOPLE.values()).values()) >= 5


def test_each_role_has_one_sign_in_by_a_person_of_its_own() -> None:
    roles = ORGANISATION["sign_ins"]
    assert set(roles) == {"employee", "owner", "reviewer", "engineer", "risk", "sponsor", "administrator"}
    assert len(set(roles.values())) == 7 and set(roles.values()) <= set(PEOPLE)


def test_seven_use_cases_stand_at_the_promised_stages_with_complete_figures() -> None:
    assert Counter(u["stage"] for u in USE_CASES.values()) == {"idea": 2, "pilot": 3, "limited": 1, "scaled": 1}
    sources = {s["slug"] for s in ORGANISATION["sources"]}
    for case in USE_CASES.values():
        named = {case[r] for r in ("owner", "proposer", "benefit_owner", "sponsor", "engineer")} - {None}
        assert named | set(case["reviewers"]) <= set(PEOPLE) and set(case["sources"]) <= sources
        assert case["owner"] != case["proposer"] and case["monthly_volume"] > 0 and case["cost_per_unit_eur"] > 0
        assert case["risk_tier"] in ("minimal", "limited", "high")
        assert case["holds_answers"] or case["risk_tier"] != "high"
        assert any(kpi["mandatory"] for kpi in case["kpis"])
        assert set(case["usage"]) == {"active_share", *case["units_served"]}
        assert all(reviewer != case["proposer"] for reviewer in case["reviewers"])


@pytest.mark.parametrize("kpi", [k for u in USE_CASES.values() for k in u["kpis"]], ids=lambda k: k["slug"])
def test_a_kpi_aims_in_its_direction_and_its_kill_bar_lies_short_of_the_target(kpi: dict[str, Any]) -> None:
    sign = 1 if kpi["direction"] == "up" else -1
    assert kpi["target_delta"] * sign > 0 and kpi["kill_delta"] * sign < kpi["target_delta"] * sign
    assert (kpi["truth"]["baseline_sd"] is None) == (kpi["kind"] == "proportion") == (kpi["unit"] == "share")


def expected_interval(kpi: dict[str, Any], weeks: int) -> tuple[float, float]:
    """Return the interval of the improvement (positive is better) that the drawn samples centre on."""
    truth, sign = kpi["truth"], 1 if kpi["direction"] == "up" else -1
    before, after = truth["baseline_mean"], truth["baseline_mean"] + truth["effect"]
    spread = [p * (1 - p) for p in (before, after)] if kpi["kind"] == "proportion" else [truth["baseline_sd"] ** 2] * 2
    error = sqrt(spread[0] / truth["baseline_n"] + spread[1] / (truth["weekly_n"] * weeks))
    return sign * truth["effect"] - Z_95 * error, sign * truth["effect"] + Z_95 * error


def expected_decision(case: dict[str, Any], weeks: int) -> str:
    signs = {k["slug"]: 1 if k["direction"] == "up" else -1 for k in case["kpis"]}
    mandatory = [(expected_interval(k, weeks), k, signs[k["slug"]]) for k in case["kpis"] if k["mandatory"]]
    if any(high < sign * kpi["kill_delta"] for (_, high), kpi, sign in mandatory):
        return "kill"
    return "go" if all(low > sign * kpi["target_delta"] for (low, _), kpi, sign in mandatory) else "hold"


def test_the_true_effects_lead_open_gates_to_one_go_one_hold_and_one_kill() -> None:
    expected = {}
    for case in USE_CASES.values():
        for gate in case["timeline"]["gates"]:
            if gate.get("open"):
                expected[case["slug"]] = gate["expected"]
                assert expected_decision(case, gate["week"] - case["timeline"]["pilot"]) == gate["expected"]
    assert expected == {"complaint-drafts": "go", "kyc-file-review": "hold", "product-finder": "kill"}


def test_each_timeline_runs_forward_within_the_simulated_weeks() -> None:
    weeks = ORGANISATION["simulation"]["weeks"]
    for case in USE_CASES.values():
        line = case["timeline"]
        stages = (line.get(stage) for stage in ("pilot", "limited", "scaled"))
        known = [w for w in (line["proposed"], line["triaged"], *(line["baseline"] or ()), *stages) if w is not None]
        assert all(a <= b for a, b in pairwise(known)) and known[-1] <= weeks
