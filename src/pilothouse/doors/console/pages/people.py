"""Step 4 in the console: courses with their quiz, and one's own credentials."""

from pilothouse.doors.console.contexts import CoursePage, PeoplePage
from pilothouse.doors.console.desk import Answered, Desk, Page, Places
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.people.contracts import CourseRef, QuizAnswer, QuizResult, QuizSubmission

places = Places()


@places.get("/people")
async def people(desk: Desk) -> Answered:
    """Show the courses, one's own credentials, and the squads."""
    step = desk.platform.people
    return Page(template="people.html", title="People", rail="people", context=PeoplePage(
        courses=await step.list_courses(desk.call, NoFields()),
        credentials=await step.my_credentials(desk.call, NoFields()),
        squads=await step.list_squads(desk.call, NoFields())))


@places.get("/people/courses/{course}")
async def course(desk: Desk) -> Answered:
    """Show a course and its quiz."""
    return await _course(desk, None)


async def _course(desk: Desk, result: QuizResult | None) -> Page:
    found = await desk.platform.people.course(desk.call, CourseRef(course=desk.path["course"]))
    return Page(template="course.html", title=found.summary.title, rail="people",
                context=CoursePage(course=found, result=result))


@places.post("/people/courses/{course}")
async def submit(desk: Desk) -> Answered:
    """Mark a quiz and say what to read again."""
    answers = tuple(QuizAnswer(question=name.removeprefix("q-"), choices=chosen)
                    for name, chosen in desk.lists.items() if name.startswith("q-"))
    result = await desk.platform.people.submit_quiz(desk.call, QuizSubmission(
        course=desk.path["course"], attempt=int(desk.form.get("attempt", "0") or 0), answers=answers))
    return await _course(desk, result)
