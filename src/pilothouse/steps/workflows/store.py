"""Tables of workflows: ratings and proposed corrections."""

from collections.abc import Sequence

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.gateway.contracts import InteractionId
from pilothouse.steps.workflows.contracts import Correction, NewRating, Rating


def rating(reader: Reader, interaction_id: str, person: str) -> Rating | None:
    found = reader.rows("select * from rating where interaction_id = ? and person = ?", interaction_id, person)
    return _rating(reader, found[0]) if found else None


def save_rating(tx: Transaction, new: NewRating, *, person: str, use_case_id: str, comment_id: str, at: str, seq: int,
                demo: bool) -> None:
    tx.run("delete from rating where interaction_id = ? and person = ?", new.interaction_id, person)
    tx.run("insert into rating values (?,?,?,?,?,?,?,?)", new.interaction_id, person, use_case_id, int(new.useful),
           comment_id, at, seq, int(demo))


def _rating(reader: Reader, r: Row) -> Rating:
    comment = reader.text(str(r["comment"])) if r["comment"] else None
    return Rating(interaction_id=InteractionId(str(r["interaction_id"])), useful=bool(r["useful"]), comment=comment,
                  rated_at=str(r["rated_at"]))


def counts(reader: Reader, use_case_id: str) -> tuple[int, int, int, bool]:
    """Return (rated, useful, corrections, whether any is demo data) of a use case."""
    r = reader.rows("select count(*) as rated, coalesce(sum(useful), 0) as useful, coalesce(max(demo), 0) as demo"
                    " from rating where use_case_id = ?", use_case_id)[0]
    c = reader.rows("select count(*) as n from correction where use_case_id = ?", use_case_id)[0]
    return int(r["rated"] or 0), int(r["useful"] or 0), int(c["n"] or 0), bool(r["demo"])


def entries(reader: Reader, use_case_id: str, limit: int) -> tuple[int, ...]:
    """Return the ledger entries of the latest ratings."""
    rows = reader.rows("select seq from rating where use_case_id = ? order by seq desc limit ?", use_case_id, limit)
    return tuple(sorted(int(r["seq"] or 0) for r in rows))


def add_correction(tx: Transaction, *, interaction_id: str, person: str, use_case_id: str, text_id: str, at: str,
                   seq: int) -> None:
    tx.run("insert into correction values (?,?,?,?,?,?)", interaction_id, person, use_case_id, text_id, at, seq)


def corrections(reader: Reader, interaction_id: str) -> Sequence[Correction]:
    rows = reader.rows("select * from correction where interaction_id = ? order by seq", interaction_id)
    return [Correction(interaction_id=InteractionId(str(r["interaction_id"])), proposed_by=str(r["person"]),
                       text=reader.text(str(r["text_id"])), proposed_at=str(r["proposed_at"]), seq=int(r["seq"] or 0))
            for r in rows]
