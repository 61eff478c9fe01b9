"""Refusals of adoption."""

from pilothouse.kernel.errors import Invalid


class TooManyWeeks(Invalid):
    """More weeks were asked for than a report shows; `facts["limit"]` says how many it does."""

    code = "adoption.too_many_weeks"
