"""What kind of thing a question asks for, and whether a sentence holds one: a figure, a time, a person, a place."""

import re
from collections.abc import Callable

from pilothouse.text.numerals import facts

_QUANTITY = re.compile(r"\bhow (?:many|much|long|often|old|far|high|large|big|late|early|soon|fast|quickly)\b"
                       r"|\bwhat (?:\w+ ){0,3}(?:number|amount|share|percentage|rate|limit|fee|price|cost"
                       r"|deadline|threshold|revenue|sales)\b")
_TIME = re.compile(r"\bwhen\b|\bwhat (?:year|date|day|month|time)\b|\bby when\b")
_PERSON = re.compile(r"\bwho\b|\bwhom\b|\bwhose\b")
_PLACE = re.compile(r"\bwhere\b|\bwhich (?:country|city|state|branch)\b")
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d{2}\b|\b(?:1[0-9]|20)\d\d\b|\b(?:day|week|month|year|hour|minute|monday|tuesday"
                    r"|wednesday|thursday|friday|saturday|sunday)s?\b")
_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][\w'’-]+")
_SPELLED = re.compile(r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty"
                      r"|hundred|thousand|once|twice|daily|weekly|monthly|annual|yearly)\b")


def expectation(question: str) -> Callable[[str], bool]:
    """Return what tells whether a sentence holds the kind of thing that the question word asks for, if it asks for one.

    What the question itself names does not count: it is asked about, not given.
    """
    asked = question.lower()
    if _QUANTITY.search(asked):
        figures = facts(question)
        return lambda sentence: bool(facts(sentence) - figures) or bool(_SPELLED.search(sentence.lower()))
    if _TIME.search(asked):
        return lambda sentence: bool(_CLOCK.search(sentence.lower()))
    if _PERSON.search(asked) or _PLACE.search(asked):
        named = frozenset(_CAPITAL.findall(question))
        return lambda sentence: not named.issuperset(_CAPITAL.findall(sentence))
    return lambda sentence: False
