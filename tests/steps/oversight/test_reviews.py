"""Reviews: opened once, decided once, by the right hands, on exactly what was seen."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.steps.oversight.contracts import ReviewDecision, ReviewQuery, ReviewRef
from pilothouse.steps.oversight.errors import AlreadyReviewed, NoSuchReview, SameHands, Stale
from pilothouse.steps.oversight.jobs import open_reviews
from pilothouse.steps.people.errors import NotCertified
from pilothouse.testing.fakes import call_as, person, system_call
from pilothouse.testing.faults import fail_every_statement

HOUR = timedelta(hours=1)


async def waiting(bench, **fields):
    """Hold one answer of a high-risk use case, open its review, and return (use case, review as rita sees it)."""
    u = await bench.use_case()
    await bench.hold(u, **fields)
    await bench.deliver()
    await bench.certify("rita", "ravi")
    [summary] = await bench.oversight.list_reviews(await bench.call("rita"), ReviewQuery())
    return u, await bench.oversight.review(await bench.call("rita"), ReviewRef(review_id=summary.id))


def decision(review, choice="approve", **fields) -> ReviewDecision:
    return ReviewDecision(**{"review_id": review.summary.id, "decision": choice, "digest": review.digest, **fields})


def test_a_held_answer_is_put_in_the_queue_once_however_often_it_is_delivered(bench) -> None:
    async def story() -> None:
        u = await bench.use_case()
        await bench.hold(u)
        await bench.deliver()
        await bench.deliver()
        [summary] = await bench.oversight.list_reviews(await bench.call("rita"), ReviewQuery())
        assert (summary.status, summary.asked_by, summary.use_case) == ("open", "jonas", u.slug)
        assert [c.name for c in summary.held_because] == ["risk tier"]
        assert summary.due_at > summary.opened_at and not summary.is_overdue

    bench.run(story())
    assert len(bench.entries("oversight.review_opened")) == 1


def test_the_queue_shows_the_highest_tier_first_and_then_the_oldest(bench) -> None:
    async def story() -> None:
        high = await bench.use_case()
        low = await bench.use_case(title="Draft birthday cards", problem="Writing cards takes the whole afternoon.",
                                   purpose="")
        await bench.hold(low, id="itx_low")
        await bench.hold(high, id="itx_late", after=2 * HOUR)
        await bench.hold(high, id="itx_early")
        entries = bench.entries("gateway.answer_given")
        for entry, after in zip(entries, (0, 3, 1), strict=True):
            at = system_call(at=bench.clock.now() + after * HOUR)
            demo = replace(entry, happened_at="", at=at.at.isoformat())
            await open_reviews(bench.oversight, at, [demo])
        call = await bench.call("rita", after=timedelta(days=1))
        listed = await bench.oversight.list_reviews(call, ReviewQuery())
        assert [s.interaction_id for s in listed] == ["itx_early", "itx_late", "itx_low"]
        assert [s.is_overdue for s in listed] == [True, True, False]

    bench.run(story())


def test_a_review_shows_the_evidence_of_each_sentence_and_what_stands_in_no_source(bench) -> None:
    _, review = bench.run(waiting(bench))
    assert [s.status for s in review.sentences] == ["supported", "contradicted", "supported", "nothing found"]
    fee = review.sentences[1]
    assert fee.passage == 1 and review.passages[0].text[fee.start:fee.end] == "The fee is 12 EUR."
    assert "12" in fee.says
    assert [(f.kind, f.text, f.sentence) for f in review.new_facts] == [("money", "EUR 25", 1)]


def test_personal_data_is_shown_only_to_those_who_may_unmask(bench) -> None:
    async def story() -> None:
        _, as_reviewer = await waiting(bench)
        assert "Lena Vogt" in as_reviewer.draft and not as_reviewer.is_masked
        owner = await bench.call("mara")
        as_owner = await bench.oversight.review(owner, ReviewRef(review_id=as_reviewer.summary.id))
        assert as_owner.is_masked and not as_owner.may_unmask
        assert "Lena Vogt" not in repr(as_owner) and "<PERSON_1_ab12>" in as_owner.draft
        assert as_owner.digest == as_reviewer.digest
        assert as_owner.obstacle == "deciding reviews is for reviewers"
        with pytest.raises(Denied):
            await bench.oversight.review(await bench.call("jonas"), ReviewRef(review_id=as_reviewer.summary.id))

    bench.run(story())


def test_an_approved_answer_reaches_the_asker_as_it_was_drafted(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        done = await bench.oversight.decide_review(await bench.call("rita", after=HOUR), decision(review))
        assert (done.status, done.decided_by) == ("approved", "rita")

    bench.run(story())
    row = bench.row("select * from exchange")
    assert (row["status"], row["reviewer"], row["edited"]) == ("final", "rita", 0)
    assert row["text"].startswith("The notice period is 32 days")
    [entry] = bench.entries("oversight.review_decided")
    assert entry.body["decision"] == "approve" and entry.body["waited_s"] == 3600
    assert bench.entries("oversight.answer_corrected") == ()


def test_an_edited_text_reaches_the_asker_masked_and_is_kept_as_a_sealed_correction(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        text = "The notice period is 32 days. The fee is 12 EUR. Ask Lena Vogt for more."
        await bench.oversight.decide_review(await bench.call("rita"), decision(review, "edit", text=text))

    bench.run(story())
    row = bench.row("select * from exchange")
    assert (row["status"], row["edited"]) == ("final", 1)
    assert row["text"] == "The notice period is 32 days. The fee is 12 EUR. Ask <PERSON_1_ab12> for more."
    [corrected] = bench.entries("oversight.answer_corrected")
    body = json.dumps(corrected.body)
    assert "12 EUR" not in body and "Vogt" not in body
    assert bench.database.read_now(lambda r: r.text(corrected.body["preferred"]["id"])) == row["text"]
    assert corrected.body["preferred"]["subject"] == "jonas"


def test_an_answer_sent_back_tells_the_asker_why(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        with pytest.raises(Invalid) as refused:
            await bench.oversight.decide_review(await bench.call("rita"), decision(review, "send back"))
        assert refused.value.facts["field"] == "reason"
        done = await bench.oversight.decide_review(await bench.call("rita"), decision(
            review, "send back", reason="The passages only cover Germany."))
        assert (done.status, done.reason) == ("sent back", "The passages only cover Germany.")

    bench.run(story())
    row = bench.row("select * from exchange")
    assert (row["status"], row["text"]) == ("refused", "The passages only cover Germany.")
    [entry] = bench.entries("oversight.review_decided")
    assert "Germany" not in json.dumps(entry.body)


def test_an_escalated_review_is_decided_by_somebody_else(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        rita = await bench.call("rita")
        passed = await bench.oversight.decide_review(rita, decision(review, "escalate", reason="Needs a lawyer"))
        assert (passed.status, passed.escalated_by) == ("escalated", "rita")
        with pytest.raises(SameHands):
            await bench.oversight.decide_review(rita, decision(review))
        with pytest.raises(AlreadyReviewed):
            await bench.oversight.decide_review(await bench.call("ravi"),
                                                decision(review, "escalate", reason="me neither"))
        seen = await bench.oversight.review(await bench.call("rita"), ReviewRef(review_id=review.summary.id))
        assert "somebody else" in seen.obstacle
        assert (await bench.oversight.decide_review(await bench.call("ravi"), decision(review))).decided_by == "ravi"

    bench.run(story())


def test_who_lacks_the_credential_or_asked_the_question_is_refused(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench, asked_by="ravi")
        with pytest.raises(NotCertified) as refused:
            await bench.oversight.decide_review(await bench.call("nora"), decision(review))
        assert refused.value.facts["course"] == "review-basics"
        with pytest.raises(SameHands) as same:
            await bench.oversight.decide_review(await bench.call("ravi"), decision(review))
        assert same.value.facts["rule"] == "reviewer-is-not-asker"
        for who in ("jonas", "mara"):
            with pytest.raises(Denied):
                await bench.oversight.decide_review(await bench.call(who), decision(review))
        robot = call_as(person("robot", "reviewer", kind="agent"))
        with pytest.raises(Denied, match="only a person"):
            await bench.oversight.decide_review(robot, decision(review))

    bench.run(story())
    assert bench.row("select status from exchange")["status"] == "held"
    assert bench.entries("oversight.review_decided") == ()


def test_a_second_decision_finds_that_the_review_is_closed(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        await bench.oversight.decide_review(await bench.call("rita"), decision(review))
        with pytest.raises(AlreadyReviewed) as late:
            await bench.oversight.decide_review(await bench.call("ravi"), decision(review, "send back", reason="no"))
        assert late.value.facts["status"] == "approved"

    bench.run(story())
    assert len(bench.entries("oversight.review_decided")) == 1


@pytest.mark.parametrize("moved", ["draft", "question", "passage"])
def test_a_decision_on_something_else_than_what_is_stored_now_is_stale(bench, moved: str) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        body = json.loads(bench.row("select body from exchange")["body"])
        if moved == "passage":
            body["passages"][0]["text"] += " From May on it is 14 EUR."
        else:
            body[moved] += " And more."
        await bench.database.write(system_call(), lambda tx: tx.run("update exchange set body = ?", json.dumps(body)))
        with pytest.raises(Stale):
            await bench.oversight.decide_review(await bench.call("rita"), decision(review))
        again = await bench.oversight.review(await bench.call("rita"), ReviewRef(review_id=review.summary.id))
        await bench.oversight.decide_review(await bench.call("rita"), decision(again))

    bench.run(story())


@pytest.mark.parametrize(("choice", "fields", "field"), [
    ("edit", {}, "text"), ("edit", {"text": "  "}, "text"), ("approve", {"text": "new"}, "text"),
    ("escalate", {}, "reason"), ("send back", {"reason": " "}, "reason"), ("edit", {"text": "x" * 20_001}, "text")])
def test_a_decision_that_lacks_something_is_refused_by_field(bench, choice, fields, field) -> None:
    async def story() -> None:
        with pytest.raises(Invalid) as refused:
            await bench.oversight.decide_review(await bench.call("rita"), ReviewDecision(
                review_id="rev_1", decision=choice, digest="", **fields))
        assert refused.value.facts["field"] == field

    bench.run(story())


def test_reading_changes_nothing(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        before = bench.row("select * from review"), bench.database.read_now(lambda r: r.size())
        for who in ("rita", "mara", "risk"):
            await bench.oversight.review(await bench.call(who), ReviewRef(review_id=review.summary.id))
            await bench.oversight.list_reviews(await bench.call(who), ReviewQuery(status="all"))
        assert before == (bench.row("select * from review"), bench.database.read_now(lambda r: r.size()))

    bench.run(story())


def test_an_erased_exchange_leaves_nothing_to_review(bench) -> None:
    async def story() -> None:
        _, review = await waiting(bench)
        await bench.database.write(system_call(), lambda tx: tx.run("delete from exchange"))
        with pytest.raises(NoSuchReview, match="erased"):
            await bench.oversight.review(await bench.call("rita"), ReviewRef(review_id=review.summary.id))
        with pytest.raises(NoSuchReview):
            await bench.oversight.review(await bench.call("rita"), ReviewRef(review_id="rev_none"))

    bench.run(story())


@pytest.mark.parametrize(("choice", "fields", "ends"), [
    ("approve", {}, "final"), ("edit", {"text": "The fee is 12 EUR.", "reason": "wrong fee"}, "final"),
    ("send back", {"reason": "no source"}, "refused"), ("escalate", {"reason": "too hard"}, "held")])
def test_a_review_decision_survives_a_fault_at_every_statement(bench, choice, fields, ends) -> None:
    _, review = bench.run(waiting(bench))
    seen = []

    async def act(database) -> None:
        await bench.over(database).decide_review(await bench.call("rita"), decision(review, choice, **fields))

    async def check() -> None:
        told = [e.body["decision"] for e in bench.entries("oversight.review_decided")]
        corrected = len(bench.entries("oversight.answer_corrected"))
        state = bench.row("select status from exchange")["status"], bench.row("select version from review")["version"]
        assert (told, corrected, state) in (
            ([], 0, ("held", 0)), ([choice], int(choice == "edit"), (ends, 1)))
        seen.append(bool(told))

    assert bench.run(fail_every_statement(bench.database, act, check)) >= 8
    assert seen == [False] * (len(seen) - 1) + [True]
