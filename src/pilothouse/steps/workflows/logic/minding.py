"""What may be said of an answer: the limits of ratings and corrections."""

from pilothouse.kernel.errors import Invalid

COMMENT_LENGTH_MAX, TEXT_LENGTH_MAX = 2_000, 20_000
"""In characters."""


def check_comment(comment: str) -> None:
    """Raise Invalid when a comment is too long."""
    if len(comment) > COMMENT_LENGTH_MAX:
        raise Invalid(f"a comment has at most {COMMENT_LENGTH_MAX} characters", field="comment")


def check_text(text: str, answer: str) -> None:
    """Raise Invalid when a correction is empty, too long, or the answer itself."""
    if not 1 <= len(text.strip()) <= TEXT_LENGTH_MAX:
        raise Invalid(f"a correction has 1 to {TEXT_LENGTH_MAX} characters", field="text")
    if text.strip() == answer.strip():
        raise Invalid("this is the answer as it stands; change what should be different", field="text")
