"""Other languages: told apart by their words, stemmed by their own rules, served by words and shown as such."""

from pathlib import Path

import pytest

from pilothouse.steps.knowledge.contracts import AccessRule
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.testing.knowledge import Library
from pilothouse.testing.suites.index import passage
from pilothouse.text.languages import Language, hindi_stem, language

TEXTS: dict[Language, tuple[str, str, str]] = {
    "en": ("The notice period for savings accounts is thirty days, and it must be given in writing.",
           "What notice periods do accounts have?", "Opening hours are posted at the door of each branch."),
    "de": ("Die Kündigungsfristen für Sparkonten betragen dreißig Tage, und die Kündigung muss schriftlich sein.",
           "Wie lang ist die Kündigungsfrist für ein Sparkonto?", "Die Öffnungszeiten der Filialen sind im Netz."),
    "fr": ("Les délais de préavis des comptes sont de trente jours et la demande doit être écrite par le client.",
           "Quel est le délai de préavis pour un compte ?", "Les agences sont ouvertes le lundi et le mardi."),
    "es": ("Los plazos de preaviso de las cuentas son de treinta días y la solicitud debe hacerse por escrito.",
           "¿Cuál es el plazo de preaviso para una cuenta?", "Las oficinas abren los lunes y los martes por la tarde."),
    "hi": ("बचत खातों के लिए सूचना की अवधि तीस दिन है और आवेदन लिखित में देना होता है।",
           "बचत खाते की सूचना अवधि क्या है?", "शाखाएँ सोमवार को दस बजे खुलती हैं।"),
}


@pytest.mark.parametrize("code", TEXTS)
def test_documents_and_questions_are_told_apart_by_language(code: Language) -> None:
    assert [language(text) for text in TEXTS[code]] == [code] * 3


@pytest.mark.parametrize("text", ["", "12 EUR", "Café Zürich", "la carte", "Qwertz IBAN DE02", "\ud83d"])
def test_what_says_nothing_of_its_language_counts_as_english(text: str) -> None:
    assert language(text) == "en"


def test_hindi_words_meet_in_their_stems() -> None:
    assert hindi_stem("खातों") == hindi_stem("खाते") == hindi_stem("खाता")
    assert hindi_stem("है") == "है"


@pytest.mark.parametrize("code", TEXTS)
def test_another_form_of_a_word_is_found_in_its_language_among_all_of_them(code: Language, tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path)
    index.add([passage(10 * n + k, text) for n, texts in enumerate(TEXTS.values()) for k, text in
               enumerate((texts[0], texts[2]))], None)
    index.flush("1")
    found = index.search(TEXTS[code][1], None, access=frozenset({1}), sources=None, limit=3)
    assert found[0].row == 10 * list(TEXTS).index(code)


def test_a_question_in_another_language_is_served_by_words_and_says_so(library: Library) -> None:
    library.knowledge = library.opened(lexical=TantivyIndex(library.home / "words"))
    for code, (text, _, other) in TEXTS.items():
        library.write(f"{code}.md", f"# Konto {code}\n\n{text}\n\n{other}")
    library.define(AccessRule(readers=("everyone",)))
    library.ingest()
    for code, (_, question, _) in TEXTS.items():
        found = library.ask(question)
        assert found.mode == ("hybrid" if code == "en" else "lexical")
        assert found.passages[0].path == f"{code}.md"
