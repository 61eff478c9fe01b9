"""Laws of grounding: citations exist, quotes stand where they say, and what is quoted is always supported."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.steps.gateway.contracts import ModelRoute, Release, ReleaseId
from pilothouse.steps.gateway.drivers.extractive import ExtractiveModel
from pilothouse.steps.gateway.logic import grounding, reading, routing
from pilothouse.testing.suites.chat_model import passage, prompt

WORDS = st.sampled_from("notice period savings account fee 32 days 12,50 EUR customer branch open 9:00 card".split())
SENTENCE = st.lists(WORDS, min_size=3, max_size=9).map(lambda w: " ".join(w).capitalize() + ".")
TEXT = st.lists(SENTENCE, min_size=1, max_size=5).map(" ".join)
ANSWER = st.lists(st.tuples(SENTENCE, st.integers(0, 6)).map(lambda pair: f"{pair[0]} [{pair[1]}]"), max_size=5
                  ).map(" ".join)


@given(ANSWER, st.lists(TEXT, min_size=1, max_size=4))
def test_only_passages_that_exist_are_cited_each_once(answer: str, texts: list[str]) -> None:
    passages = [passage(t, number=n) for n, t in enumerate(texts, start=1)]
    numbers = grounding.cited(answer, passages)
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= n <= len(texts) and f"[{n}]" in answer for n in numbers)
    parts = grounding.split(answer, passages)
    assert {n for part in parts for n in part.citations} == set(numbers)
    assert not any("[" in part.text for part in parts)


@given(ANSWER, st.lists(TEXT, min_size=1, max_size=4))
def test_a_quote_stands_where_its_span_says_and_comes_back_after_it_was_stored_bare(answer: str, texts: list[str]
                                                                                    ) -> None:
    passages = [passage(t, number=n) for n, t in enumerate(texts, start=1)]
    found = grounding.citations(grounding.cited(answer, passages), grounding.split(answer, passages), passages)
    for citation in found:
        source = texts[citation.number - 1]
        assert citation.quote == source[citation.start:citation.end] != ""
    bare = grounding.bare(found)
    assert not any(c.quote or c.title or c.path or c.heading for c in bare)
    assert grounding.filled(bare, passages) == found
    assert grounding.filled(bare, ()) == bare


@settings(max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=6).map(lambda w: f"What is {' '.join(w)}?"),
       st.lists(TEXT, min_size=1, max_size=4))
def test_whatever_the_extractive_model_says_is_supported_by_what_it_cites(question: str, texts: list[str]) -> None:
    asked = prompt(question, *texts)
    done = ExtractiveModel().answer(asked)
    parts = grounding.split(done.text, asked.passages)
    if done.answered:
        assert {p.status for p in parts} <= {"supported", "not checkable"}
        assert all(p.citations for p in parts)


@pytest.mark.parametrize(("sentence", "status"), [
    ("The notice period is 32 days [1].", "supported"),
    ("The notice period is 30 days [1].", "unsupported"),
    ("The notice period is 32 days.", "unsupported"),
    ("The notice period is 32 days [2].", "unsupported"),
    ("The notice period is 32 days [7].", "unsupported"),
    ("Yes. [1]", "supported"),
])
def test_a_sentence_stands_on_the_words_and_figures_of_what_it_cites(sentence: str, status: str) -> None:
    passages = (passage("Yes, the notice period is 32 days."), passage("Branches open at nine.", number=2))
    (part,) = grounding.split(sentence, passages)
    assert part.status == status


def test_a_route_sees_no_label_above_its_clearance_and_the_built_in_model_comes_last() -> None:
    remote = ModelRoute(name="remote", base_url="http://a/v1", clearance="internal")
    built_in = ModelRoute(name="extractive", kind="extractive", clearance="restricted")
    routes = {r.name: r for r in (remote, built_in)}
    release = Release(id=ReleaseId("rel_1"), model="remote")
    assert routing.routes_for(release, "internal", routes) == (remote, built_in)
    assert routing.routes_for(release, "confidential", routes) == (built_in,)


@pytest.mark.parametrize(("route", "cost"), [
    (ModelRoute(name="a", eur_per_million_in=2.0, eur_per_million_out=8.0), 0.0000520),
    (ModelRoute(name="a", eur_per_million_in=2.0), None)])
def test_a_cost_is_missing_rather_than_zero_when_a_price_is(route: ModelRoute, cost: float | None) -> None:
    assert routing.cost_eur(route, 10, 4) == (None if cost is None else pytest.approx(cost))


@given(st.lists(st.sampled_from(["Lena Vogt", "Lena", "Vogt-Berg"]), min_size=1, max_size=3, unique=True),
       st.text(max_size=20))
def test_masking_for_other_readers_leaves_no_original_behind(names: list[str], noise: str) -> None:
    vault = tuple((f"<PERSON_{n}_abcd>", name) for n, name in enumerate(names))
    shown = reading.masked(f"{noise} {' and '.join(names)}", vault)
    assert not any(name in shown for name in names)
