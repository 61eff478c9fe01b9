"""A business case on paper: the figures with their badges, the inputs with their sources."""

import io
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from pilothouse.kernel.quantity import Money
from pilothouse.steps.portfolio.contracts import UseCase
from pilothouse.steps.portfolio.contracts.cases import CaseVersion, Input, Quantiles, Side

Row = Sequence[str]
ACCENT, LINE = "#005a94", "#8b949c"


class PdfCase:
    """Writes papers by reportlab."""

    media_type = "application/pdf"

    def write(self, use_case: UseCase, version: CaseVersion) -> bytes:
        """Return the paper; the same version gives the same bytes."""
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.units import mm
        from reportlab.platypus import SimpleDocTemplate

        held = io.BytesIO()
        paper = SimpleDocTemplate(held, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=18 * mm,
                                  bottomMargin=18 * mm, title=f"Business case: {use_case.title}", invariant=1,
                                  author="Pilothouse", subject=f"SHA-256 {version.digest}")
        paper.build(_story(use_case, version))
        return held.getvalue()


def _story(u: UseCase, v: CaseVersion) -> list[Any]:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, Spacer

    style, o = getSampleStyleSheet(), v.outcome

    def text(words: str, name: str = "BodyText") -> Any:
        return Paragraph(escape(words), style[name])

    head = [text(f"Business case: {u.title}", "Title"),
            text(f"Scenario {v.scenario}, version {v.version}, frozen {v.frozen_at[:10]} by {v.frozen_by}; ledger entry"
                 f" {v.seq}; SHA-256 {v.digest}. Money of {v.case.price_year}, real discount rate"
                 f" {100 * v.case.discount_rate:.1f} % a year, {v.case.horizon_months} months. {o.method}.")]
    head += [text("Demonstration data of a fictional bank: no figure is real.", "Heading4")] if v.demo else []
    head += [text(f"Stale: {s}", "Heading4") for s in v.stale]
    return [*head, Spacer(1, 8),
            text("Return", "Heading2"), _table(_figures(v)), Spacer(1, 6),
            text("Only released cash is a hard return. The second column stands beside it and is never added to it."),
            text(o.next_measurement + "."),
            text("Where the benefits go", "Heading2"), _table(_recapture(v)),
            text("What they rest on", "Heading2"), _table(_inputs(v), widths=(120, 50, 50, 50, 62, 26, 136)),
            text("Low and high are P10 and P90 of a PERT whose mode is likely. E0 assumed, E1 self-reported, E2 before"
                 " and after, E3 quasi-experiment, E4 randomised.")]


def _table(rows: Sequence[Row], widths: Sequence[float] | None = None) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, Table, TableStyle

    small = getSampleStyleSheet()["BodyText"].clone("small", fontSize=8, leading=10)
    cells = [[Paragraph(escape(c), small) for c in row] for row in rows]
    return Table(cells, colWidths=widths, repeatRows=1, hAlign="LEFT", style=TableStyle([
        ("LINEBELOW", (0, 0), (-1, 0), 1, HexColor(ACCENT)), ("LINEBELOW", (0, 1), (-1, -1), 0.25, HexColor(LINE)),
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 2)]))


def _figures(v: CaseVersion) -> list[Row]:
    hard, whole, grade = v.outcome.hard, v.outcome.whole, v.outcome.grade
    rows: list[Row] = [("Figure", f"Hard return, {v.outcome.currency}", f"All benefits, {v.outcome.currency}", "Grade")]
    for name, said in (("NPV, P50 (P10 to P90)", _npv), ("P(NPV > 0)", lambda s: f"{s.above_zero:.0%}"),
                       ("ROI, P50 (P10 to P90)", lambda s: _three(s.roi, "{:.0%}")),
                       ("IRR a year, expected flows", lambda s: _rate(s.irr, s.irr_says)),
                       ("MIRR a year, expected flows", lambda s: _rate(s.mirr, "no data")),
                       ("Discounted payback, months", lambda s: _three(s.payback_months, "{:.0f}")),
                       ("EVPI", lambda s: _amount(s.evpi))):
        rows.append((name, said(hard), said(whole), grade))
    costs = f"{_amount(v.outcome.costs.p50)} ({_amount(v.outcome.costs.p10)} to {_amount(v.outcome.costs.p90)})"
    rows.append(("Costs, present value", costs, costs, ""))
    return rows


def _npv(s: Side) -> str:
    return f"{_amount(s.npv.p50)} ({_amount(s.npv.p10)} to {_amount(s.npv.p90)})"


def _amount(m: Money) -> str:
    return f"{m.amount:,.0f}"


def _rate(value: float | None, why: str) -> str:
    return why if value is None else f"{value:.1%}"


def _three(q: Quantiles, form: str) -> str:
    ten, half, ninety = (form.format(x) if x is not None else "never" for x in (q.p10, q.p50, q.p90))
    return f"{half} ({ten} to {ninety})"


def _recapture(v: CaseVersion) -> list[Row]:
    rows: list[Row] = [("Destination", "Mean present value", "Where", "Verified by")]
    return rows + [(r.destination.replace("_", " "), str(r.amount), r.where, ", ".join(r.verified_by))
                   for r in v.outcome.recapture]


def _inputs(v: CaseVersion) -> list[Row]:
    case = v.case
    found = [("Adoption ceiling", case.adoption.ceiling), ("Months to half adoption", case.adoption.half)]
    for d in case.drivers:
        parts = (("volume", d.volume), ("effect", d.effect), ("rate", d.rate), ("review", d.review),
                 ("rework", d.rework))
        found += [(f"{d.name}: {name}", given) for name, given in parts if given is not None]
    found += [(f"Cost: {c.name}", c.amount) for c in case.costs]
    return [("Input", "Low", "Likely", "High", "Unit", "Grade", "Source"), *(_input(n, g) for n, g in found)]


def _input(name: str, given: Input) -> Row:
    low, likely, high = (f"{x.normalize():f}" for x in (given.low, given.likely, given.high))
    return (name, low[:10], likely[:10], high[:10], given.unit, given.grade, given.source)
