"""Step 3 in the console: ask, an answer by sentence with its sources, its receipt, and the routes to models."""

from pilothouse.doors.console.contexts import AnswerPage, AskPage, ModelsPage, ReceiptPage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places, RefusedForm
from pilothouse.kernel.errors import Denied, Exhausted, Invalid, PilothouseError, Unavailable
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.gateway.contracts import AnswerRef, InteractionId, ModelRoute, Question
from pilothouse.steps.workflows.contracts import NewCorrection, NewRating

places = Places()


@places.get("/ask")
async def ask(desk: Desk) -> Answered:
    """Show the question form with the use cases this person may ask."""
    return await _ask(desk, RefusedForm(typed={"use_case": desk.query.get("use_case", "")}))


async def _ask(desk: Desk, refused: RefusedForm) -> Page:
    askable = await desk.platform.gateway.askable(desk.call, NoFields())
    return Page(template="ask.html", title="Ask", rail="ask", status=422 if refused.message else 200,
                context=AskPage(askable=askable, refused=refused))


@places.post("/ask")
async def ask_now(desk: Desk) -> Answered:
    """Ask, and show the answer on its own page; a refusal keeps the question."""
    try:
        answer = await desk.platform.gateway.answer(desk.call, Question(
            use_case=desk.form.get("use_case", ""), text=desk.form.get("text", "")))
    except (Invalid, Unavailable, Exhausted) as refused:
        return await _ask(desk, RefusedForm(message=refused.message, typed=desk.form))
    except Denied as denied:
        await desk.platform.directory.record_refusal(desk.call, "gateway.answer", denied)
        return await _ask(desk, RefusedForm(message=denied.message, typed=desk.form))
    return GoTo(address=f"/answers/{answer.interaction_id}")


@places.get("/answers/{interaction_id}")
async def answer(desk: Desk) -> Answered:
    """Show one answer by sentence with its citations, and why it reads as it does."""
    return await _answer(desk, RefusedForm())


async def _answer(desk: Desk, refused: RefusedForm) -> Page:
    ref = _ref(desk)
    found = await desk.platform.gateway.explain(desk.call, ref)
    return Page(template="answer.html", title="Answer", rail="ask", demo=found.answer.demo,
                status=422 if refused.message else 200, context=AnswerPage(
                    found=found, refused=refused, is_held=found.answer.status == "held",
                    corrections=await desk.platform.workflows.corrections(desk.call, ref)))


def _ref(desk: Desk) -> AnswerRef:
    return AnswerRef(interaction_id=InteractionId(desk.path["interaction_id"]))


@places.post("/answers/{interaction_id}/rating")
async def rate(desk: Desk) -> Answered:
    """Say whether the answer was useful."""
    ref = _ref(desk)
    await desk.platform.workflows.rate(desk.call, NewRating(
        interaction_id=ref.interaction_id, useful=desk.form.get("useful") == "yes",
        comment=desk.form.get("comment", "")))
    return GoTo(address=f"/answers/{ref.interaction_id}", says="Thank you: your rating is recorded.")


@places.post("/answers/{interaction_id}/correction")
async def correct(desk: Desk) -> Answered:
    """Propose a better text."""
    ref = _ref(desk)
    try:
        await desk.platform.workflows.correct(desk.call, NewCorrection(
            interaction_id=ref.interaction_id, text=desk.form.get("text", "")))
    except PilothouseError as refused:
        return await _answer(desk, RefusedForm(message=refused.message, typed=desk.form))
    return GoTo(address=f"/answers/{ref.interaction_id}", says="Your correction is recorded for the reviewers.")


@places.get("/answers/{interaction_id}/receipt")
async def receipt(desk: Desk) -> Answered:
    """Show everything an auditor asks about an answer."""
    found = await desk.platform.gateway.receipt(desk.call, _ref(desk))
    answered = await desk.platform.gateway.get_answer(desk.call, _ref(desk))
    return Page(template="receipt.html", title="Receipt", rail="ask", demo=answered.demo,
                context=ReceiptPage(receipt=found))


@places.get("/models")
async def models(desk: Desk) -> Answered:
    """Show the routes to models, and the form that adds one."""
    return await _models(desk, RefusedForm())


async def _models(desk: Desk, refused: RefusedForm) -> Page:
    return Page(template="models.html", title="Models", rail="gateway", status=422 if refused.message else 200,
                context=ModelsPage(routes=await desk.platform.gateway.list_models(desk.call, NoFields()),
                                   refused=refused))


@places.post("/models")
async def define_model(desk: Desk) -> Answered:
    """Define a route to a model."""
    form = desk.form
    try:
        await desk.platform.gateway.define_model(desk.call, ModelRoute(
            name=form.get("name", ""), base_url=form.get("base_url", ""), key_env=form.get("key_env", ""),
            upstream_model=form.get("upstream_model", ""), eur_per_million_in=_price(form.get("price_in", "")),
            eur_per_million_out=_price(form.get("price_out", ""))))
    except Invalid as refused:
        return await _models(desk, RefusedForm(message=refused.message, field=str(refused.facts.get("field", "")),
                                               typed=form))
    return GoTo(address="/models", says=f"The route `{form.get('name', '')}` is defined.")


def _price(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as wrong:
        raise Invalid("a price is a number, EUR per million tokens", field="price_in") from wrong
