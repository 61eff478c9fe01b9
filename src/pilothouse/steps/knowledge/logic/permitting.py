"""Who may read what: rules by path, readers by name; no rule means nobody."""

import re
from collections.abc import Iterable, Mapping, Sequence

from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.principal import Principal
from pilothouse.steps.knowledge.contracts import LABELS, AccessRule, Label

READER = re.compile(r"everyone|(?:group|unit|person):[^\s:][^:]{0,99}")
RULES_MAX = 500


def rule_for(path: str, rules: Sequence[AccessRule]) -> AccessRule | None:
    """Return the rule with the longest path that is a whole-segment prefix of this one, or None.

    `policies` matches `policies/a.md` and not `policies-secret/a.md`.
    """
    fitting = [r for r in rules if _covers(r.path, path)]
    return max(fitting, key=lambda r: len(_parts(r.path))) if fitting else None


def _covers(rule_path: str, path: str) -> bool:
    mine, theirs = _parts(rule_path), _parts(path)
    return theirs[:len(mine)] == mine


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def may_read(principal: Principal, readers: Iterable[str]) -> bool:
    """Say whether any of the readers is this principal, one of their groups, or their unit."""
    mine = {"everyone", f"person:{principal.id}", f"unit:{principal.unit}", *(f"group:{g}" for g in principal.groups)}
    return any(r in mine for r in readers)


def readable(principal: Principal, sets: Mapping[int, Sequence[str]]) -> frozenset[int]:
    """Return the numbers of the access sets that a principal may read."""
    return frozenset(number for number, readers in sets.items() if may_read(principal, readers))


def join(labels: Iterable[Label]) -> Label:
    """Return the highest of some labels; `public` when there are none."""
    return max(labels, key=LABELS.index, default="public")


def check(rules: Sequence[AccessRule]) -> None:
    """Raise Invalid naming the rule that cannot be meant."""
    if len(rules) > RULES_MAX:
        raise Invalid(f"a source has at most {RULES_MAX} access rules; group paths under folders", field="rules")
    seen: set[str] = set()
    for i, rule in enumerate(rules):
        path = "/".join(_parts(rule.path))
        if path in seen or ".." in _parts(rule.path):
            raise Invalid("each path has one rule, and no path leads upwards", field=f"rules[{i}].path")
        seen.add(path)
        for reader in rule.readers:
            if not READER.fullmatch(reader):
                raise Invalid("a reader is `everyone`, `group:<id>`, `unit:<id>` or `person:<id>`",
                              field=f"rules[{i}].readers")
