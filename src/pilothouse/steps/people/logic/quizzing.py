"""Quizzes: shuffled the same way for the same attempt, marked without telling what was right too early."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.people.contracts import QuizAnswer, QuizChoice, QuizMark, QuizQuestion
from pilothouse.steps.people.logic.lessons import Choice, Lesson, Question

T = TypeVar("T")

KEYS = "abcdefghijkl"
WINDOW = timedelta(hours=24)


def shuffled(items: Sequence[T], seed: str) -> tuple[T, ...]:
    """Return the items in an order that depends on the seed alone."""
    order = sorted(range(len(items)), key=lambda i: hashlib.sha256(f"{seed}|{i}".encode()).digest())
    return tuple(items[i] for i in order)


def seed_of(lesson: Lesson, person: str, attempt: int) -> str:
    return f"{person}|{lesson.slug}|{lesson.version}|{attempt}"


def asked(lesson: Lesson, seed: str) -> Mapping[str, tuple[Question, Mapping[str, Choice]]]:
    """Return {question key: (question, {choice key: choice})} in the order of this attempt."""
    return {f"q{n}": (question, dict(zip(KEYS, shuffled(question.choices, f"{seed}|{question.text}"), strict=False)))
            for n, question in enumerate(shuffled(lesson.questions, seed), start=1)}


def present(lesson: Lesson, seed: str) -> tuple[QuizQuestion, ...]:
    """Return the quiz as it is offered: nothing in it says which choices are right."""
    return tuple(QuizQuestion(key=key, text=question.text, several=_several(question),
                              choices=tuple(QuizChoice(key=k, text=c.text) for k, c in choices.items()))
                 for key, (question, choices) in asked(lesson, seed).items())


def _several(question: Question) -> bool:
    return sum(c.is_right for c in question.choices) > 1


def mark(lesson: Lesson, seed: str, answers: Sequence[QuizAnswer]) -> tuple[QuizMark, ...]:
    """Mark every question of an attempt: right only when exactly the right choices were chosen.

    Raises Invalid, naming the field, when a question is missing, repeated or unknown, or a choice is not offered.
    """
    quiz, chosen = asked(lesson, seed), _chosen(answers)
    if chosen.keys() != quiz.keys():
        raise Invalid(f"answer every question of this attempt once: {', '.join(quiz)}", field="answers")
    return tuple(_mark(key, question, choices, chosen[key]) for key, (question, choices) in quiz.items())


def _chosen(answers: Sequence[QuizAnswer]) -> Mapping[str, frozenset[str]]:
    chosen = {a.question: frozenset(a.choices) for a in answers}
    if len(chosen) != len(answers):
        raise Invalid("a question is answered twice; send each once", field="answers")
    return chosen


def _mark(key: str, question: Question, choices: Mapping[str, Choice], chosen: frozenset[str]) -> QuizMark:
    if not chosen or not chosen <= choices.keys():
        raise Invalid(f"choose among {', '.join(choices)} in {key}", field="answers")
    right = frozenset(k for k, c in choices.items() if c.is_right)
    return QuizMark(question=key, is_right=chosen == right, read_again=question.section,
                    right_choices=tuple(sorted(right)), because=question.because)


def veiled(marks: Sequence[QuizMark]) -> tuple[QuizMark, ...]:
    """Return the marks of a failed attempt: which questions were wrong and what to read, not what was right."""
    return tuple(QuizMark(question=m.question, is_right=m.is_right, read_again=m.read_again) for m in marks)


def passed(lesson: Lesson, marks: Sequence[QuizMark]) -> bool:
    """Return whether the share of right questions reaches the pass mark."""
    return sum(m.is_right for m in marks) >= lesson.pass_mark * len(marks)


def wait(lesson: Lesson, taken: Sequence[datetime], now: datetime) -> timedelta | None:
    """Return how long until another try is allowed, or None when one is allowed now."""
    recent = sorted(at for at in taken if at > now - WINDOW)
    if len(recent) < lesson.tries_per_day:
        return None
    return recent[-lesson.tries_per_day] + WINDOW - now
