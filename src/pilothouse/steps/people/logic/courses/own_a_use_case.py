"""The course `own-a-use-case`: a KPI, a frozen baseline, gates, and the courage to stop."""

from pilothouse.steps.people.contracts import OWNER_COURSE, Section
from pilothouse.steps.people.logic.lessons import Lesson, Question, right, wrong

_KPI = """\
A use case exists for one measurable change: minutes per complaint, share answered on first contact, cost per case.

- Count **one unit of work**, such as a complaint handled. Whatever is counted, everybody must count it the same way.
- Say **which direction** is better, and the **least change** that would be worth the money.
- Add one or two **guardrail metrics** that must not get worse: reopened cases, complaints about wrong answers.

Logins, prompts and praise are not effects. They show that people came, not that anything changed."""

_BASELINE = """\
A baseline is the measurement **before** people use the assistant, frozen so that nobody can improve it afterwards.
It names period, number of observations, mean, spread, instrument, and who measured.

- Measure long enough to catch ordinary weeks *and* busy ones.
- Use the same instrument before and after. A stopwatch before and a system log after measure two things.
- Without a baseline there is no effect, only opinion. It cannot be rebuilt later.

Evidence has a grade. E0 is assumed, E1 is what people say, E2 compares before and after, E3 adds a comparison group,
E4 assigns by chance. A change between two periods may have other reasons: season, staff, another tool."""

_GATES = """\
At a gate the whole **interval** of the effect is held against the bar, not the mean alone.

- The whole interval clears the bar: **go**.
- The interval contains the bar: **hold**. More observations may settle it.
- Evidence is missing: **recycle**. Measure first.
- A kill criterion is met: **kill**. Say it in the same room where it was promised.

Whoever proposed or owns a use case does not decide its gate. A gate also holds while it is not settled who answers for
deciding, operating, reviewing, the data and the risk."""

_OWNING = """\
The owner answers for the benefit, not for the model. In practice that means:

- keep the RACI current: exactly one Accountable for each activity;
- read what reviewers corrected and what people rated down, every week;
- look at who does *not* use it, and ask them why;
- stop early when the effect does not come. A use case that is stopped for good reasons frees people and money, and
  its record keeps the next team from trying the same."""

LESSON = Lesson(
    slug=OWNER_COURSE, title="Own a use case", version=1, minutes=18,
    why="Pilots rarely fail on the model. They fail because nobody measured, decided or answered for it.",
    sections=(Section(heading="A KPI that means something", markdown=_KPI),
              Section(heading="The baseline", markdown=_BASELINE), Section(heading="Gates", markdown=_GATES),
              Section(heading="Owning", markdown=_OWNING)),
    questions=(
        Question(
            text="Which of these are KPIs of effect? Choose all that are.", section="A KPI that means something",
            choices=(right("Minutes of handling time per complaint"), right("Share of cases solved on first contact"),
                     wrong("Number of prompts per week"), wrong("People who say that they like it")),
            because="Effects are changes in the work. Use and praise are useful signals, and no effect."),
        Question(
            text="When is a baseline measured?", section="The baseline",
            choices=(right("Before people use the assistant, then frozen"),
                     wrong("After the pilot, from memory"),
                     wrong("During the pilot, from those who do not use it yet"),
                     wrong("Only if the gate asks for one")),
            because="Memory is kind to the present, and people who do not use it are another group."),
        Question(
            text="The mean improved by 4 minutes, the bar is 3, and the interval runs from 1 to 7. What does the gate"
                 " recommend?", section="Gates",
            choices=(right("Hold: the interval contains the bar"), wrong("Go: the mean clears the bar"),
                     wrong("Kill: the interval is too wide"), wrong("Recycle: there is no evidence")),
            because="An effect of 1 to 7 minutes may be less than 3. More observations narrow the interval."),
        Question(
            text="Handling time came from a stopwatch before and from the system log after. What is the problem?",
            section="The baseline",
            choices=(right("The change may come from the instrument"), wrong("None: both measure time"),
                     wrong("System logs are never exact enough"), wrong("A stopwatch is not allowed")),
            because="Two instruments measure two things; the difference between them looks like an effect."),
        Question(
            text="Who may decide the gate of your use case?", section="Gates",
            choices=(right("Somebody with the right to decide who neither proposed nor owns it"),
                     wrong("You, since you answer for the benefit"),
                     wrong("The engineer who runs the model"),
                     wrong("Nobody: the system decides from the evidence")),
            because="Machines recommend, people decide, and not those who want a particular outcome."),
        Question(
            text="What does a complete RACI need? Choose all that apply.", section="Owning",
            choices=(right("Exactly one Accountable for each activity"),
                     right("At least one Responsible for each activity"),
                     wrong("Two Accountable, in case one is on leave"),
                     wrong("Everybody on the team as Informed")),
            because="Two people who answer for the same thing means that nobody does."),
        Question(
            text="After three months the whole interval lies under the kill line. What does a good owner do?",
            section="Owning",
            choices=(right("Support stopping it, and write down why it did not work"),
                     wrong("Ask for three more months without changing anything"),
                     wrong("Choose another KPI that looks better"),
                     wrong("Widen the pilot so that it becomes too big to stop")),
            because="Stopping for good reasons is a result. Changing the KPI afterwards is how pilots live for ever."),
    ))
