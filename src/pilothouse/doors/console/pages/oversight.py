"""Step 5 in the console: the queue of held answers, and one review beside its evidence."""

from pilothouse.doors.console.contexts import QueuePage, ReviewPage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places, RefusedForm
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.steps.oversight.contracts import ReviewDecision, ReviewId, ReviewQuery, ReviewRef

places = Places()


@places.get("/reviews")
async def queue(desk: Desk) -> Answered:
    """Show what waits, oldest and highest tier first; nothing is decided from a list."""
    status = desk.query.get("status", "waiting")
    found = await desk.platform.oversight.list_reviews(desk.call, convert({"status": status}, ReviewQuery))
    return Page(template="reviews.html", title="Reviews", rail="oversight", demo=bool(found),
                context=QueuePage(reviews=found, status=status, names=await desk.names()))


@places.get("/reviews/{review_id}")
async def review(desk: Desk) -> Answered:
    """Show a draft by sentence beside its passages."""
    return await _review(desk, RefusedForm())


async def _review(desk: Desk, refused: RefusedForm) -> Page:
    found = await desk.platform.oversight.review(desk.call, ReviewRef(review_id=ReviewId(desk.path["review_id"])))
    return Page(template="review.html", title="Review", rail="oversight", demo=True,
                status=422 if refused.message else 200,
                context=ReviewPage(review=found, names=await desk.names(), refused=refused))


@places.post("/reviews/{review_id}")
async def decide(desk: Desk) -> Answered:
    """Record the decision on exactly what was seen; a refusal keeps what was typed."""
    raw = {"review_id": desk.path["review_id"], "decision": desk.form.get("decision", ""),
           "digest": desk.form.get("digest", ""), "reason": desk.form.get("reason", ""),
           "text": desk.form.get("text", "") if desk.form.get("decision") == "edit" else ""}
    try:
        await desk.platform.oversight.decide_review(desk.call, convert(raw, ReviewDecision))
    except (Invalid, Conflict) as refused:
        return await _review(desk, RefusedForm(message=refused.message, typed=desk.form))
    return GoTo(address="/reviews", says=f"Recorded: {raw['decision']}. The asker sees the outcome now.")
