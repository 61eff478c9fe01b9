"""Tables of workflows: ratings and proposed corrections."""

from collections.abc import Mapping, Sequence

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.gateway.contracts import InteractionId
from pilothouse.steps.workflows.contracts import Correction, NewRating, Rating

_SAVE = ("insert into rating (interaction_id, person, use_case_id, useful, tag, comment, rated_at, seq, demo)"
         " values (?,?,?,?,?,?,?,?,?) on conflict (interaction_id, person) do update set useful = excluded.useful,"
         " tag = excluded.tag, comment = excluded.comment, rated_at = excluded.rated_at, seq = excluded.seq")


def rating(reader: Reader, interaction_id: str, person: str) -> Rating | None:
    found = reader.rows("select * from rating where interaction_id = ? and person = ?", interaction_id, person)
    return _rating(reader, found[0]) if found else None


def ratings_by(reader: Reader, person: str, limit: int) -> Sequence[Rating]:
    """Return somebody's ratings, the latest first."""
    rows = reader.rows("select * from rating where person = ? order by seq desc limit ?", person, limit)
    return [_rating(reader, r) for r in rows]


def save_rating(tx: Transaction, new: NewRating, *, person: str, use_case_id: str, comment_id: str, at: str, seq: int,
                demo: bool) -> None:
    """Write a person's one rating of an answer, over the one before."""
    tx.run(_SAVE, new.interaction_id, person, use_case_id, int(new.useful), new.tag, comment_id, at, seq, int(demo))


def _rating(reader: Reader, r: Row) -> Rating:
    comment = reader.text(str(r["comment"])) if r["comment"] else None
    return Rating(interaction_id=InteractionId(str(r["interaction_id"])), useful=bool(r["useful"]), comment=comment,
                  tag=r["tag"], rated_at=str(r["rated_at"]))  # type: ignore[arg-type]


def counts(reader: Reader, use_case_id: str) -> tuple[int, int, int, bool]:
    """Return (rated, useful, corrections, whether any is demo data) of a use case."""
    r = reader.rows("select count(*) as rated, coalesce(sum(useful), 0) as useful, coalesce(max(demo), 0) as demo"
                    " from rating where use_case_id = ?", use_case_id)[0]
    c = reader.rows("select count(*) as n, coalesce(max(demo), 0) as demo from correction where use_case_id = ?",
                    use_case_id)[0]
    return int(r["rated"] or 0), int(r["useful"] or 0), int(c["n"] or 0), bool(r["demo"] or c["demo"])


def tags(reader: Reader, use_case_id: str) -> Mapping[str, int]:
    """Return how many ratings carry each tag, the most frequent first."""
    rows = reader.rows("select tag, count(*) as n from rating where use_case_id = ? and tag <> '' group by tag"
                       " order by n desc, tag", use_case_id)
    return {str(r["tag"]): int(r["n"] or 0) for r in rows}


def answers_rated(reader: Reader, use_case_id: str) -> int:
    """Return how many answers have at least one rating."""
    rows = reader.rows("select count(distinct interaction_id) as n from rating where use_case_id = ?", use_case_id)
    return int(rows[0]["n"] or 0)


def corrections_taken(reader: Reader, use_case_id: str) -> int:
    rows = reader.rows("select count(*) as n from correction where use_case_id = ? and status = 'taken'", use_case_id)
    return int(rows[0]["n"] or 0)


def useful_since(reader: Reader, use_case_id: str, since: str) -> tuple[int, int]:
    """Return (ratings, useful ones) made at or after an ISO instant."""
    r = reader.rows("select count(*) as rated, coalesce(sum(useful), 0) as useful from rating where use_case_id = ?"
                    " and rated_at >= ?", use_case_id, since)[0]
    return int(r["rated"] or 0), int(r["useful"] or 0)


def entries(reader: Reader, use_case_id: str, limit: int) -> tuple[int, ...]:
    """Return the ledger entries of the latest ratings."""
    rows = reader.rows("select seq from rating where use_case_id = ? order by seq desc limit ?", use_case_id, limit)
    return tuple(sorted(int(r["seq"] or 0) for r in rows))


def add_correction(tx: Transaction, *, interaction_id: str, person: str, use_case_id: str, text_id: str, at: str,
                   seq: int, demo: bool) -> None:
    tx.run("insert into correction (interaction_id, person, use_case_id, text_id, proposed_at, seq, demo)"
           " values (?,?,?,?,?,?,?)", interaction_id, person, use_case_id, text_id, at, seq, int(demo))


def settle(tx: Transaction, seq: int, *, taken: bool, by: str) -> bool:
    """Write how a correction was settled; returns False if it was settled already."""
    return bool(tx.run("update correction set status = ?, settled_by = ? where seq = ? and status = 'proposed'",
                       "taken" if taken else "declined", by, seq))


def correction(reader: Reader, seq: int) -> tuple[str, Correction] | None:
    """Return (use case, correction) by its ledger entry."""
    found = reader.rows("select * from correction where seq = ?", seq)
    return (str(found[0]["use_case_id"]), _correction(reader, found[0])) if found else None


def corrections(reader: Reader, interaction_id: str) -> Sequence[Correction]:
    rows = reader.rows("select * from correction where interaction_id = ? order by seq", interaction_id)
    return [_correction(reader, r) for r in rows]


def corrections_by(reader: Reader, person: str, limit: int) -> Sequence[Correction]:
    """Return somebody's proposed corrections, the latest first."""
    rows = reader.rows("select * from correction where person = ? order by seq desc limit ?", person, limit)
    return [_correction(reader, r) for r in rows]


def corrections_of(reader: Reader, use_case_id: str, limit: int) -> Sequence[Correction]:
    """Return a use case's corrections, those nobody settled first, then the latest."""
    rows = reader.rows("select * from correction where use_case_id = ? order by status <> 'proposed', seq desc limit ?",
                       use_case_id, limit)
    return [_correction(reader, r) for r in rows]


def _correction(reader: Reader, r: Row) -> Correction:
    return Correction(interaction_id=InteractionId(str(r["interaction_id"])), proposed_by=str(r["person"]),
                      text=reader.text(str(r["text_id"])), proposed_at=str(r["proposed_at"]), seq=int(r["seq"] or 0),
                      status=r["status"], settled_by=str(r["settled_by"]))  # type: ignore[arg-type]
