"""The catalogues: every language says everything, every key that is used exists, none is unused."""

import re
from pathlib import Path

import pytest

import underwing.server.console as package
from underwing.model import ACTIONS, GUESSED_STAGES, KNOWN_STAGES, STAGES, UNSEEN_STAGES
from underwing.server.console.words import HOME, LANGUAGES, catalogue, say

CODE = Path(package.__file__).parent
TEMPLATES = CODE.parent / "templates" / "console"
PAGES = {path.stem for path in (HOME / "en").glob("*.toml")}
_ANY = "|".join(sorted(PAGES))
_KEY = re.compile(rf"""["']((?:{_ANY})\.[a-z0-9_.]+)["'](\s*~)?""")
_DID = re.compile(rf"""["']({_ANY})\.([a-z_]+)["']""")
_IN_CODE = re.compile(rf"""f["']((?:{_ANY})\.[a-z0-9_.]*)\{{""")
_HOLES = re.compile(r"\{(\w+)\}")


def used() -> tuple[set[str], set[str]]:
    """Keys named in templates and code; beginnings of keys that are put together."""
    keys, beginnings = set(), set()
    for path in [*TEMPLATES.glob("*.j2"), *CODE.glob("*.py")]:
        text = path.read_text("utf-8")
        for key, more in _KEY.findall(text):
            (beginnings if more or key.endswith(".") else keys).add(key)
        beginnings |= set(_IN_CODE.findall(text))
        if path.suffix == ".py":
            keys |= {
                f"{page}.did.{name}"
                for page, name in _DID.findall(text)
                if f"{page}.did.{name}" in catalogue("en")
            }
    return keys, beginnings


@pytest.mark.parametrize("language", list(LANGUAGES)[1:])
def test_every_language_says_everything_with_the_same_values(language: str) -> None:
    ours, other = catalogue("en"), catalogue(language)
    assert set(ours) == set(other)
    for key, text in ours.items():
        assert set(_HOLES.findall(text)) == set(_HOLES.findall(other[key])), key


def plural(key: str) -> bool:
    return f"{key}.one" in catalogue("en") and f"{key}.other" in catalogue("en")


def test_every_key_that_is_used_exists() -> None:
    keys, beginnings = used()
    known = catalogue("en")
    did = {key.replace(".did.", ".") for key in known if ".did." in key}
    missing = {key for key in keys if key not in known and not plural(key) and key not in did}
    missing = {key for key in missing if not key.endswith((".html", ".j2", ".css", ".js", ".svg", ".toml"))}
    assert not missing
    assert not {start for start in beginnings if not any(key.startswith(start) for key in known)}


def test_what_the_engine_says_has_words() -> None:
    stages = {*STAGES, *KNOWN_STAGES, *GUESSED_STAGES, *UNSEEN_STAGES}
    wanted = {f"{page}.stage.{name}" for page in ("signs", "cases") for name in stages}
    wanted |= {f"signs.does.{name}" for name in stages}
    wanted |= {f"{page}.action.{name}" for page in ("signs", "cases") for name in ACTIONS}
    assert wanted <= set(catalogue("en"))


def test_no_text_is_unused() -> None:
    keys, beginnings = used()
    unused = {
        key
        for key in catalogue("en")
        if key not in keys
        and key.removesuffix(".one").removesuffix(".other") not in keys
        and not any(key.startswith(start) for start in beginnings)
    }
    assert not unused


def test_a_number_chooses_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue("en"), "x.n.one", "one")
    monkeypatch.setitem(catalogue("en"), "x.n.other", "{count} many")
    assert say("en", "x.n", count=1) == "one"
    assert say("en", "x.n", count=3) == "3 many"
    with pytest.raises(KeyError):
        say("en", "x.nothing")
