"""The board's paper as PDF: one A4 page where it fits, to be read, signed and filed."""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pilothouse.doors.console.rendering import day, number, signed
from pilothouse.steps.portfolio.contracts import CriterionResult
from pilothouse.steps.portfolio.contracts.deciding import BoardPaper

Names = Mapping[str, str]
Rows = Sequence[Sequence[str]]
MARGIN_MM = 14
GRADES = ("Evidence grades: E0 assumed, E1 self-reported, E2 before and after, E3 quasi-experiment whose diagnostics "
          "passed, E4 randomised.")


def board_paper(paper: BoardPaper, names: Names, *, at: str) -> bytes:
    """Return the PDF of a paper; `names` are people's names by id, `at` is when it was printed (ISO)."""
    from reportlab.platypus import SimpleDocTemplate

    out = BytesIO()
    unit = _mm()
    document = SimpleDocTemplate(out, leftMargin=MARGIN_MM * unit, rightMargin=MARGIN_MM * unit, title=paper.question,
                                 topMargin=12 * unit, bottomMargin=12 * unit, author="Pilothouse", invariant=1)
    document.build([*_head(paper, names, at), *_evidence(paper), *_people(paper, names), *_signatures(paper, names)])
    return out.getvalue()


def _head(paper: BoardPaper, names: Names, at: str) -> list[Any]:
    u, a = paper.use_case, paper.assessment
    demo = "DEMONSTRATION DATA of a fictional bank. " if u.demo else ""
    facts = (f"{demo}Stage {a.stage}, {u.risk_tier} risk. Owner {names.get(u.owner, u.owner)}. Printed {day(at)}. "
             f"This gate asks for {paper.policy.quorum} vote(s) and evidence of grade {paper.policy.grade_min} or "
             "better.")
    told = [_said(paper.question, "title"), _said(facts, "quiet"), _said(u.problem)]
    if d := paper.decided:
        says = (f"Decided on {day(d.decided_at)} by {names.get(d.decided_by, d.decided_by)}: {d.verdict}. "
                f"{d.reason or 'The reason was erased with its author.'}"
                + (f" Stands until {day(d.expires_at)}." if d.expires_at else ""))
        told += [_said("Decision", "head"), _said(says)]
    return [*told, _said("Recommendation", "head"),
            _said(f"The evidence recommends: {a.recommended}. {'; '.join(a.why)}.")]


def _evidence(paper: BoardPaper) -> list[Any]:
    kpis = [["KPI", "Baseline", "Change, 95 % interval", "Bar", "n before / since", "Grade", "Status"],
            *(_result(r) for r in paper.assessment.results)]
    facts = [["Fact", "Status", "Says"],
             *([f.name + ("" if f.mandatory else " (not mandatory)"), f.status, f.says]
               for f in paper.assessment.facts)]
    return [_said("Evidence", "head"), _table(kpis, (44, 24, 44, 20, 20, 12, 14)), _said(GRADES, "quiet"),
            _said("Facts the gate reads", "head"), _table(facts, (48, 20, 110))]


def _result(r: CriterionResult) -> list[str]:
    k, b, e = r.kpi, r.baseline, r.estimate
    digits = 3 if k.shape == "proportion" else 2
    change = (f"{signed(e.value, digits)} ({signed(e.low, digits)} to {signed(e.high, digits)}) {k.unit}"
              if e else "no data")
    return [k.title, f"{number(b.mean, 2)} {k.unit}, v{b.version}" if b else "no data", change,
            f"{k.better} by {number(k.least_change, digits)}", f"{b.n if b else 'no data'} / {r.n_current}",
            r.grade if e else "no data", r.status]


