"""The façade of people: courses and credentials, squads, who answers for what, and who may do what unaided."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pilothouse.directory.api import Directory
from pilothouse.directory.errors import KeyRefused, NoSuchPerson
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import ORGANISATION, Mint, PrincipalId, SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.people import store
from pilothouse.steps.people.contracts import (
    Course,
    CourseRef,
    CourseRequired,
    CourseRequirement,
    CourseSummary,
    Credential,
    CredentialEarned,
    ExpiryQuery,
    NewSquad,
    OutsideCredential,
    PersonCredentials,
    QuizResult,
    QuizSubmission,
    QuizTaken,
    Raci,
    RaciAssigned,
    RaciRequest,
    RaciRow,
    Squad,
    SquadFormed,
    UseCaseOf,
)
from pilothouse.steps.people.errors import NoSuchCourse, QuizMoved, TriesSpent
from pilothouse.steps.people.logic import quizzing, staffing, wording
from pilothouse.steps.people.logic.courses import LESSONS
from pilothouse.steps.people.logic.lessons import Lesson
from pilothouse.steps.people.logic.licensing import Licences
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseId

EXPIRY_DAYS_MAX = 366


class People:
    """Who knows how to do what, and who answers for it."""

    def __init__(self, *, database: Database, mint: Mint, directory: Directory, portfolio: Portfolio) -> None:
        self._database, self._mint = database, mint
        self._directory, self._portfolio = directory, portfolio
        self.licences = Licences()

    @operation("GET /api/v1/courses", effect="read")
    async def list_courses(self, call: Call, request: NoFields) -> tuple[CourseSummary, ...]:
        """List the courses, with the caller's credentials and remaining tries."""
        call.authorize("people:learn", on=call.principal.id)
        return await self._database.read(lambda r: tuple(_summary(r, call, lesson) for lesson in LESSONS.values()))

    @operation("GET /api/v1/courses/{course}", effect="read")
    async def course(self, call: Call, request: CourseRef) -> Course:
        """Return a course with its material and the quiz as shuffled for the caller's next attempt."""
        call.authorize("people:learn", on=call.principal.id)
        lesson = _lesson(request.course)

        def look(reader: Reader) -> Course:
            attempt = store.attempts(reader, call.principal.id, lesson.slug) + 1
            seed = quizzing.seed_of(lesson, call.principal.id, attempt)
            return Course(summary=_summary(reader, call, lesson), sections=lesson.sections, attempt=attempt,
                          quiz=quizzing.present(lesson, seed))

        return await self._database.read(look)

    @operation("POST /api/v1/courses/{course}/attempts", effect="decide")
    async def submit_quiz(self, call: Call, request: QuizSubmission) -> QuizResult:
        """Mark a quiz, record the attempt, and give the credential when it is passed; a person must take it.

        Raises:
            QuizMoved: the answers belong to an attempt that is over.
            TriesSpent: no try is left within 24 hours.
        """
        call.authorize("people:learn", on=call.principal.id)
        lesson = _lesson(request.course)
        result = await self._database.write(call, lambda tx: self._mark(tx, call, lesson, request))
        if result.passed:
            await self.refresh()
        return result

    def _mark(self, tx: Transaction, call: Call, lesson: Lesson, request: QuizSubmission) -> QuizResult:
        who, attempt = call.principal.id, request.attempt
        _may_try(tx, call, lesson, attempt)
        marks = quizzing.mark(lesson, quizzing.seed_of(lesson, who, attempt), request.answers)
        right, passed = sum(m.is_right for m in marks), quizzing.passed(lesson, marks)
        seq = tx.record(f"person/{who}", QuizTaken(course=lesson.slug, version=lesson.version, attempt=attempt,
                                                   right=right, questions=len(marks), passed=passed))
        store.insert_attempt(tx, person=who, course=lesson.slug, attempt=attempt, version=lesson.version, right=right,
                             questions=len(marks), passed=passed, at=stamp(call.at), seq=seq)
        earned = self._earn(tx, call, lesson) if passed else None
        return wording.result_of(lesson, attempt, marks, earned, tries_left=_tries_left(tx, call, lesson))

    def _earn(self, tx: Transaction, call: Call, lesson: Lesson) -> Credential:
        return self._give(tx, call, person=call.principal.id, course=lesson.slug, issuer="Pilothouse", reason=None,
                          valid_days=lesson.valid_days)

    def _give(self, tx: Transaction, call: Call, *, person: str, course: str, issuer: str, reason: str | None,
              valid_days: int) -> Credential:
        c = Credential(id=self._mint("crd"), person=PrincipalId(person), course=course, issuer=issuer, seq=-1,
                       source="outside" if reason else "quiz", earned_at=stamp(call.at), demo=call.demo,
                       expires_at=stamp(call.at + timedelta(days=valid_days)), status="valid")
        if held := store.twin(tx, person, course, source=c.source, expires_at=c.expires_at):
            return wording.credential_of(held, call.at)
        sealed = tx.seal(SubjectId(person), reason) if reason else None
        seq = tx.record(f"person/{person}", CredentialEarned(person=person, course=course, source=c.source,
                                                             expires_at=c.expires_at, reason=sealed))
        given = replace(c, seq=seq)
        store.insert_credential(tx, given, reason_id=sealed.id if sealed else "")
        return given

    @operation("GET /api/v1/my/credentials", effect="read")
    async def my_credentials(self, call: Call, request: NoFields) -> tuple[Credential, ...]:
        """Return the caller's credentials, the longest valid first."""
        call.authorize("people:learn", on=call.principal.id)
        return await self._credentials(call.principal.id, call.at)

    @operation("GET /api/v1/people/{person}/credentials", effect="read")
    async def credentials_of(self, call: Call, request: PersonCredentials) -> tuple[Credential, ...]:
        """Return somebody's credentials, the longest valid first."""
        call.authorize("people:read", on=request.person)
        return await self._credentials(request.person, call.at)

    async def _credentials(self, person: str, now: datetime) -> tuple[Credential, ...]:
        return await self._database.read(
            lambda r: tuple(wording.credential_of(row, now) for row in store.credentials(r, person)))

    @operation("GET /api/v1/credentials/expiring", effect="read")
    async def expiring_credentials(self, call: Call, request: ExpiryQuery) -> tuple[Credential, ...]:
        """List credentials that end within so many days and that nobody renewed yet, soonest first."""
        call.authorize("people:assign", on="*")
        if not 1 <= request.within_days <= EXPIRY_DAYS_MAX:
            raise Invalid(f"look ahead 1 to {EXPIRY_DAYS_MAX} days", field="within_days")
        until = stamp(call.at + timedelta(days=request.within_days))
        return await self._database.read(lambda r: tuple(
            wording.credential_of(row, call.at) for row in store.ending(r, after=stamp(call.at), before=until)))

    @operation("POST /api/v1/people/{person}/credentials", effect="write")
    async def certify(self, call: Call, request: OutsideCredential) -> Credential:
        """Enter a credential earned elsewhere; what was seen as proof lies sealed."""
        call.authorize("people:certify", on=request.person)
        staffing.check_outside(request)
        lesson = _lesson(request.course)
        await self._known("person", (request.person,))
        given = await self._database.write(call, lambda tx: self._give(
            tx, call, person=request.person, course=lesson.slug, issuer=request.issuer.strip(),
            reason=request.reason.strip(), valid_days=request.valid_days))
        await self.refresh()
        return given

    async def require(self, call: Call, course: str) -> None:
        """Return if the caller holds a valid credential; raise NotCertified, with the way to it, if not."""
        await self._database.read(lambda r: self.require_in(r, call, course), quick=True)

    def require_in(self, reader: Reader, call: Call, course: str) -> None:
        """Ask the same inside an open snapshot or transaction."""
        until = store.latest_expiry(reader, call.principal.id, course)
        if until <= stamp(call.at):
            raise wording.not_certified(_lesson(course), expired=bool(until))

    @operation("POST /api/v1/squads", effect="write")
    async def form_squad(self, call: Call, request: NewSquad) -> Squad:
        """Form a squad, or form it anew under the same name; what its coverage rule still lacks is in the answer."""
        call.authorize("people:assign", on=request.use_case_id or "*")
        staffing.check_squad(request)
        await self._known("members", [m.person for m in request.members])
        return await self._database.write(call, lambda tx: self._form(tx, call, request))

    def _form(self, tx: Transaction, call: Call, request: NewSquad) -> Squad:
        name, held = request.name.strip(), store.squad_named(tx, request.name.strip())
        use_case_id = self._use_case(tx, request.use_case_id) if request.use_case_id else ""
        squad = Squad(id=held.id if held else self._mint("sqd"), name=name, use_case_id=use_case_id,
                      members=request.members, needs=request.needs, formed_at=stamp(call.at), demo=call.demo,
                      gaps=staffing.gaps(request.members, request.needs))
        if held and (held.use_case_id, held.members, held.needs) == (use_case_id, squad.members, squad.needs):
            return replace(held, gaps=squad.gaps)
        seq = tx.record(f"squad/{squad.id}", SquadFormed(
            squad_id=squad.id, name=tx.seal(ORGANISATION, name), use_case_id=use_case_id, members=squad.members,
            needs=squad.needs))
        store.save_squad(tx, squad, seq=seq)
        return squad

    @operation("GET /api/v1/squads", effect="read")
    async def list_squads(self, call: Call, request: NoFields) -> tuple[Squad, ...]:
        """List squads by name, each with what its coverage rule still lacks."""
        call.authorize("people:read", on="*")
        found = await self._database.read(store.squads)
        return tuple(replace(s, gaps=staffing.gaps(s.members, s.needs)) for s in found)

    @operation("POST /api/v1/use-cases/{use_case_id}/raci", effect="write")
    async def assign_raci(self, call: Call, request: RaciRequest) -> Raci:
        """Settle who answers for one activity: exactly one Accountable, at least one Responsible."""
        call.authorize("people:assign", on=request.use_case_id)
        staffing.check_raci(request)
        for field_name in ("accountable", "responsible", "consulted", "informed"):
            await self._known(field_name, getattr(request, field_name))
        return await self._database.write(call, lambda tx: self._assign(tx, call, request))

    def _assign(self, tx: Transaction, call: Call, request: RaciRequest) -> Raci:
        use_case_id = self._use_case(tx, request.use_case_id)
        wanted = RaciRow(activity=request.activity, accountable=request.accountable[0],
                         responsible=request.responsible, consulted=request.consulted, informed=request.informed,
                         assigned_by=call.principal.id, assigned_at=stamp(call.at), seq=-1)
        if not any(wording.same_people(wanted, row) for row in store.raci(tx, use_case_id)):
            seq = tx.record(f"use_case/{use_case_id}", RaciAssigned(
                use_case_id=use_case_id, activity=wanted.activity, accountable=wanted.accountable,
                responsible=wanted.responsible, consulted=wanted.consulted, informed=wanted.informed))
            store.save_raci(tx, use_case_id, replace(wanted, seq=seq))
        return _raci(tx, use_case_id)

    @operation("GET /api/v1/use-cases/{use_case}/raci", effect="read")
    async def raci(self, call: Call, request: UseCaseOf) -> Raci:
        """Return who answers for what in a use case, and what nobody answers for yet."""
        call.authorize("people:read", on=request.use_case)
        return await self._database.read(lambda r: _raci(r, self._use_case(r, request.use_case)))

    @operation("POST /api/v1/use-cases/{use_case_id}/required-course", effect="write")
    async def require_course(self, call: Call, request: CourseRequirement) -> Raci:
        """Ask every asker of a use case for a course first, or (with an empty course) for none."""
        call.authorize("people:assign", on=request.use_case_id)
        if request.course:
            _lesson(request.course)

        def work(tx: Transaction) -> Raci:
            use_case_id = self._use_case(tx, request.use_case_id)
            if store.required_course(tx, use_case_id) != request.course:
                seq = tx.record(f"use_case/{use_case_id}", CourseRequired(use_case_id=use_case_id,
                                                                          course=request.course))
                store.require_course(tx, use_case_id, request.course, seq=seq)
            return _raci(tx, use_case_id)

        changed = await self._database.write(call, work)
        await self.refresh()
        return changed

    async def refresh(self) -> None:
        """Read again what the hot path holds in memory: at start, and when credentials or requirements change."""
        def look(reader: Reader) -> Licences:
            required = store.required_courses(reader)
            return Licences(required=required, expiries=store.expiries(reader, sorted(set(required.values()))))

        self.licences = await self._database.read(look)

    def raci_in(self, reader: Reader, use_case_id: UseCaseId) -> Raci:
        """Return the RACI inside an open snapshot, for the facts that gates read."""
        return _raci(reader, use_case_id)

    def proof_in(self, reader: Reader, person: str, course: str) -> tuple[str, int] | None:
        """Return (expires_at, ledger entry) of somebody's longest credential, for the facts that gates read."""
        return store.latest_proof(reader, person, course)

    def _use_case(self, reader: Reader, ref: str) -> UseCaseId:
        return self._portfolio.standing_in(reader, ref).use_case_id

    async def _known(self, field_name: str, people: Sequence[str]) -> None:
        """Raise Invalid naming the field unless all of these are people in the directory who may act."""
        for person in people:
            try:
                found = await self._directory.principal(person)
            except (NoSuchPerson, KeyRefused) as problem:
                raise Invalid(f"{person[:64]} is not an active person in the directory; add them first, or choose"
                              " somebody else", field=field_name) from problem
            if found.kind != "human":
                raise Invalid(f"{person[:64]} is a {found.kind}; name a person", field=field_name)


