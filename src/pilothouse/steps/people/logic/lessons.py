"""Courses as their authors write them: material, questions, and which choices are right and why."""

from dataclasses import dataclass

from pilothouse.steps.people.contracts import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice and whether it is right."""

    text: str
    is_right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a quiz; `section` is the heading of the material that answers it."""

    text: str
    choices: tuple[Choice, ...]
    because: str
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A whole course; raise `version` whenever material or quiz change."""

    slug: str
    title: str
    why: str
    version: int
    minutes: int
    sections: tuple[Section, ...]
    questions: tuple[Question, ...]
    pass_mark: float = 0.8
    valid_days: int = 365
    tries_per_day: int = 3


def right(text: str) -> Choice:
    return Choice(text=text, is_right=True)


def wrong(text: str) -> Choice:
    return Choice(text=text)
