"""Laws of rollout: growing takes nobody's access away, buckets are fair and stable, few questions breach nothing."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.steps.gateway.contracts import UsageFact
from pilothouse.steps.rollout.contracts import Limits, NewRelease
from pilothouse.steps.rollout.logic.alarming import health, percentile
from pilothouse.steps.rollout.logic.assigning import bucket, grows, served
from pilothouse.steps.rollout.logic.versioning import release_of

UNITS = ("retail", "payments", "risk")
shares = st.floats(0, 1)
some_units = st.lists(st.sampled_from(UNITS), unique=True).map(tuple)
people = st.text(max_size=12)
FACT = UsageFact(id="int_1", use_case_id="uc", principal="p", unit="", asked_at="2026-03-02T09:00:00.000000Z",  # type: ignore[arg-type]
                 status="final", answered=True, latency_ms=5.0, cost_eur=None, tokens_in=1, tokens_out=1, demo=False,
                 given_seq=1)
facts = st.builds(lambda status, ms: replace(FACT, status=status, latency_ms=ms),
                  st.sampled_from(("final", "held", "refused", "failed", "open")), st.none() | st.floats(0, 1e6))


@given(people, st.sampled_from(UNITS), some_units, shares, some_units, shares, st.text(max_size=6))
def test_whoever_a_phase_serves_is_served_by_every_phase_it_may_grow_into(
        person: str, unit: str, units: tuple[str, ...], share: float, to_units: tuple[str, ...], to_share: float,
        salt: str) -> None:
    now = served(person, unit, "uc", units=units, share=share, salt=salt)
    if now and grows(units, share, to_units=to_units, to_share=to_share):
        assert served(person, unit, "uc", units=to_units, share=to_share, salt=salt)


@given(some_units, shares, some_units, shares)
def test_what_does_not_grow_takes_access_from_somebody(units: tuple[str, ...], share: float,
                                                       to_units: tuple[str, ...], to_share: float) -> None:
    if not grows(units, share, to_units=to_units, to_share=to_share):
        lost = (u for u in units or (*UNITS, "elsewhere") if to_units and u not in to_units)
        assert to_share < share or next(lost, None) is not None


@given(people, st.text(max_size=12), st.text(max_size=6))
def test_a_bucket_lies_below_one_so_that_the_whole_share_serves_everybody(person: str, use_case: str, salt: str
                                                                         ) -> None:
    assert 0 <= bucket(person, use_case, salt) < 1
    assert served(person, "retail", use_case, units=(), share=1.0, salt=salt)
    assert not served(person, "retail", use_case, units=(), share=0.0, salt=salt)


def test_a_bucket_is_the_same_on_every_machine_and_in_every_version() -> None:
    # the first 16 digits of `printf 'uc_1\nsalt_1\njonas' | sha256sum` over 2**64, and the same without a salt
    assert [round(bucket("jonas", "uc_1", salt), 12) for salt in ("", "salt_1")] == [0.71315197464, 0.515887715413]


def test_salts_draw_the_people_of_a_share_anew() -> None:
    first = {n for n in range(4_000) if bucket(f"p{n}", "uc", "a") < 0.25}
    second = {n for n in range(4_000) if bucket(f"p{n}", "uc", "b") < 0.25}
    assert 900 < len(first) < 1_100
    assert 180 < len(first & second) < 320, "about a quarter of a quarter, as of independent draws"


@given(st.lists(facts, max_size=30), st.integers(1, 40), st.integers(0, 20))
def test_too_few_questions_breach_nothing_and_have_no_value(seen: Sequence[UsageFact], least: int, rated: int) -> None:
    limits = Limits(failed_share_max=0.0, refused_share_max=0.0, held_share_max=0.0, not_useful_share_max=0.0,
                    latency_ms_p95_max=0.0, answers_min=least)
    for m in health(seen, limits, ratings=(rated, 0)):
        assert (m.value is None) == (m.n < least)
        assert not m.breached or (m.interval is not None and m.interval.low > m.limit)


@given(st.lists(facts, min_size=1, max_size=40))
def test_nothing_breaches_a_limit_of_everything(seen: Sequence[UsageFact]) -> None:
    limits = Limits(failed_share_max=1.0, refused_share_max=1.0, not_useful_share_max=1.0, latency_ms_p95_max=1e6,
                    answers_min=1)
    assert not any(m.breached for m in health(seen, limits, ratings=(5, 0)))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200).map(sorted), st.sampled_from((0.5, 0.9, 0.95)))
def test_a_percentile_is_a_value_of_the_sample_inside_its_interval(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found is not None
    assert found.value in values
    assert found.low <= found.value <= found.high


@given(st.text(min_size=1, max_size=8).filter(str.strip), st.text(max_size=40), st.integers(0, 50))
def test_the_same_content_is_the_same_release_and_other_content_another(model: str, instructions: str, passages: int
                                                                       ) -> None:
    new = NewRelease(use_case_id="uc", model=model, instructions=instructions, passages=passages)  # type: ignore[arg-type]
    assert release_of(new) == release_of(replace(new, use_case_id="other"))  # type: ignore[arg-type]
    for other in (replace(new, model=model + "2"), replace(new, passages=(passages + 1) % 51),
                  replace(new, instructions=instructions + " Be brief.")):
        assert release_of(other)[0].id != release_of(new)[0].id
