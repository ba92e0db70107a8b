"""Pass-phrases: which are good enough, after NIST SP 800-63B-4 (August 2025), section 3.1.1.2.

Length is what counts: at least 12 characters (the standard asks 8 beside a second factor, 15 without; a second factor is
forced here), no rules of composition, no expiry by date, every character allowed. Refused is what an attacker tries
first: the phrases of a short list, the account's own names, one or two characters repeated, a run along the alphabet.
"""

import unicodedata
from functools import cache
from importlib.resources import files

from underwing.casebook.people.values import PeopleError

LEAST = 12
MOST = 256
_FEW = 5
"""A phrase of fewer different characters is a repetition."""
_REST = 5
"""When less than this is left beside names and known words, nothing was added to them."""
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "qwertyuiop",
    "qwertzuiop",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)


def normal(phrase: str) -> str:
    """The phrase as it is hashed: NFKC, so that two keyboards that write the same letters agree."""
    return unicodedata.normalize("NFKC", phrase)


def check(phrase: str, *names: str) -> str:
    """The phrase in its normal form, when it may be used by whoever has `names`.

    Raises:
        PeopleError: too short, too long, or among what is tried first; says which.
    """
    made = normal(phrase)
    if len(made) < LEAST:
        raise PeopleError(
            f"a pass-phrase has at least {LEAST} characters; four or five words do well",
            "phrase_short",
            least=LEAST,
        )
    if len(made) > MOST:
        raise PeopleError(f"a pass-phrase has at most {MOST} characters", "phrase_long", most=MOST)
    folded = _folded(made)
    if len(set(folded or made)) < _FEW or _is_run(folded):
        raise PeopleError(
            "this pass-phrase repeats or counts; choose words that do not belong together", "phrase_repeats"
        )
    if folded in common() or folded.rstrip("0123456789") in common():
        raise PeopleError("this pass-phrase is one that is tried first; choose another", "phrase_common")
    own = (word for name in names for word in (_folded(name), *map(_folded, name.split())))
    for word in sorted({w for w in own if len(w) > 2} | {"underwing"}, key=len, reverse=True):
        folded = folded.replace(word, "")
    if len(folded) < _REST:
        raise PeopleError("this pass-phrase is little more than a name; choose another", "phrase_name")
    return made


@cache
def common() -> frozenset[str]:
    """The phrases that are tried first, folded. Of our own making: no list of stolen ones is shipped."""
    text = files(__package__).joinpath("phrases.txt").read_text("utf-8")
    return frozenset(_folded(line) for line in text.splitlines() if line and not line.startswith("#"))


def _folded(text: str) -> str:
    return "".join(c for c in normal(text).casefold() if c.isalnum())


def _is_run(folded: str) -> bool:
    """Whether it only goes along the alphabet, the digits or the keyboard, in either direction, again and again."""
    return any(
        folded and folded in run * (2 + len(folded) // len(run)) for r in _RUNS for run in (r, r[::-1])
    )
