"""A business case as a workbook: numbers as numbers, a grade and a source beside each, no text read as a formula."""

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pilothouse.kernel.clock import instant
from pilothouse.kernel.quantity import Money
from pilothouse.steps.portfolio.contracts import UseCase
from pilothouse.steps.portfolio.contracts.cases import CaseVersion, Cost, Driver, Input, Quantiles, Side

Cell = str | int | float | Decimal | Money | None
GRADES = {"E0": "assumed", "E1": "self-reported", "E2": "before and after", "E3": "quasi-experiment",
          "E4": "randomised"}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
WIDTHS = (44, 16, 16, 16, 16, 10, 10, 52, 26)


class XlsxCase:
    """Writes workbooks by xlsxwriter."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def write(self, use_case: UseCase, version: CaseVersion) -> bytes:
        """Return the workbook: figures, inputs, months, recapture, and what to measure next."""
        import xlsxwriter

        held = io.BytesIO()
        book = xlsxwriter.Workbook(held, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
                                          "strings_to_numbers": False})
        # the file's own date is the version's: the same version gives the same bytes
        book.set_properties({"title": f"Business case: {use_case.title}", "comments": f"SHA-256 {version.digest}",
                             "created": instant(version.frozen_at).replace(tzinfo=None)})
        for name, rows in (("Figures", _figures(use_case, version)), ("Inputs", _inputs(version)),
                           ("Lines", _lines(version)), ("Months", _months(version)), ("Recapture", _recapture(version)),
                           ("Measure next", _knowing(version))):
            _sheet(book, name, rows)
        book.close()
        return held.getvalue()


def _sheet(book: Any, name: str, rows: Sequence[Sequence[Cell]]) -> None:
    sheet, head = book.add_worksheet(name), book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
    amount, plain = book.add_format({"num_format": "#,##0.00"}), book.add_format({"num_format": "0.######"})
    quoted = book.add_format({"quote_prefix": True})
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            _put(sheet, y, x, cell, head if y == 0 else None, amount, plain, quoted)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _put(sheet: Any, y: int, x: int, cell: Cell, head: Any, amount: Any, plain: Any, quoted: Any) -> None:
    """Write one cell by its type: a text is always a text, whatever it begins with, and stays one when edited."""
    if cell is None:
        sheet.write_string(y, x, "no data")
    elif isinstance(cell, Money):
        sheet.write_number(y, x, float(cell.amount), amount)
    elif isinstance(cell, str):
        sheet.write_string(y, x, cell, head or (quoted if cell.startswith(FORMULAS) else None))
    else:
        sheet.write_number(y, x, float(cell), plain)


def _figures(u: UseCase, v: CaseVersion) -> list[list[Cell]]:
    o = v.outcome
    rows: list[list[Cell]] = [["Figure", "Mean", "P10", "P50", "P90", "Unit", "Grade", "How it was computed"]]
    for title, side in (("Hard return (released cash only)", o.hard),
                        ("All benefits (beside it, never added to it)", o.whole)):
        rows += _side(title, side, o.currency, o.grade, o.method)
    rows.append(["Costs, present value", o.costs.mean, o.costs.p10, o.costs.p50, o.costs.p90, o.currency, "", o.method])
    rows += [["Stale", s] for s in v.stale]
    rows += [["Note", "Demonstration data of a fictional bank"]] if v.demo else []
    rows += [[], ["Use case", u.title], ["Scenario and version", f"{v.scenario}:{v.version}"],
             ["Frozen", f"{v.frozen_at} by {v.frozen_by}"], ["Ledger entry", v.seq], ["SHA-256", v.digest],
             ["Money of the year", v.case.price_year], ["Real discount rate a year", v.case.discount_rate],
             ["Horizon, months", v.case.horizon_months], ["Next measurement", o.next_measurement]]
    return rows


def _side(title: str, s: Side, currency: str, grade: str, method: str) -> list[list[Cell]]:
    return [
        [f"{title}: NPV", s.npv.mean, s.npv.p10, s.npv.p50, s.npv.p90, currency, grade, method],
        [f"{title}: P(NPV > 0)", s.above_zero, "", "", "", "share", grade, "share of draws"],
        [f"{title}: ROI", "", *_three(s.roi), "fraction", grade, "(PV benefits - PV costs) / PV costs"],
        [f"{title}: IRR of the expected flows", s.irr, "", "", "", "a year", grade, s.irr_says],
        [f"{title}: MIRR of the expected flows", s.mirr, "", "", "", "a year", grade, "at the discount rate"],
        [f"{title}: discounted payback", "", *_three(s.payback_months), "months", grade,
         f"{s.payback_months.share:.1%} of draws pay back within the horizon"],
        [f"{title}: EVPI", s.evpi, "", "", "", currency, grade, f"standard error {s.evpi_error.amount}"]]


def _three(q: Quantiles) -> list[Cell]:
    return [q.p10, q.p50, q.p90]


def _inputs(v: CaseVersion) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["Input", "Low (P10)", "Likely (mode)", "High (P90)", "Unit", "Grade", "Means", "Source",
                               "Period"]]
    a = v.case.adoption
    rows += [_input("Adoption ceiling", a.ceiling), _input("Months to half adoption", a.half)]
    rows += [row for d in v.case.drivers for row in _driver(d)]
    rows += [_cost(c) for c in v.case.costs]
    return rows


def _driver(d: Driver) -> list[list[Cell]]:
    parts = [("volume", d.volume), ("effect", d.effect), ("rate", d.rate), ("review", d.review), ("rework", d.rework)]
    return [_input(f"{d.name}: {name}", given) for name, given in parts if given is not None]


def _cost(c: Cost) -> list[Cell]:
    when = f"month {c.starts_month}" if c.kind == "one_off" else c.kind.replace("_", " ")
    return _input(f"Cost, {c.category}: {c.name} ({when})", c.amount)


def _input(name: str, given: Input) -> list[Cell]:
    return [name, given.low, given.likely, given.high, given.unit, given.grade, GRADES[given.grade], given.source,
            given.period]


def _lines(v: CaseVersion) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["Line, present value", "Mean", "P10", "P50", "P90", "Of it cash", "Grade", "Source",
                               "Kind"]]
    return rows + [[x.name, x.present_value.mean, x.present_value.p10, x.present_value.p50, x.present_value.p90, x.cash,
                    x.grade, x.source, x.kind] for x in (*v.outcome.lines, *v.outcome.cost_lines)]


def _months(v: CaseVersion) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["Month", "Released cash", "All benefits", "Costs", "Cumulative hard PV, P10", "P50",
                               "P90", "Cumulative PV of all benefits less costs, P50"]]
    return rows + [[m.month, m.benefit_hard, m.benefit_whole, m.cost, m.hard_p10, m.hard_p50, m.hard_p90, m.whole_p50]
                   for m in v.outcome.months]


def _recapture(v: CaseVersion) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["Destination", "Mean present value", "Where", "Verified by", "Drivers"]]
    return rows + [[r.destination.replace("_", " "), r.amount, r.where, ", ".join(r.verified_by), ", ".join(r.drivers)]
                   for r in v.outcome.recapture]


def _knowing(v: CaseVersion) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["Input or driver", "Worth at most, hard", "Standard error", "Worth at most, all",
                               "Standard error", "Grade now", "Level", "What measuring costs"]]
    return rows + [[k.name, k.hard, k.hard_error, k.whole, k.whole_error, k.grade, k.level,
                    k.measure_cost if k.measure_cost else "nobody has said"] for k in v.outcome.knowing]
