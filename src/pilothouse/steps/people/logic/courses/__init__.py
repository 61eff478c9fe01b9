"""The built-in courses, by short name, in the order people take them."""

from collections.abc import Mapping

from pilothouse.steps.people.logic.courses import ask_well, own_a_use_case, review_basics
from pilothouse.steps.people.logic.lessons import Lesson

LESSONS: Mapping[str, Lesson] = {lesson.slug: lesson for lesson in (
    ask_well.LESSON, review_basics.LESSON, own_a_use_case.LESSON)}
