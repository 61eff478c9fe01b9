"""A finished completion into a draft, and a draft with its verdict into the record of an answer."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.gateway.contracts import (
    AnswerSentence,
    Completion,
    Draft,
    Inspection,
    Outcome,
    Question,
    Screening,
)
from pilothouse.steps.gateway.logic import grounding
from pilothouse.steps.gateway.logic.prompting import QUESTION_LENGTH_MAX, TURNS_MAX
from pilothouse.steps.knowledge.contracts import Label, Passage

HELD_TEXT = "A reviewer is checking this answer. You will find it under your answers as soon as it is approved."


def draft(completion: Completion, question: str, passages: Sequence[Passage], label: Label
          ) -> tuple[Draft, tuple[AnswerSentence, ...]]:
    """Return the draft with its groundedness, and its sentences with what each stands on."""
    parts = grounding.split(completion.text, passages) if passages else ()
    made = Draft(text=completion.text, question=question, passages=tuple(passages), label=label,
                 citations=grounding.cited(completion.text, passages), answered=completion.answered,
                 groundedness=grounding.groundedness(parts) if completion.answered else None)
    return made, parts


_STRICTNESS: tuple[Outcome, ...] = ("allow", "hold", "block")


def stricter(screening: Screening, inspection: Inspection) -> Inspection:
    """Return the verdict on the way out, unless the one on the way in was stricter: doubts do not expire."""
    if _STRICTNESS.index(screening.outcome) <= _STRICTNESS.index(inspection.outcome):
        return inspection
    return replace(inspection, outcome=screening.outcome, policy=screening.policy)


def check(question: Question) -> None:
    """Raise Invalid naming the field of a question that does not fit its stated limit."""
    if not question.text.strip():
        raise Invalid("ask something: the question is empty", field="text")
    if len(question.text) > QUESTION_LENGTH_MAX:
        raise Invalid(f"a question has at most {QUESTION_LENGTH_MAX} characters; put long texts into a document",
                      field="text")
    if len(question.turns) > TURNS_MAX:
        raise Invalid(f"a conversation carries at most {TURNS_MAX} earlier turns; start a new one", field="turns")
    for i, turn in enumerate(question.turns):
        if len(turn.text) > QUESTION_LENGTH_MAX:
            raise Invalid(f"a turn has at most {QUESTION_LENGTH_MAX} characters", field=f"turns[{i}].text")
