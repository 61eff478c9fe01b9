"""Courses, quizzes and credentials: what is told when, what expires, and who is refused."""

import json
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.people.api import People
from pilothouse.steps.people.contracts import (
    CourseRef,
    ExpiryQuery,
    OutsideCredential,
    PersonCredentials,
    QuizAnswer,
    QuizSubmission,
)
from pilothouse.steps.people.errors import NoSuchCourse, NotCertified, QuizMoved, TriesSpent
from pilothouse.steps.people.logic import quizzing
from pilothouse.steps.people.logic.courses import LESSONS
from pilothouse.testing.fakes import CountingMint
from pilothouse.testing.faults import fail_every_statement

DAY = timedelta(days=1)


def test_three_courses_come_with_material_and_a_quiz_of_six_to_eight_questions(office) -> None:
    listed = office.run(office.people.list_courses(office.run(office.call("jonas")), NoFields()))
    assert [c.slug for c in listed] == ["ask-well", "review-basics", "own-a-use-case"]
    for course in listed:
        lesson = LESSONS[course.slug]
        assert 6 <= course.questions <= 8
        assert all(any(c.is_right for c in q.choices) and not all(c.is_right for c in q.choices)
                   for q in lesson.questions)
        assert {q.section for q in lesson.questions} <= {s.heading for s in lesson.sections}
        assert any(sum(c.is_right for c in q.choices) > 1 for q in lesson.questions)


def test_the_quiz_that_a_client_gets_does_not_say_what_is_right(office) -> None:
    course = office.run(office.people.course(office.run(office.call("jonas")), CourseRef(course="review-basics")))
    sent = json.dumps([asdict(q) for q in course.quiz])
    assert "is_right" not in sent and "because" not in sent
    for question in LESSONS["review-basics"].questions:
        assert question.because not in sent


def test_the_same_attempt_is_shuffled_the_same_way_and_the_next_one_differently() -> None:
    lesson = LESSONS["ask-well"]
    first = quizzing.present(lesson, quizzing.seed_of(lesson, "jonas", 1))
    assert first == quizzing.present(lesson, quizzing.seed_of(lesson, "jonas", 1))
    assert first != quizzing.present(lesson, quizzing.seed_of(lesson, "jonas", 2))
    assert first != quizzing.present(lesson, quizzing.seed_of(lesson, "mara", 1))


@given(st.lists(st.integers(), max_size=12, unique=True), st.text(max_size=20))
def test_shuffling_loses_and_repeats_nothing(items: list[int], seed: str) -> None:
    assert sorted(quizzing.shuffled(items, seed)) == sorted(items)


def test_passing_earns_a_credential_that_opens_the_door_until_it_expires(office) -> None:
    async def story() -> None:
        with pytest.raises(NotCertified) as refused:
            await office.people.require(await office.call("rita"), "review-basics")
        assert refused.value.facts["course"] == "review-basics"
        assert "How to review answers" in refused.value.message
        result = await office.take("rita", "review-basics", wrong=1)
        assert result.passed and result.credential and result.right == result.questions - 1
        assert all(m.because for m in result.marks)
        await office.people.require(await office.call("rita", after=364 * DAY), "review-basics")
        with pytest.raises(NotCertified, match="expired"):
            await office.people.require(await office.call("rita", after=365 * DAY), "review-basics")

    office.run(story())
    assert [e.kind for e in office.entries("people.quiz_taken", "people.credential_earned")] == [
        "people.quiz_taken", "people.credential_earned"]


def test_a_failed_attempt_says_what_to_read_and_not_what_was_right(office) -> None:
    result = office.run(office.take("jonas", "ask-well", wrong=4))
    assert not result.passed and result.credential is None and result.tries_left == 2
    assert {m.read_again for m in result.marks if not m.is_right} <= {s.heading for s in LESSONS["ask-well"].sections}
    assert not any(m.because or m.right_choices for m in result.marks)


def test_a_fourth_try_within_a_day_is_refused_with_the_wait(office) -> None:
    async def story() -> None:
        for hours in (0, 1, 2):
            await office.take("jonas", "ask-well", wrong=7, after=timedelta(hours=hours))
        with pytest.raises(TriesSpent) as refused:
            await office.take("jonas", "ask-well", after=timedelta(hours=3))
        assert refused.value.facts["wait_s"] == 21 * 3600
        assert (await office.take("jonas", "ask-well", after=timedelta(hours=25))).passed

    office.run(story())


