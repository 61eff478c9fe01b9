"""What the statistics promise, simulated in short; `make nightly` runs the same studies long."""

from collections.abc import Callable, Sequence
from functools import cache

import pytest

from pilothouse.testing import studies
from pilothouse.testing.studies import Study

RUNS = 200


@cache
def found(study: Callable[[int], Sequence[Study]], runs: int) -> Sequence[Study]:
    return study(runs)


@pytest.mark.parametrize("study", [
    studies.peeking, studies.sequences_cover, studies.no_harm, studies.plans_keep, studies.clusters_cover,
    studies.wedges_cover], ids=lambda s: s.__name__)
def test_a_short_study_keeps_its_bounds_within_its_monte_carlo_error(study: Callable[[int], Sequence[Study]]) -> None:
    held = found(study, RUNS)
    assert [s for s in held if not s.kept(4)] == []
    assert any(s.low is not None or s.high is not None for s in held)


@pytest.mark.parametrize("study", [
    studies.no_harm_at_the_end, studies.means_cover, studies.shares_cover], ids=lambda s: s.__name__)
def test_a_cheap_study_keeps_its_bounds_within_its_monte_carlo_error(study: Callable[[int], Sequence[Study]]) -> None:
    assert [s for s in found(study, 8 * RUNS) if not s.kept(4)] == []


def test_plain_peeking_claims_what_is_not_there_in_about_three_of_ten() -> None:
    plain = next(s for s in found(studies.peeking, RUNS) if "plain" in s.name)
    assert 0.2 < plain.share < 0.42


def test_taking_people_in_teams_as_independent_claims_far_too_much() -> None:
    naive = [s for s in found(studies.clusters_cover, RUNS) if "independent" in s.name and "ICC 0.2" in s.name]
    assert all(s.share < 0.85 for s in naive)


def test_a_study_that_breaks_its_promise_is_seen_as_broken() -> None:
    assert not Study(name="", share=0.30, runs=2000, high=0.05).kept()
    assert not Study(name="", share=0.90, runs=2000, low=0.95).kept()
    assert Study(name="", share=0.051, runs=2000, high=0.05).kept()