def _lesson(slug: str) -> Lesson:
    if found := LESSONS.get(slug):
        return found
    raise NoSuchCourse(f"there is no course `{slug[:60]}`; there are {', '.join(LESSONS)}", course=slug[:60])


def _tries_left(reader: Reader, call: Call, lesson: Lesson) -> int:
    since = stamp(call.at - quizzing.WINDOW)
    return max(0, lesson.tries_per_day - len(store.attempts_since(reader, call.principal.id, lesson.slug, since=since)))


def _may_try(reader: Reader, call: Call, lesson: Lesson, attempt: int) -> None:
    since = stamp(call.at - quizzing.WINDOW)
    taken = store.attempts_since(reader, call.principal.id, lesson.slug, since=since)
    if wait := quizzing.wait(lesson, [instant(at) for at in taken], call.at):
        raise TriesSpent(f"all {lesson.tries_per_day} tries of the last 24 hours are used; read the material again and"
                         f" come back in {wording.in_words(wait)}", wait_s=int(wait.total_seconds()))
    if attempt != store.attempts(reader, call.principal.id, lesson.slug) + 1:
        raise QuizMoved("this attempt is over or never began; open the course again and answer the quiz shown there",
                        field="attempt")


def _summary(reader: Reader, call: Call, lesson: Lesson) -> CourseSummary:
    return CourseSummary(
        slug=lesson.slug, title=lesson.title, why=lesson.why, version=lesson.version, minutes=lesson.minutes,
        questions=len(lesson.questions), pass_mark=lesson.pass_mark, valid_days=lesson.valid_days,
        tries_per_day=lesson.tries_per_day, tries_left=_tries_left(reader, call, lesson),
        credential_until=store.latest_expiry(reader, call.principal.id, lesson.slug))


def _raci(reader: Reader, use_case_id: UseCaseId) -> Raci:
    rows = tuple(store.raci(reader, use_case_id))
    missing = staffing.missing(rows)
    return Raci(use_case_id=use_case_id, rows=rows, missing=missing, is_complete=not missing,
                required_course=store.required_course(reader, use_case_id))