def test_sending_the_same_attempt_twice_counts_once(office) -> None:
    async def story() -> None:
        call = await office.call("jonas")
        course = await office.people.course(call, CourseRef(course="ask-well"))
        blank = [QuizAnswer(question=q.key, choices=("a",)) for q in course.quiz]
        sent = QuizSubmission(course="ask-well", attempt=course.attempt, answers=tuple(blank))
        await office.people.submit_quiz(call, sent)
        with pytest.raises(QuizMoved):
            await office.people.submit_quiz(call, sent)

    office.run(story())
    assert len(office.entries("people.quiz_taken")) == 1


@pytest.mark.parametrize("broken", ["missing", "twice", "unknown choice", "nothing chosen"])
def test_answers_that_do_not_fit_the_quiz_are_refused_and_cost_no_try(office, broken: str) -> None:
    async def story() -> None:
        call = await office.call("jonas")
        course = await office.people.course(call, CourseRef(course="ask-well"))
        good = [QuizAnswer(question=q.key, choices=("a",)) for q in course.quiz]
        bad = {"missing": good[1:], "twice": [*good, good[0]],
               "unknown choice": [replace(good[0], choices=("z",)), *good[1:]],
               "nothing chosen": [replace(good[0], choices=()), *good[1:]]}[broken]
        with pytest.raises(Invalid) as refused:
            await office.people.submit_quiz(call, QuizSubmission(course="ask-well", attempt=1, answers=tuple(bad)))
        assert refused.value.facts["field"] == "answers"
        assert (await office.people.list_courses(call, NoFields()))[0].tries_left == 3

    office.run(story())


def test_an_agent_cannot_take_a_quiz(office) -> None:
    async def story() -> None:
        with pytest.raises(Denied):
            await office.people.submit_quiz(await office.call("robo"),
                                            QuizSubmission(course="ask-well", attempt=1, answers=()))

    office.run(story())


def test_an_outside_credential_is_entered_by_an_administrator_once_with_its_reason_sealed(office) -> None:
    async def story() -> None:
        request = OutsideCredential(person="rita", course="review-basics", issuer="Banking Academy",
                                    reason="certificate 4711 shown in person", valid_days=100)
        with pytest.raises(Denied):
            await office.people.certify(await office.call("mara"), request)
        first = await office.people.certify(await office.call("adam"), request)
        assert await office.people.certify(await office.call("adam"), request) == first
        assert first.source == "outside" and first.issuer == "Banking Academy"
        await office.people.require(await office.call("rita"), "review-basics")
        for field, bad in (("valid_days", 0), ("issuer", " "), ("reason", "")):
            with pytest.raises(Invalid) as refused:
                await office.people.certify(await office.call("adam"), replace(request, **{field: bad}))
            assert refused.value.facts["field"] == field
        with pytest.raises(NoSuchCourse, match="ask-well"):
            await office.people.certify(await office.call("adam"), replace(request, course="juggling"))
        with pytest.raises(Invalid, match="not an active person"):
            await office.people.certify(await office.call("adam"), replace(request, person="nobody"))

    office.run(story())
    [entry] = office.entries("people.credential_earned")
    assert "4711" not in json.dumps(entry.body)
    assert office.database.read_now(lambda r: r.text(entry.body["reason"]["id"])) == "certificate 4711 shown in person"


def test_credentials_about_to_expire_are_listed_until_they_are_renewed(office) -> None:
    async def story() -> None:
        await office.take("rita", "review-basics")
        owner = await office.call("mara", after=340 * DAY)
        [ending] = await office.people.expiring_credentials(owner, ExpiryQuery())
        assert (ending.person, ending.status) == ("rita", "expires soon")
        seen = await office.people.credentials_of(owner, PersonCredentials(person="rita"))
        assert seen == (ending,)
        await office.take("rita", "review-basics", after=340 * DAY)
        assert await office.people.expiring_credentials(owner, ExpiryQuery()) == ()
        with pytest.raises(Denied):
            await office.people.expiring_credentials(await office.call("jonas"), ExpiryQuery())

    office.run(story())


def test_a_fault_at_any_statement_of_a_quiz_leaves_neither_attempt_nor_credential(office) -> None:
    counts = set()

    async def act(database) -> None:
        people = People(database=database, mint=CountingMint(), directory=office.directory, portfolio=office.portfolio)
        await people.submit_quiz(await office.call("jonas"), office.answers("jonas", "ask-well", 1))

    async def check() -> None:
        rows = office.database.read_now(lambda r: (len(r.rows("select 1 as one from quiz_attempt")),
                                                   len(r.rows("select 1 as one from credential"))))
        told = len(office.entries("people.quiz_taken")), len(office.entries("people.credential_earned"))
        assert rows == told and rows in ((0, 0), (1, 1))
        counts.add(rows)

    assert office.run(fail_every_statement(office.database, act, check)) >= 6
    assert counts == {(0, 0), (1, 1)}
