"""A business case to form fields and back: every number by its path in the case, and where each benefit goes."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from pilothouse.doors.console.case_contexts import Asked, Split
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts.cases import Case, Cost, Destination, Driver, Input, Recapture

ENDS = ("low", "likely", "high")
PARTS = ("volume", "effect", "rate", "review", "rework")
SPLIT: tuple[tuple[str, Destination], ...] = (("cash", "cash_released"), ("redeployed", "capacity_redeployed"))


def asked(case: Case) -> tuple[Asked, ...]:
    """Return every input in the order of the form."""
    found = [Asked(field="adoption.ceiling", label="Share of the work that will ever use it",
                   given=case.adoption.ceiling, group="Adoption"),
             Asked(field="adoption.half", label="Months until half of that", given=case.adoption.half,
                   group="Adoption")]
    for i, d in enumerate(case.drivers):
        found += [Asked(field=f"drivers[{i}].{part}", label=part.capitalize(), given=given, group=d.name)
                  for part in PARTS if (given := getattr(d, part)) is not None]
    found += [Asked(field=f"costs[{i}].amount", label=f"{c.name} ({c.kind.replace('_', ' ')})", given=c.amount,
                    group="Costs") for i, c in enumerate(case.costs)]
    return tuple(found)


def splits(case: Case) -> tuple[Split, ...]:
    """Return where each driver's benefit goes, in the two destinations that the form asks for."""
    def split(i: int, d: Driver) -> Split:
        cash = next((r for r in d.recapture if r.destination == "cash_released"), None)
        moved = next((r for r in d.recapture if r.destination == "capacity_redeployed"), None)
        return Split(field=f"drivers[{i}]", driver=d.name, cash=str(cash.share) if cash else "0",
                     verified_by=cash.verified_by if cash else "", indicator=cash.indicator if cash else "",
                     redeployed=str(moved.share) if moved else "0", where=moved.where if moved else "")

    return tuple(split(i, d) for i, d in enumerate(case.drivers))


def typed(case: Case, form: Mapping[str, str]) -> Case:
    """Return the case with what was typed; a field that was not sent stays. Raises Invalid naming a field that is no
    number."""
    drivers = tuple(_driver(d, f"drivers[{i}]", form) for i, d in enumerate(case.drivers))
    costs = tuple(_cost(c, f"costs[{i}].amount", form) for i, c in enumerate(case.costs))
    adoption = replace(case.adoption, ceiling=_input(case.adoption.ceiling, "adoption.ceiling", form),
                       half=_input(case.adoption.half, "adoption.half", form))
    horizon = _number(form, "horizon_months", Decimal(case.horizon_months))
    if horizon != horizon.to_integral_value():
        raise Invalid("a horizon is a whole number of months", field="horizon_months")
    return replace(case, adoption=adoption, drivers=drivers, costs=costs, horizon_months=int(horizon),
                   discount_rate=_number(form, "discount_rate", case.discount_rate),
                   function=form.get("function", case.function).strip())


def _driver(d: Driver, field: str, form: Mapping[str, str]) -> Driver:
    parts = {part: _input(given, f"{field}.{part}", form) for part in PARTS if (given := getattr(d, part)) is not None}
    return replace(d, recapture=_recapture(d, field, form), **parts)  # type: ignore[arg-type]


def _cost(c: Cost, field: str, form: Mapping[str, str]) -> Cost:
    return replace(c, amount=_input(c.amount, field, form))


def _input(given: Input, field: str, form: Mapping[str, str]) -> Input:
    """Return the input with its typed numbers; a changed number is the typist's own, whatever it rested on before."""
    if given.tie:
        return given
    low, likely, high = (_number(form, f"{field}.{end}", getattr(given, end)) for end in ENDS)
    if (low, likely, high) == (given.low, given.likely, given.high):
        return given
    return replace(given, low=low, likely=likely, high=high, grade="E0", source="assumed: typed on the page", period="")


def _recapture(d: Driver, field: str, form: Mapping[str, str]) -> tuple[Recapture, ...]:
    if f"{field}.cash" not in form:
        return d.recapture
    others = tuple(r for r in d.recapture if r.destination not in dict(SPLIT).values())
    found = []
    for name, destination in SPLIT:
        share = _number(form, f"{field}.{name}", Decimal(0))
        if share:
            found.append(Recapture(destination=destination, share=share, where=_words(form, field, "where", name),
                                   verified_by=_words(form, field, "verified_by", name),
                                   indicator=_words(form, field, "indicator", name)))
    return (*found, *others)


def _words(form: Mapping[str, str], field: str, word: str, name: str) -> str:
    belongs = {"where": "redeployed"}.get(word, "cash")
    return form.get(f"{field}.{word}", "").strip() if belongs == name else ""


def _number(form: Mapping[str, str], field: str, otherwise: Decimal) -> Decimal:
    text = form.get(field, "").strip()
    if not text:
        return otherwise
    try:
        number = Decimal(text.replace(" ", "").replace("\u202f", ""))
    except InvalidOperation as broken:
        raise Invalid("write a plain number, such as 12 or 0.5", field=field) from broken
    if not number.is_finite():
        raise Invalid("write a plain number, such as 12 or 0.5", field=field)
    return number
