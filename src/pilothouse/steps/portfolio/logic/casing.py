"""A business case as written into one that can be computed, or a refusal that names the field and the fix."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from pilothouse.kernel.codec import encode
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.quantity import AMOUNT_MAX
from pilothouse.steps.portfolio.contracts.cases import Case, Cost, Driver, Input, Recapture

ENGINE = "1"
"""Changes when the same case and seed would come to other figures."""
HORIZON_MONTHS_MAX, DRIVERS_MAX, COSTS_MAX = 120, 30, 60
DRAWS_MIN, DRAWS_MAX = 1_000, 200_000
NAME_LENGTH_MAX, SOURCE_LENGTH_MAX = 80, 400
SEED_MAX = 2**62
CURRENCY = re.compile(r"[A-Z]{3}")
SCENARIO = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CASH_KINDS = ("cost_out", "avoidance", "revenue")
MANDATORY = ("review", "rework")
ONE = Decimal(1)
Named = tuple[str, Input]


def check(case: Case, *, seed: int, draws: int) -> None:
    """Raise Invalid naming the first field that does not fit, and what to write instead."""
    _check_frame(case, seed, draws)
    for field, given in inputs(case):
        _check_input(case, field, given)
    _check_adoption(case)
    _check_names("drivers", [d.name for d in case.drivers])
    _check_names("costs", [c.name for c in case.costs])
    for i, d in enumerate(case.drivers):
        _check_driver(case, d, f"drivers[{i}]")
    for i, c in enumerate(case.costs):
        _check_cost(case, c, f"costs[{i}]")
    check_overlaps([(g, s, "this case") for g, s in claims(case)])
    _check_mandatory(case)


def inputs(case: Case) -> Iterator[Named]:
    """Yield every input with its field path, in the order of the case."""
    yield "adoption.ceiling", case.adoption.ceiling
    yield "adoption.half", case.adoption.half
    for i, d in enumerate(case.drivers):
        for name in ("volume", "effect", "rate", "review", "rework"):
            given = getattr(d, name)
            if given is not None:
                yield f"drivers[{i}].{name}", given
    for i, c in enumerate(case.costs):
        yield f"costs[{i}].amount", c.amount


def _check_frame(case: Case, seed: int, draws: int) -> None:
    if not CURRENCY.fullmatch(case.currency):
        raise Invalid("a currency is three capital letters, such as EUR", field="currency")
    if not 1 <= case.horizon_months <= HORIZON_MONTHS_MAX:
        raise Invalid(f"a horizon has 1 to {HORIZON_MONTHS_MAX} months", field="horizon_months")
    if not 2000 <= case.price_year <= 2100:
        raise Invalid("say in money of which year the case is written, such as 2026", field="price_year")
    if not (case.discount_rate.is_finite() and Decimal("-0.5") < case.discount_rate < 1):
        raise Invalid("a discount rate is a fraction a year, such as 0.08 for 8 %", field="discount_rate")
    if not 1 <= len(case.drivers) <= DRIVERS_MAX:
        raise Invalid(f"a case has 1 to {DRIVERS_MAX} value drivers", field="drivers")
    if not 1 <= len(case.costs) <= COSTS_MAX:
        raise Invalid(f"a case has 1 to {COSTS_MAX} costs; nothing is free", field="costs")
    if not DRAWS_MIN <= draws <= DRAWS_MAX:
        raise Invalid(f"choose {DRAWS_MIN:,} to {DRAWS_MAX:,} draws", field="draws")
    if not 0 <= seed < SEED_MAX:
        raise Invalid("a seed is a whole number from 0", field="seed")


def _check_input(case: Case, field: str, given: Input) -> None:
    if not given.unit.strip():
        raise Invalid("a number without a unit says nothing; write one, such as `min`", field=f"{field}.unit")
    other = re.match(r"[A-Z]{3}(?![A-Za-z])", given.unit)
    if other and other.group() != case.currency:
        raise Invalid(f"this is in {other.group()} and the case in {case.currency}; convert it at a stated rate first",
                      field=f"{field}.unit")
    if given.measure_cost is not None and not 0 <= given.measure_cost < AMOUNT_MAX:
        raise Invalid("what measuring costs is an amount from 0", field=f"{field}.measure_cost")
    if len(given.source) > SOURCE_LENGTH_MAX:
        raise Invalid(f"a source has up to {SOURCE_LENGTH_MAX} characters", field=f"{field}.source")
    if given.tie:
        if not given.tied_to.strip():
            raise Invalid("name what this input is tied to, such as a KPI's short name", field=f"{field}.tied_to")
        return
    _check_numbers(field, given)


def _check_numbers(field: str, given: Input) -> None:
    if not given.source.strip():
        raise Invalid("say who or what the number comes from; `assumed by` and a name is an honest source",
                      field=f"{field}.source")
    if given.grade in ("E3", "E4"):
        raise Invalid("a grade above E2 comes from a tied experiment, never from a form", field=f"{field}.grade")
    for name, value in (("low", given.low), ("likely", given.likely), ("high", given.high)):
        if not value.is_finite() or abs(value) >= AMOUNT_MAX:
            raise Invalid(f"write a number under {AMOUNT_MAX:.0e}", field=f"{field}.{name}")
        if value < 0 and not field.endswith(".effect"):
            raise Invalid("this cannot be negative; a loss is a cost, or a negative effect", field=f"{field}.{name}")
    if given.low > given.likely:
        raise Invalid("low is above likely; low is the value one case in ten falls under", field=f"{field}.low")
    if given.likely > given.high:
        raise Invalid("likely is above high; high is the value one case in ten goes over", field=f"{field}.high")


def _check_adoption(case: Case) -> None:
    a = case.adoption
    _check_unit("adoption.ceiling", a.ceiling, ("share",), "share")
    _check_unit("adoption.half", a.half, ("months",), "months")
    if not a.ceiling.tie and a.ceiling.high > 1:
        raise Invalid("at most everybody uses it: write the ceiling as a share from 0 to 1",
                      field="adoption.ceiling.high")
    if not 0 < a.climb <= 10 * HORIZON_MONTHS_MAX:
        raise Invalid("say how many months lie between 10 % and 90 % of the ceiling", field="adoption.climb")
    if not 0 <= a.starts_month <= case.horizon_months:
        raise Invalid(f"use starts within the horizon of {case.horizon_months} months", field="adoption.starts_month")


def _check_names(field: str, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX:
            raise Invalid(f"a name has 1 to {NAME_LENGTH_MAX} characters", field=f"{field}[{i}].name")
        if name in names[:i]:
            raise Invalid(f"`{name}` stands here twice; names tell parts apart", field=f"{field}[{i}].name")


def _check_unit(field: str, given: Input, allowed: Sequence[str], example: str) -> None:
    if given.unit not in allowed:
        raise Invalid(f"the unit here is `{example}`, not `{given.unit}`", field=f"{field}.unit")


def _check_driver(case: Case, d: Driver, field: str) -> None:
    if not d.volume.unit.endswith("/month"):
        raise Invalid("volume counts units of work a month, such as `replies/month`", field=f"{field}.volume.unit")
    if d.basis == "minutes":
        _check_minutes(case, d, field)
    elif not d.rate.unit.startswith(f"{case.currency}/"):
        raise Invalid(f"the rate turns effect into money: write `{case.currency}/…`", field=f"{field}.rate.unit")
    for name, share in (("attribution", d.attribution), ("overlap_share", d.overlap_share)):
        if not (share.is_finite() and 0 <= share <= 1):
            raise Invalid("this is a share from 0 to 1", field=f"{field}.{name}")
    if d.overlap_share < 1 and not d.overlap_group.strip():
        raise Invalid("name the group this driver claims a share of", field=f"{field}.overlap_group")
    _check_recapture(d, field)


def _check_minutes(case: Case, d: Driver, field: str) -> None:
    _check_unit(f"{field}.effect", d.effect, ("min",), "min")
    _check_unit(f"{field}.rate", d.rate, (f"{case.currency}/h",), f"{case.currency}/h")
    for name in MANDATORY:
        given = getattr(d, name)
        if given is None:
            raise Invalid(f"minutes of {name} are part of every time saving; write 0 with a source if there are none",
                          field=f"{field}.{name}")
        _check_unit(f"{field}.{name}", given, ("min",), "min")


def _check_recapture(d: Driver, field: str) -> None:
    for i, r in enumerate(d.recapture):
        _check_line(d, r, f"{field}.recapture[{i}]")
    if sum((r.share for r in d.recapture), Decimal(0)) > 1:
        raise Invalid("the shares recaptured come to more than the whole benefit", field=f"{field}.recapture")


def _check_line(d: Driver, r: Recapture, field: str) -> None:
    if not (r.share.is_finite() and 0 <= r.share <= 1):
        raise Invalid("this is a share from 0 to 1", field=f"{field}.share")
    if r.destination == "capacity_redeployed" and not r.where.strip():
        raise Invalid("say which work gets the freed capacity; otherwise it is not recaptured", field=f"{field}.where")
    if r.destination != "cash_released":
        return
    if d.kind not in CASH_KINDS:
        raise Invalid(f"a {d.kind} driver releases no cash; say where else it goes", field=f"{field}.destination")
    for name in ("verified_by", "indicator"):
        if not getattr(r, name).strip():
            raise Invalid("cash counts when somebody confirms it in the books: say who, and by what indicator",
                          field=f"{field}.{name}")


def _check_cost(case: Case, c: Cost, field: str) -> None:
    if c.kind == "one_off":
        _check_unit(f"{field}.amount", c.amount, (case.currency,), case.currency)
    elif c.kind == "monthly":
        _check_unit(f"{field}.amount", c.amount, (f"{case.currency}/month",), f"{case.currency}/month")
    elif not re.fullmatch(rf"{case.currency}/(?!month$).+", c.amount.unit):
        raise Invalid(f"a cost per unit is in `{case.currency}/…`, such as `{case.currency}/reply`",
                      field=f"{field}.amount.unit")
    last = case.horizon_months
    for name, month in (("starts_month", c.starts_month), ("ends_month", c.ends_month)):
        if month is not None and not 0 <= month <= last:
            raise Invalid(f"month {month} lies outside the horizon of {last} months; lengthen the horizon or move the"
                          " cost, an exit included", field=f"{field}.{name}")
    if c.ends_month is not None and c.ends_month < c.starts_month:
        raise Invalid("the cost ends before it starts", field=f"{field}.ends_month")
    if c.kind == "per_unit" and c.driver not in [d.name for d in case.drivers]:
        raise Invalid("name the driver whose units this cost is paid for", field=f"{field}.driver")


def _check_mandatory(case: Case) -> None:
    """Review and rework are terms of every case: in minutes drivers, or as costs."""
    if any(d.basis == "minutes" for d in case.drivers):
        return
    for category in MANDATORY:
        if not any(c.category == category for c in case.costs):
            raise Invalid(f"people {category} what a machine wrote: add a cost of category `{category}`, 0 with a"
                          " source if there is none", field="costs")


def claims(case: Case) -> Sequence[tuple[str, Decimal]]:
    """Return (overlap group, share claimed) of every driver that names a group."""
    return [(d.overlap_group, d.overlap_share) for d in case.drivers if d.overlap_group]


def check_overlaps(claimed: Sequence[tuple[str, Decimal, str]]) -> None:
    """Raise Invalid when a group's claims come to more than the whole: no two use cases claim the same minute."""
    totals: dict[str, Decimal] = {}
    for group, share, _ in claimed:
        totals[group] = totals.get(group, Decimal(0)) + share
    for group, total in totals.items():
        if total > 1:
            by = ", ".join(f"{who} {100 * share:.0f} %" for g, share, who in claimed if g == group)
            raise Invalid(f"`{group}` is claimed to {100 * total:.0f} %: {by}; lower a share, together they are 100 %",
                          field="drivers.overlap_share", overlap_group=group)


def digest(case: Case, *, scenario: str, seed: int, draws: int) -> str:
    """Return the SHA-256 (hex) of what determines every figure: the case in canonical JSON, scenario, seed, draws."""
    canonical = b"\n".join((encode(case), scenario.encode(), str(seed).encode(), str(draws).encode()))
    return hashlib.sha256(canonical).hexdigest()


def differences(left: object, right: object, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (field, left, right) wherever two plain values (dicts, lists, scalars) differ."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in dict.fromkeys((*left, *right)):
            yield from differences(left.get(key), right.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        for i in range(max(len(left), len(right))):
            one, two = (side[i] if i < len(side) else None for side in (left, right))
            name = next((str(s["name"]) for s in (one, two) if isinstance(s, Mapping) and "name" in s), str(i))
            yield from differences(one, two, f"{path}[{name}]")
    elif left != right:
        yield path, _shown(left), _shown(right)


def _shown(value: object) -> str:
    return "absent" if value is None else str(value)[:200]