def _people(paper: BoardPaper, names: Names) -> list[Any]:
    told: list[Any] = []
    exposed = [f"{r.number} {r.title}" for r in paper.reasons if r.status == "exposed"]
    unknown = [f"{r.number} {r.title}" for r in paper.reasons if r.status == "no data"]
    told += [_said("Ten reasons pilots fail", "head"),
             _said(f"Exposed: {', '.join(exposed) or 'none'}. No data: {', '.join(unknown) or 'none'}.")]
    if paper.votes:
        told += [_said("Votes", "head"), _table([["Who", "Verdict", "Day", "Reason"], *(
            [names.get(v.by, v.by), v.verdict, day(v.at), v.reason or "erased"] for v in paper.votes)],
            (40, 28, 30, 80))]
    if paper.conditions:
        told += [_said("Conditions", "head"), _table([["What", "Due", "Met"], *(
            [c.text or "erased", day(c.due), day(c.met_at) if c.met_at else "not yet"] for c in paper.conditions)],
            (118, 30, 30))]
    if paper.decided and paper.decided.dissent:
        told += [_said("Dissent", "head"), *(_said(d) for d in paper.decided.dissent)]
    return told


def _signatures(paper: BoardPaper, names: Names) -> list[Any]:
    digest = paper.assessment.digest
    where = f"ledger entry {paper.decided.seq}, " if paper.decided else ""
    lines = [["", ""], ["Name, day", "Signature"]] * max(1, paper.policy.quorum)
    return [_said(f"Evidence {where}SHA-256 {digest}; entries {_entries(paper)}.", "quiet"),
            _table(lines, (89, 89), head=False)]


def _entries(paper: BoardPaper) -> str:
    shown = ", ".join(str(n) for n in paper.assessment.evidence[-12:])
    more = len(paper.assessment.evidence) - 12
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def _said(text: str, style: str = "body") -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(escape(_drawable(text)), _styles()[style])


def _table(rows: Rows, widths_mm: Sequence[float], *, head: bool = True) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table, TableStyle

    cells = [[_said(c, "cell-head" if head and not n else "cell") for c in row] for n, row in enumerate(rows)]
    made = Table(cells, colWidths=[w * _mm() for w in widths_mm], repeatRows=1 if head else 0, hAlign="LEFT")
    everywhere = ((0, 0), (-1, -1))
    made.setStyle(TableStyle([
        ("LINEBELOW", *everywhere, 0.4, HexColor("#c3c8ce")), ("VALIGN", *everywhere, "TOP"),
        ("TOPPADDING", *everywhere, 1.5), ("BOTTOMPADDING", *everywhere, 1.5), ("LEFTPADDING", *everywhere, 0)]))
    return made


def _mm() -> float:
    from reportlab.lib.units import mm

    return float(mm)


@cache
def _styles() -> Mapping[str, Any]:
    """Return the paper's few styles; the typeface travels with the library, so that a PDF is the same everywhere."""
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle as Style

    _typeface()
    body = Style("body", fontName="Vera", fontSize=8.2, leading=11.2)
    return {"body": body, "cell": Style("cell", body, fontSize=7.2, leading=9),
            "cell-head": Style("cell-head", body, fontName="Vera-Bold", fontSize=7.2, leading=9),
            "quiet": Style("quiet", body, fontSize=7.2, leading=9.6, textColor=HexColor("#4a5159"), spaceAfter=4),
            "head": Style("head", body, fontName="Vera-Bold", fontSize=9, leading=12, spaceBefore=6, spaceAfter=2),
            "title": Style("title", body, fontName="Vera-Bold", fontSize=13, leading=16, spaceAfter=2)}


@cache
def _typeface() -> frozenset[int]:
    """Register the typeface; returns the characters it can draw."""
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    fonts = Path(reportlab.__file__).parent / "fonts"
    regular = TTFont("Vera", str(fonts / "Vera.ttf"))
    pdfmetrics.registerFont(regular)
    pdfmetrics.registerFont(TTFont("Vera-Bold", str(fonts / "VeraBd.ttf")))
    return frozenset(regular.face.charToGlyph)


def _drawable(text: str) -> str:
    """Replace what the typeface cannot draw by its base letter, or by a question mark: never by an empty box."""
    return "".join(c if ord(c) in _typeface() else _base(c) for c in text)


def _base(char: str) -> str:
    if char.isspace() or unicodedata.category(char) == "Zs":
        return " "
    plain = "".join(c for c in unicodedata.normalize("NFKD", char) if ord(c) in _typeface())
    return plain or "?"
