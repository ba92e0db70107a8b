"""Which language a message is plainly in, and that a pack says nothing of messages in another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.text import Entry, Scanner, canonical
from underwing.text.tongue import is_foreign, plainly

PLAIN = {
    "en": "what time do you get to the pool with your dad",
    "es": "yo no voy con ellos porque mañana es la fiesta de mi prima",
    "fr": "on va au parc avec les autres et tu viens quand ?",
    "de": "ich bin noch nicht fertig mit dem Referat, und du?",
    "pt": "eu não vou com a minha irmã, ela tem que estudar",
    "pl": "nie wiem, jak to jest, ale ja tam nie idę",
    "fil": "wala pa si kuya kasi may pasok sya ngayon",
    "hi": "mai abhi ghar pe hu, tu kal kya kar raha hai",
}


def scanner(lang: str, pattern: str) -> Scanner:
    """For one entry of a language."""
    return Scanner(
        [
            Entry(
                id=f"{lang}.threat.test", lang=lang, stage="threat", act="threaten", direction="any", weight=1.0,
                source="test", match=[pattern], slots={},
            )
        ]
    )  # fmt: skip


@pytest.mark.parametrize("language", PLAIN)
def test_a_language_is_known_by_its_commonest_words(language: str) -> None:
    assert plainly(canonical(PLAIN[language])) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "jajaja dale",
        "no",
        "pizza",
        "i will send mo na lang to you",
        "ماما بتقول لا",
        "12 13 14",
    ],
)
def test_what_is_short_mixed_or_unknown_is_in_none(text: str) -> None:
    assert plainly(canonical(text)) is None


@given(st.text(max_size=200))
def test_any_text_has_one_language_or_none(text: str) -> None:
    plain = plainly(canonical(text))
    assert plain is None or plain in PLAIN
    assert not is_foreign("en", plain)
    assert not is_foreign("nl", plain)  # a private pack of a language without a list is never passed over
    assert plain is None or not is_foreign(plain, plain)


def test_a_pack_says_nothing_of_a_message_in_another_language() -> None:
    polish = scanner("pl", "dam ci")
    assert polish.scan("dam ci to jutro").signals
    assert polish.scan("dam ci").signals
    assert not polish.scan("yo no te dam ci porque es de mi prima y ya no lo tengo").signals


def test_nor_of_what_was_hidden_in_it() -> None:
    polish = scanner("pl", "dam ci")
    assert polish.scan("d4m ci to jutro, tylko ty nie mow").signals
    assert not polish.scan("yo no te d4m ci porque es de mi prima y ya no lo tengo").signals


def test_english_words_count_in_every_language() -> None:
    assert scanner("en", "send pics").scan("yo no te creo, send pics o es que no me lo quieres dar").signals
