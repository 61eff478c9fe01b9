"""The course `ask-well`: how to ask, what to check, and what an assistant cannot know."""

from pilothouse.steps.people.contracts import ASK_COURSE, Section
from pilothouse.steps.people.logic.lessons import Lesson, Question, right, wrong

_ASKING = """\
An assistant answers the question it was given, not the one you had in mind. A good question has four parts.

- **The task**, with a verb: compare, list, draft, find the clause.
- **The situation**: country, product, date, people. "How long is the notice period?" has many right answers.
- **The shape**: three bullet points, a reply of 100 words, a table.
- **The limit**: only from the policy, only for contracts signed after 1 January.

If the first answer misses, say what was missing instead of repeating the question. Two short turns beat one long."""

_LIMITS = """\
- It writes what is **likely**, and a likely sentence can be false while it sounds sure. Tone is not evidence.
- It knows what its **sources** say, and only those you may read. Documents that are missing or outdated stay
  missing or outdated in the answer.
- It counts and calculates badly unless a tool does it. **Check every figure** you pass on.
- "The sources do not answer this" is a good answer. It saves you from a made-up one."""

_CHECKING = """\
Every claim in an answer carries a number that leads to the passage it came from. Before you use an answer:

1. Open the passage behind each figure, date and name you will repeat.
2. Look at the document's version and date: a policy from two years ago may be replaced.
3. Ask what would be expensive if it were wrong, and check that first.

What you send under your name is yours. The assistant is not a colleague who can be blamed."""

_CARE = """\
- Personal data is masked before a model sees it, but masking finds patterns, not secrets. **Leave out** what the task
  does not need: a complaint can be summarised without the customer's name.
- Never paste passwords, keys or whole customer files.
- Some answers are held until a trained colleague has looked. That is not a fault: such answers can hurt somebody
  if they are wrong.
- When an answer is wrong, say so with the rating or send a correction. It is how the next one gets better."""

LESSON = Lesson(
    slug=ASK_COURSE, title="Ask well, and know the limits", version=1, minutes=12,
    why="Most poor answers start as vague questions, and most damage starts with an answer nobody checked.",
    sections=(Section(heading="Asking", markdown=_ASKING), Section(heading="What it cannot do", markdown=_LIMITS),
              Section(heading="Checking", markdown=_CHECKING), Section(heading="Care with data", markdown=_CARE)),
    questions=(
        Question(
            text="Which question will most likely get a usable answer?", section="Asking",
            choices=(right("List the documents a German sole trader needs for a business account, as bullet points"),
                     wrong("Tell me everything about business accounts"),
                     wrong("Business account???"),
                     wrong("You are the best banker in the world. Help me with accounts")),
            because="It names the task, the situation and the shape. Flattery and breadth add nothing."),
        Question(
            text="An answer states a fee of 12 EUR in a confident tone. What do you do before you tell a customer?",
            section="Checking",
            choices=(right("Open the cited passage and check the fee and the date of the document"),
                     wrong("Pass it on, since the tone shows that the assistant is sure"),
                     wrong("Ask the assistant whether it is sure"),
                     wrong("Ask again and pass it on if the answer is the same twice")),
            because="Only the source is evidence. The same mistake can be repeated, and a model that is asked whether"
                    " it is sure will often say yes."),
        Question(
            text="The assistant says that the sources do not answer. What does that mean?",
            section="What it cannot do",
            choices=(right("No document you may read holds the answer, or it was not found: ask somebody, or ask more"
                           " precisely"),
                     wrong("The assistant is broken"),
                     wrong("You should rephrase until it gives some answer"),
                     wrong("The answer is no")),
            because="Pressing until something comes out is how invented answers are made."),
        Question(
            text="Which of these belong in a question? Choose all that do.", section="Care with data",
            choices=(right("The product the complaint is about"),
                     right("The country whose rules apply"),
                     wrong("The customer's card number, so that the answer is exact"),
                     wrong("Your own password to the core system"),
                     wrong("The whole customer file, to be on the safe side")),
            because="The situation shapes the answer; identity and secrets do not. Masking is a net, not a licence."),
        Question(
            text="Why is your answer shown as held?", section="Care with data",
            choices=(right("A trained person looks at it first, since being wrong could hurt somebody"),
                     wrong("You asked something forbidden"),
                     wrong("The server is overloaded"),
                     wrong("It is held until you ask again")),
            because="Holding is decided by risk, evidence and sensitivity of the answer, not by who you are."),
        Question(
            text="Which statements about an assistant are true? Choose all that are.", section="What it cannot do",
            choices=(right("It can write a false sentence that sounds sure"),
                     right("It only uses documents that you may read"),
                     wrong("It notices by itself when a policy is outdated and no newer one was given to it"),
                     wrong("It calculates as reliably as a spreadsheet")),
            because="It composes likely text from the sources it was given: no more, and no less."),
        Question(
            text="The first answer is nearly right but for another country. What is the best next step?",
            section="Asking",
            choices=(right("Say which country you mean and keep the rest"),
                     wrong("Send the same question again"),
                     wrong("Correct it in your head and use it"),
                     wrong("Give up on the assistant")),
            because="A short second turn that adds what was missing is the fastest way to the answer."),
    ))
