"""Words: lower-cased tokens, a light English stem, and the words that carry content."""

import re

import re2

_WORD = re2.compile(r"[\pL\pM\pN]+(?:['’][\pL]+)*")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)*")
_LONE = re.compile("[\ud800-\udfff]")  # half characters, which the engine cannot encode
STOPWORDS = frozenset("""a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has have having he her here
hers him his how i if in into is it its itself just may me might more most must my no nor not of off on once only or
other our out over own please same shall she should so some such than that the their them then there these they this
those through to too under until up upon us very was we were what when where which while who whom whose why will with
would you your""".split())


def words(text: str) -> list[str]:
    """Return the word tokens of a text, lower-cased, in order."""
    low = text.lower()
    if low.isascii():  # most texts are, and the standard engine walks them several times faster
        return _ASCII_WORD.findall(low)
    return [w.replace("’", "'") for w in _WORD.findall(_LONE.sub(" ", low))]


def stem(word: str) -> str:
    """Strip common English endings so that `approvals`, `approved` and `approve` meet; short words stay whole.

    A light rule set of our own, not Porter's: it never removes more than one ending after the plural.
    """
    base = word.removesuffix("'s")
    if len(base) <= 3 or not base.isalpha():
        return base
    base = _singular(base)
    for ending, least in (("ational", 4), ("ization", 4), ("isation", 4), ("ement", 4), ("ation", 4), ("ing", 3),
                          ("ment", 4), ("ied", 3), ("ed", 3), ("al", 5), ("ly", 4)):
        if base.endswith(ending) and len(base) - len(ending) >= least:
            return _tidy(base[: -len(ending)])
    return _tidy(base)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _tidy(base: str) -> str:
    if len(base) > 4 and base[-1] == base[-2] and base[-1] not in "lsz":
        return base[:-1]
    return base[:-1] if len(base) > 4 and base[-1] in "ey" else base


def content_words(text: str) -> list[str]:
    """Return the stems of a text's words without stopwords, in order."""
    return [stem(w) for w in words(text) if w not in STOPWORDS]
