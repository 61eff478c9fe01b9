"""Refusals of people."""

from pilothouse.kernel.errors import Conflict, Denied, Exhausted, Missing


class NotCertified(Denied):
    """The person lacks a valid credential; `facts["course"]` names the course and `facts["how"]` says how to get it."""

    code = "people.not_certified"


class NoSuchCourse(Missing):
    """There is no course of that short name."""

    code = "people.no_such_course"


class QuizMoved(Conflict):
    """The answers belong to another attempt than the next one; open the course again."""

    code = "people.quiz_moved"


class TriesSpent(Exhausted):
    """All tries of the last 24 hours are used; `facts["wait_s"]` says how long until the next one."""

    code = "people.tries_spent"
