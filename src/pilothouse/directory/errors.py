"""Refusals of the directory."""

from pilothouse.kernel.errors import Conflict, Exhausted, Missing, Unauthenticated


class NoSuchPerson(Missing):
    """Nobody of that id is in the directory."""

    code = "directory.no_such_person"


class AlreadyThere(Conflict):
    """Somebody of that id exists already."""

    code = "directory.already_there"


class SignInFailed(Unauthenticated):
    """The name or the password is wrong; which of them is not said."""

    code = "directory.sign_in_failed"


class KeyRefused(Unauthenticated):
    """The API key or session is unknown, expired, or belongs to a disabled principal."""

    code = "directory.key_refused"


class TooManyTries(Exhausted):
    """Too many failed sign-ins; `facts["wait_s"]` says for how long this account or address waits."""

    code = "directory.too_many_tries"
