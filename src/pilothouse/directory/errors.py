"""Refusals of the directory."""

from pilothouse.kernel.errors import Conflict, Denied, Exhausted, Missing, Unauthenticated


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


class NoSuchSubject(Missing):
    """Nothing was ever sealed for, and nobody in the directory is, this subject."""

    code = "privacy.no_such_subject"


class NotErasable(Denied):
    """This subject is the organisation or the platform itself, or whoever asks; `facts["rule"]` says which."""

    code = "privacy.not_erasable"


class UnderHold(Conflict):
    """A legal hold forbids erasing this subject."""

    code = "privacy.under_hold"
